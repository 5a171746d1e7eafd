//! What S3 checks of a request's credentials beside the signature itself: key, session token, clock, region, and that
//! the headers which matter are signed ("Authenticating Requests (AWS Signature Version 4)").

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use s3s::S3Result;
use s3s::auth::{S3Auth, SecretKey};

use crate::clock::{Clock, Seconds, http_date, listing_date, parse_amz_date, parse_http_date};
use crate::error::{Failure, Outcome, standard_message};
use crate::options::{ServerOptions, User};
use crate::target::Target;

const SKEW: Seconds = 15 * 60;
const LONGEST: Seconds = 7 * 24 * 3600;

/// Tells `s3s` the secrets.
pub(crate) struct Users(pub(crate) std::sync::Arc<ServerOptions>);

#[async_trait::async_trait]
impl S3Auth for Users {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match self.0.users.get(access_key) {
            Some(user) => Ok(SecretKey::from(user.secret_key.as_str())),
            None => Err(s3s::S3Error::new(s3s::S3ErrorCode::InvalidAccessKeyId)),
        }
    }
}

/// What a request says of its signature, in a header or in the query.
struct Signed {
    access_key: String,
    region: String,
    headers: Vec<String>,
    token: Option<String>,
    presigned: bool,
}

/// Where a request is checked.
pub(crate) struct Gate<'a> {
    pub(crate) options: &'a ServerOptions,
    pub(crate) clock: Clock,
    pub(crate) tokens_expired: bool,
    /// The region of the request's bucket, if it exists.
    pub(crate) bucket_region: Option<String>,
}

impl Gate<'_> {
    pub(crate) fn check(&self, operation: &str, target: &Target, headers: &HeaderMap) -> Outcome<()> {
        let signed = signed(target, headers)?.ok_or_else(Failure::access_denied)?;
        let unknown = || {
            let code = "InvalidAccessKeyId";
            Failure::new(403, code, standard_message(code)).detail("AWSAccessKeyId", &signed.access_key)
        };
        let user = self.options.users.get(&signed.access_key).ok_or_else(unknown)?;
        match signed.presigned {
            true => self.check_validity(target)?,
            false => self.check_clock(headers)?,
        }
        self.check_token(user, signed.token.as_deref(), unknown)?;
        self.check_region(operation, target, headers, &signed)?;
        check_headers(&signed, headers)
    }

    fn check_token(&self, user: &User, token: Option<&str>, unknown: impl Fn() -> Failure) -> Outcome<()> {
        match (&user.session_token, token) {
            (None, None) => Ok(()),
            (Some(_), None) => Err(unknown()),
            (Some(expected), Some(token)) if expected == token && self.tokens_expired => {
                Err(Failure::new(400, "ExpiredToken", "The provided token has expired."))
            }
            (Some(expected), Some(token)) if expected == token => Ok(()),
            (_, Some(_)) => {
                let message = "The provided token is malformed or otherwise invalid.";
                Err(Failure::new(400, "InvalidToken", message))
            }
        }
    }

    fn check_clock(&self, headers: &HeaderMap) -> Outcome<()> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let amz = text("x-amz-date");
        let date = amz.and_then(parse_amz_date).or_else(|| text("date").and_then(parse_http_date));
        let date = date.ok_or_else(|| {
            Failure::new(403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
        })?;
        let now = self.clock.now();
        if (now - date).abs() <= SKEW {
            return Ok(());
        }
        let message = "The difference between the request time and the current time is too large.";
        Err(Failure::new(403, "RequestTimeTooSkewed", message)
            .detail("RequestTime", amz.map_or_else(|| http_date(date), str::to_owned))
            .detail("ServerTime", listing_date(now))
            .detail("MaxAllowedSkewMilliseconds", SKEW * 1000))
    }

    fn check_validity(&self, target: &Target) -> Outcome<()> {
        let invalid = |message: &'static str| Failure::new(400, "AuthorizationQueryParametersError", message);
        let date = target.query("X-Amz-Date").and_then(parse_amz_date);
        let date =
            date.ok_or_else(|| invalid("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""))?;
        let expires = target.query("X-Amz-Expires").and_then(|expires| expires.parse::<Seconds>().ok());
        let expires = expires.ok_or_else(|| invalid("X-Amz-Expires should be a number"))?;
        if !(0..=LONGEST).contains(&expires) {
            return Err(invalid(
                "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires \
                                must be less than 604800 seconds",
            ));
        }
        let now = self.clock.now();
        if date > now + SKEW {
            return Err(Failure::new(403, "AccessDenied", "Request is not valid yet"));
        }
        if now > date + expires {
            return Err(Failure::new(403, "AccessDenied", "Request has expired")
                .detail("X-Amz-Expires", expires)
                .detail("Expires", listing_date(date + expires))
                .detail("ServerTime", listing_date(now)));
        }
        Ok(())
    }

    /// A bucket is reached with the signature of its own region. One with the server's region is redirected; any other
    /// is wrong.
    fn check_region(&self, operation: &str, target: &Target, headers: &HeaderMap, signed: &Signed) -> Outcome<()> {
        let home = &self.options.region;
        let expected = self.bucket_region.as_ref().unwrap_or(home);
        let anywhere = matches!(operation, "GetBucketLocation" | "CreateBucket");
        if signed.region == *expected || (anywhere && signed.region == *home) {
            return Ok(());
        }
        let failure = if signed.region == *home {
            let message = "The bucket you are attempting to access must be addressed using the specified endpoint. Please \
                           send all future requests to this endpoint.";
            let endpoint = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
            let bucket = target.bucket.as_deref().unwrap_or_default();
            Failure::new(301, "PermanentRedirect", message).detail("Endpoint", endpoint).detail("Bucket", bucket)
        } else {
            let (code, what) = match signed.presigned {
                true => ("AuthorizationQueryParametersError", "Error parsing the X-Amz-Credential parameter"),
                false => ("AuthorizationHeaderMalformed", "The authorization header is malformed"),
            };
            let message = format!("{what}; the region '{}' is wrong; expecting '{expected}'", signed.region);
            Failure::new(400, code, message).detail("Region", expected)
        };
        Err(match &self.bucket_region {
            Some(region) => failure.header("x-amz-bucket-region", region),
            None => failure,
        })
    }
}

/// `Host` and every `x-amz-` header have to be signed.
fn check_headers(signed: &Signed, headers: &HeaderMap) -> Outcome<()> {
    let is_signed = |name: &str| signed.headers.iter().any(|header| header == name);
    let mut names = headers.keys().map(|name| name.as_str());
    match names.find(|name| (*name == "host" || name.starts_with("x-amz-")) && !is_signed(name)) {
        Some(name) => {
            let message = "There were headers present in the request which were not signed";
            Err(Failure::new(403, "AccessDenied", message).detail("HeadersNotSigned", name))
        }
        None => Ok(()),
    }
}

fn signed(target: &Target, headers: &HeaderMap) -> Outcome<Option<Signed>> {
    if target.has("X-Amz-Signature") {
        let malformed = || {
            let message = "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                           X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.";
            Failure::new(400, "AuthorizationQueryParametersError", message)
        };
        let parameter = |name| target.query(name).ok_or_else(malformed);
        let (access_key, region) = scope(parameter("X-Amz-Credential")?).ok_or_else(malformed)?;
        let token = target.query("X-Amz-Security-Token").map(str::to_owned);
        let headers = list(parameter("X-Amz-SignedHeaders")?);
        return Ok(Some(Signed { access_key, region, headers, token, presigned: true }));
    }
    let Some(authorization) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let Some(fields) = authorization.to_str().ok().and_then(|text| text.strip_prefix("AWS4-HMAC-SHA256")) else {
        let message = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";
        return Err(Failure::invalid_request(message));
    };
    let malformed = || {
        let message = "The authorization header is malformed; it must have Credential, SignedHeaders and Signature.";
        Failure::new(400, "AuthorizationHeaderMalformed", message)
    };
    let field = |name: &str| {
        let mut fields = fields.split(',').map(str::trim).filter_map(|field| field.split_once('='));
        fields.find(|(found, _)| *found == name).map(|(_, value)| value).ok_or_else(malformed)
    };
    let (access_key, region) = scope(field("Credential")?).ok_or_else(malformed)?;
    field("Signature")?;
    let token = headers.get("x-amz-security-token").and_then(|token| token.to_str().ok()).map(str::to_owned);
    Ok(Some(Signed { access_key, region, headers: list(field("SignedHeaders")?), token, presigned: false }))
}

/// Access key and region of `key/date/region/s3/aws4_request`; a key may have slashes.
fn scope(credential: &str) -> Option<(String, String)> {
    let mut fields = credential.rsplitn(5, '/');
    let (_terminator, _service) = (fields.next()?, fields.next()?);
    let (region, _date) = (fields.next()?, fields.next()?);
    Some((fields.next()?.to_owned(), region.to_owned()))
}

fn list(names: &str) -> Vec<String> {
    names.split(';').map(str::to_ascii_lowercase).collect()
}
