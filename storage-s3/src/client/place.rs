//! Where requests go: endpoint, addressing and region.

use http::HeaderValue;
use http::uri::Authority;
use storage_core::{Error, Result};

use crate::options::{Addressing, ENDPOINT_HELP, S3Options};
use crate::service::{Profile, Service};

/// The service and the bucket as the options have them; a region makes a [`Place`] of it.
pub(crate) struct Endpoint {
    https: bool,
    /// Host and port; `None` for AWS, whose host depends on the region.
    authority: Option<Authority>,
    bucket: String,
    bucket_in_host: bool,
    region: Option<String>,
    /// What requests are signed for while the region is not known. Services without regions take it, and AWS answers with
    /// the right one.
    default_region: &'static str,
}

/// Where a request goes and what it is signed for.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) https: bool,
    /// A name or an address; without the brackets that IPv6 has in URLs.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The `Host` header: with a port only where it is not the scheme's own.
    pub(crate) authority: HeaderValue,
    /// The encoded path of the bucket: `/bucket`, or nothing where it stands in the host name.
    pub(crate) base: String,
    pub(crate) region: String,
}

impl Place {
    pub(crate) fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// Whether a connection to one is a connection to the other.
    pub(crate) fn same_peer(&self, other: &Self) -> bool {
        self.https == other.https && self.port == other.port && self.host == other.host
    }
}

impl Endpoint {
    /// Fails with `Configuration` where endpoint, bucket and addressing cannot be right.
    pub(crate) fn new(options: &S3Options) -> Result<Self> {
        let bucket = options.bucket.clone();
        if bucket.is_empty() || bucket.contains(['/', '?', '#']) || bucket.chars().any(char::is_control) {
            return Err(Error::configuration(format!("the bucket name {bucket:?} is not one"))
                .with_help("set STORAGE_BUCKET_NAME, or write s3://bucket/prefix"));
        }
        let endpoint = options.endpoint().map_err(|why| {
            Error::configuration(format!("the endpoint is refused: {why}"))
                .with_help(format!("set AWS_ENDPOINT_URL to {ENDPOINT_HELP}"))
        })?;
        let (https, authority) = match endpoint {
            Some(endpoint) => (endpoint.tls, Some(endpoint.authority)),
            None => (options.use_ssl, None),
        };
        let aws = authority.as_ref().is_none_or(|authority| is_aws(authority.host()));
        let by_address = authority.as_ref().is_some_and(|authority| is_address(authority.host()));
        let fits = fits_in_host(&bucket) && !by_address;
        let bucket_in_host = match options.addressing {
            Addressing::Auto => aws && fits && !(https && bucket.contains('.')),
            Addressing::Path => false,
            Addressing::VirtualHost if fits => true,
            Addressing::VirtualHost => {
                return Err(Error::configuration(format!("the bucket name {bucket:?} cannot stand in a host name"))
                    .with_help("address the bucket in the path"));
            }
        };
        let region = options.region.clone().filter(|region| !region.is_empty() && !region.eq_ignore_ascii_case("auto"));
        let default_region = Profile::of(Service::of(options)).region;
        Ok(Self { https, authority, bucket, bucket_in_host, region, default_region })
    }

    /// The region that the options name.
    pub(crate) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Where requests go before the service said anything else.
    pub(crate) fn place(&self) -> Result<Place> {
        let region = self.region.as_deref().unwrap_or(self.default_region);
        self.at(region, self.authority.clone())
    }

    /// Where requests go after the service has named the bucket's region. AWS has a host for each region; any other
    /// service is asked at the same host.
    pub(crate) fn place_in(&self, region: &str) -> Result<Place> {
        let keep = self.authority.clone().filter(|authority| !is_aws(authority.host()));
        self.at(region, keep)
    }

    fn at(&self, region: &str, authority: Option<Authority>) -> Result<Place> {
        let authority = match authority {
            Some(authority) => authority,
            None => aws(region)?,
        };
        let default_port = if self.https { 443 } else { 80 };
        let port = authority.port_u16().unwrap_or(default_port);
        let (mut name, mut base) = (authority.host().to_owned(), String::new());
        if self.bucket_in_host {
            name = format!("{}.{name}", self.bucket);
        } else {
            base.push('/');
            super::encode::path(&mut base, &self.bucket);
        }
        let host = name.trim_start_matches('[').trim_end_matches(']').to_owned();
        let text = if port == default_port { name } else { format!("{name}:{port}") };
        let authority = HeaderValue::try_from(text)
            .map_err(|error| Error::configuration("the endpoint is no host name").with_source(error))?;
        Ok(Place { https: self.https, host, port, authority, base, region: region.to_owned() })
    }
}

/// Whether the options put the bucket's name into the path of a URL. Fails with `Configuration` where they cannot be right.
pub(crate) fn in_path(options: &S3Options) -> Result<bool> {
    Endpoint::new(options).map(|endpoint| !endpoint.bucket_in_host)
}

/// The endpoint as a URL, for messages.
pub(crate) fn url(options: &S3Options) -> String {
    match Endpoint::new(options).and_then(|endpoint| endpoint.place()) {
        Ok(place) => format!("{}://{}", place.scheme(), place.authority.to_str().unwrap_or_default()),
        Err(_) => options.endpoint.clone().unwrap_or_default(),
    }
}

fn aws(region: &str) -> Result<Authority> {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    Authority::try_from(format!("s3.{region}.{suffix}")).map_err(|_| {
        Error::configuration(format!("the region {region:?} is not one")).with_help("set AWS_REGION: eu-west-1")
    })
}

fn is_aws(host: &str) -> bool {
    let host = host.strip_suffix(".cn").unwrap_or(host);
    host == "s3.amazonaws.com" || (host.starts_with("s3.") && host.ends_with(".amazonaws.com"))
}

fn is_address(host: &str) -> bool {
    host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok()
}

/// Whether a bucket's name is a valid part of a host name.
fn fits_in_host(bucket: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    (3..=63).contains(&bucket.len())
        && bucket.bytes().all(allowed)
        && bucket.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage_core::ErrorKind;

    fn place(bucket: &str, change: impl Fn(&mut S3Options)) -> Result<(String, String, String)> {
        let mut options = S3Options::new(bucket);
        change(&mut options);
        let place = Endpoint::new(&options)?.place()?;
        Ok((format!("{}://{}", place.scheme(), place.authority.to_str().unwrap()), place.base, place.region))
    }

    fn parts(url: &str, base: &str, region: &str) -> (String, String, String) {
        (url.to_owned(), base.to_owned(), region.to_owned())
    }

    #[test]
    fn aws_has_the_bucket_in_the_host_where_its_certificate_holds() {
        let region = |options: &mut S3Options| options.region = Some("eu-west-1".to_owned());
        let host = "https://data.s3.eu-west-1.amazonaws.com";
        assert_eq!(place("data", region).unwrap(), parts(host, "", "eu-west-1"));
        let host = "https://s3.eu-west-1.amazonaws.com";
        assert_eq!(place("my.data", region).unwrap(), parts(host, "/my.data", "eu-west-1"));
        assert_eq!(place("My_Data", region).unwrap(), parts(host, "/My_Data", "eu-west-1"));
        let auto = |options: &mut S3Options| options.region = Some("auto".to_owned());
        assert_eq!(place("data", auto).unwrap(), parts("https://data.s3.us-east-1.amazonaws.com", "", "us-east-1"));
        let china = |options: &mut S3Options| options.region = Some("cn-north-1".to_owned());
        assert!(place("data", china).unwrap().0.ends_with("amazonaws.com.cn"));
    }

    #[test]
    fn an_endpoint_is_a_url_or_a_host_and_a_port() {
        for (endpoint, use_ssl, url) in [
            ("http://localhost:9000", true, "http://localhost:9000"),
            ("HTTPS://s3.example.com/", false, "https://s3.example.com"),
            ("localhost:9000", false, "http://localhost:9000"),
            ("minio.lan", true, "https://minio.lan"),
            ("https://minio.lan:443", true, "https://minio.lan"),
            ("http://[::1]:9000", true, "http://[::1]:9000"),
        ] {
            let set = |options: &mut S3Options| {
                options.endpoint = Some(endpoint.to_owned());
                options.use_ssl = use_ssl;
            };
            assert_eq!(place("data", set).unwrap(), parts(url, "/data", "us-east-1"), "{endpoint}");
        }
    }

    #[test]
    fn what_cannot_be_right_names_the_setting_and_shows_no_password() {
        for endpoint in ["", "http://", "ftp://host", "http://host/path", "host:port", "http://u:hunter2@host"] {
            let error = place("data", |options| options.endpoint = Some(endpoint.to_owned())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{endpoint}");
            let text = format!("{error} {error:?}");
            assert!(text.contains("AWS_") && !text.contains("hunter2"), "{text}");
        }
        let error = place("", |_| ()).unwrap_err();
        assert!(error.to_string().contains("STORAGE_BUCKET_NAME"), "{error}");
        let virtual_host = |options: &mut S3Options| {
            options.endpoint = Some("http://127.0.0.1:9000".to_owned());
            options.addressing = Addressing::VirtualHost;
        };
        assert_eq!(place("data", virtual_host).unwrap_err().kind(), ErrorKind::Configuration);
    }
}
