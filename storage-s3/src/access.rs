//! How other clients of S3 reach what the options reach.

use storage_core::{Access, AccessCredentials, Location, ObjectLocation, Result, ServiceAccess};

use crate::client::addressed_in_path;
use crate::options::{Credentials, S3Options};

impl S3Options {
    /// The bucket, or its prefix, as other programs reach it: endpoint, region, addressing, credentials. No request, and
    /// of a chain of credentials no more than the profile it begins with. Fails with `Configuration` where the options
    /// cannot be right.
    pub fn access(&self) -> Result<Access> {
        let credentials = match &self.credentials {
            Credentials::Keys { access_key_id, secret_access_key, session_token } => AccessCredentials::Keys {
                id: access_key_id.clone(),
                secret: secret_access_key.clone(),
                token: session_token.clone(),
            },
            Credentials::Anonymous => AccessCredentials::Anonymous,
            Credentials::Chain(chain) => {
                let profile = chain.environment.iter().find(|(name, _)| name == "AWS_PROFILE");
                AccessCredentials::Machine { profile: profile.map(|(_, value)| value.clone()) }
            }
        };
        let mut service = ServiceAccess::new(credentials);
        service.region = self.region.clone().filter(|region| !region.eq_ignore_ascii_case("auto"));
        service.path_style = addressed_in_path(self)?;
        service.endpoint = self.endpoint().ok().flatten().map(|endpoint| {
            let scheme = if endpoint.tls { "https" } else { "http" };
            format!("{scheme}://{}", endpoint.authority)
        });
        let location = Location::Object(ObjectLocation {
            scheme: "s3".to_owned(),
            container: self.bucket.clone(),
            path: self.prefix.clone(),
            options: Default::default(),
        });
        Ok(Access::service(location, service))
    }
}
