//! Roots as other programs spell them.

use std::fmt;

use serde_json::{Map, Value, json};
use storage_core::{Access, AccessCredentials, Error, Location, Registry, Result, ServiceAccess, Settings};

/// How LanceDB, DuckDB or a Python program reaches a root by itself: its URL, and endpoint, region, addressing and
/// credentials in that program's own spelling.
///
/// It is made of the settings that open the root for this library, by the driver that opens it, so that both reach the
/// same place as the same user. It needs no handle, and asks nobody.
///
/// What the methods return **holds the secrets** that the program needs; `Debug` of this type shows none. Of a chain of
/// credentials (profile, web identity, instance role) nothing is handed on but the profile's name: the other program asks
/// the machine itself, as it has to when such credentials expire.
///
/// ```
/// # use storage_core::{Location, Registry, Result, Settings};
/// # use storage_source::Native;
/// # fn main() -> Result<()> {
/// let registry = Registry::new().with(storage_s3::S3Driver::new())?;
/// let settings = Settings::builder()
///     .set("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
///     .set("AWS_REGION", "eu-west-1")
///     .set("AWS_ACCESS_KEY_ID", "me")
///     .set("AWS_SECRET_ACCESS_KEY", "secret")
///     .build()?;
/// let lake = Native::new(&registry, &Location::parse("s3://data/lake")?, &settings)?;
/// assert_eq!(lake.url(), "s3://data/lake");
/// // lancedb.connect(url, storage_options)
/// let options = lake.object_store()?;
/// assert!(options.contains(&("aws_endpoint".to_owned(), "http://127.0.0.1:9000".to_owned())));
/// assert!(lake.duckdb_secret("lake")?.starts_with("CREATE OR REPLACE SECRET \"lake\" (TYPE s3,"));
/// assert_eq!(lake.fsspec()["key"], "me");
/// assert!(!format!("{lake:?}").contains("secret\""));
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Native {
    access: Access,
}

impl Native {
    /// How others reach a root. `Unsupported` where no other program can: what is in this process's memory.
    pub fn new(registry: &Registry, location: &Location, settings: &Settings) -> Result<Self> {
        registry.access(location, settings).map(Self::from)
    }

    /// `s3://bucket/prefix`, or the absolute path of a directory.
    ///
    /// These programs decode nothing in it, so that it is as it stands in a listing, and not as a location is written.
    pub fn url(&self) -> String {
        match &self.access.location {
            Location::File(path) => path.to_string_lossy().into_owned(),
            Location::Object(object) if object.path.is_empty() => format!("{}://{}", object.scheme, object.container),
            Location::Object(object) => format!("{}://{}/{}", object.scheme, object.container, object.path),
            other => other.to_string(),
        }
    }

    /// The options of LanceDB (`storage_options`), delta-rs and Polars, which are those of Rust's `object_store`
    /// (`AmazonS3ConfigKey`). Empty for a directory. `Unsupported` for a profile, which that library does not read.
    pub fn object_store(&self) -> Result<Vec<(String, String)>> {
        let Some(service) = &self.access.service else {
            return Ok(Vec::new());
        };
        let mut options: Vec<(&str, String)> = Vec::new();
        match &service.credentials {
            AccessCredentials::Keys { id, secret, token } => {
                options.push(("aws_access_key_id", id.clone()));
                options.push(("aws_secret_access_key", secret.clone()));
                options.extend(token.clone().map(|token| ("aws_session_token", token)));
            }
            AccessCredentials::Anonymous => options.push(("aws_skip_signature", "true".to_owned())),
            AccessCredentials::Machine { profile: Some(profile) } => {
                return Err(Error::unsupported(format!("object_store reads no profile, and {profile:?} is set"))
                    .with_help("set the keys, or unset AWS_PROFILE where the machine has a role"));
            }
            _ => {}
        }
        options.extend(service.region.clone().map(|region| ("aws_region", region)));
        options.push(("aws_virtual_hosted_style_request", (!service.path_style).to_string()));
        if let Some(endpoint) = &service.endpoint {
            // With the bucket in the host that library takes the endpoint for the bucket's own.
            let endpoint = match service.path_style {
                true => endpoint.clone(),
                false => self.bucket_endpoint(endpoint),
            };
            if endpoint.starts_with("http://") {
                options.push(("aws_allow_http", "true".to_owned()));
            }
            options.push(("aws_endpoint", endpoint));
        }
        Ok(options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// The statement that makes a secret of DuckDB's `httpfs` for this root and nothing above it (DuckDB, "S3 API
    /// support", `CREATE SECRET`). `Unsupported` for a directory, which needs none.
    pub fn duckdb_secret(&self, name: &str) -> Result<String> {
        let Some(service) = &self.access.service else {
            return Err(Error::unsupported("a directory needs no secret").with_help("read its files by the URL"));
        };
        let mut fields = vec!["TYPE s3".to_owned()];
        let mut field = |name: &str, value: &str| fields.push(format!("{name} '{}'", value.replace('\'', "''")));
        match &service.credentials {
            AccessCredentials::Keys { id, secret, token } => {
                field("KEY_ID", id);
                field("SECRET", secret);
                if let Some(token) = token {
                    field("SESSION_TOKEN", token);
                }
            }
            AccessCredentials::Machine { profile } => {
                field("PROVIDER", "credential_chain");
                if let Some(profile) = profile {
                    field("CHAIN", "config");
                    field("PROFILE", profile);
                }
            }
            _ => {}
        }
        if let Some(region) = &service.region {
            field("REGION", region);
        }
        if let Some((scheme, host)) = service.endpoint.as_deref().and_then(|endpoint| endpoint.split_once("://")) {
            field("ENDPOINT", host);
            field("USE_SSL", if scheme == "http" { "false" } else { "true" });
        }
        field("URL_STYLE", if service.path_style { "path" } else { "vhost" });
        field("SCOPE", &self.url());
        Ok(format!("CREATE OR REPLACE SECRET \"{}\" ({})", name.replace('"', "\"\""), fields.join(", ")))
    }

    /// The arguments of `fsspec.filesystem("s3", …)` (s3fs, `S3FileSystem`), as a JSON object; empty for a directory.
    pub fn fsspec(&self) -> Value {
        let Some(service) = &self.access.service else {
            return json!({});
        };
        let mut arguments = Map::new();
        let mut set = |name: &str, value: Value| arguments.insert(name.to_owned(), value);
        match &service.credentials {
            AccessCredentials::Keys { id, secret, token } => {
                set("key", json!(id));
                set("secret", json!(secret));
                if let Some(token) = token {
                    set("token", json!(token));
                }
            }
            AccessCredentials::Anonymous => {
                set("anon", json!(true));
            }
            AccessCredentials::Machine { profile: Some(profile) } => {
                set("profile", json!(profile));
            }
            _ => {}
        }
        if let Some(endpoint) = &service.endpoint {
            set("endpoint_url", json!(endpoint));
        }
        if let Some(region) = &service.region {
            set("client_kwargs", json!({ "region_name": region }));
        }
        set("config_kwargs", json!({ "s3": { "addressing_style": style(service) } }));
        Value::Object(arguments)
    }

    /// An endpoint with the bucket's name before its host.
    fn bucket_endpoint(&self, endpoint: &str) -> String {
        match (endpoint.split_once("://"), &self.access.location) {
            (Some((scheme, host)), Location::Object(object)) => format!("{scheme}://{}.{host}", object.container),
            _ => endpoint.to_owned(),
        }
    }
}

fn style(service: &ServiceAccess) -> &'static str {
    if service.path_style { "path" } else { "virtual" }
}

impl From<Access> for Native {
    /// For a host that made its driver's options itself: `S3Options::access`.
    fn from(access: Access) -> Self {
        Self { access }
    }
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.access.fmt(f)
    }
}
