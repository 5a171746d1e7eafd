//! URLs that let their holder do one thing.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::Method;
use storage_core::{Error, Key, PresignMethod, PresignOptions, Presigned, Result};

use crate::attributes;
use crate::client::{Expect, Request};
use crate::core::Core;
use crate::options::Credentials;
use crate::probe;

/// How long a URL may last (S3 API, "Authenticating requests: using query parameters").
const LIFETIMES: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(7 * 24 * 3600);

/// Signs a request instead of sending it. No request, but what the credentials need: one of the chain may have to be
/// fetched, and a URL ends with the session that signed it where that is earlier. And one where no region is set and
/// nothing was asked before: a URL cannot follow a redirect to the bucket's region.
///
/// A put is bound to its attributes and to what the options say of storage class and encryption: they are signed headers,
/// which whoever puts must send as they are. `InvalidInput` where it is to last less than a second or more than seven days.
pub(crate) async fn presign(core: &Arc<Core>, key: &Key, options: PresignOptions) -> Result<Presigned> {
    if core.options.credentials == Credentials::Anonymous {
        return Err(Error::unsupported("nobody can sign a URL for an anonymous caller"));
    }
    if !LIFETIMES.contains(&options.expires_in) {
        return Err(Error::invalid_input("the URL is to last less than a second or more than seven days")
            .with_help("S3 signs for one second to seven days"));
    }
    if core.client.guesses_region() {
        probe::check(core).await?;
    }
    // S3 counts whole seconds.
    let lifetime = Duration::from_secs(options.expires_in.as_secs());
    let request = request(core, key, &options);
    let headers = request
        .headers
        .iter()
        .map(|(name, value)| Ok((name.as_str().to_owned(), value.to_str()?.to_owned())))
        .collect::<Result<_, http::header::ToStrError>>()
        .map_err(|error| Error::invalid_input("an attribute cannot stand in a header").with_source(error))?;
    let expires = SystemTime::now() + lifetime;
    let url = core.client.presign(request, lifetime).await.map_err(|failure| core.error(failure))?;
    Ok(Presigned { method: options.method, url, headers, expires })
}

fn request(core: &Core, key: &Key, options: &PresignOptions) -> Request {
    let (operation, method) = match options.method {
        PresignMethod::Get => ("GetObject", Method::GET),
        PresignMethod::Head => ("HeadObject", Method::HEAD),
        PresignMethod::Put => ("PutObject", Method::PUT),
        PresignMethod::Delete => ("DeleteObject", Method::DELETE),
    };
    let mut request = Request::new(operation, method, core.object(key), Expect::Nothing);
    if options.method == PresignMethod::Put {
        request.headers = core.write_headers();
        attributes::write(&options.attributes, &mut request.headers);
    }
    // In the URL, so that a browser, which sends no header of ours, can use it.
    if core.options.requester_pays {
        request.headers.remove("x-amz-request-payer");
        request = request.query("x-amz-request-payer", "requester");
    }
    request
}
