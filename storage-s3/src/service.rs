//! What is known of a service before it is asked.

use std::fmt;

use storage_core::{MultipartOrder, Support};

use crate::checksum::Checksum;
use crate::options::S3Options;
use crate::probe::Condition;

const TIB: u64 = 1 << 40;

/// The most that the ten thousand parts of an upload hold at 5 GiB each (S3 user guide, "Multipart upload limits").
const ALL_PARTS: u64 = 10_000 * (5 << 30);

/// A service that speaks the S3 protocol. What is known of it saves the driver a probe; what differs between its versions
/// is probed all the same (rule S13).
///
/// | service | found by its endpoint | known of conditional writes |
/// |---|---|---|
/// | `Aws` | `*.amazonaws.com`, and no endpoint at all | those of writes are kept (S3 user guide, "Conditional requests"); that of a delete is probed, since the guide does not say what a missing object is answered with |
/// | `R2` | `*.r2.cloudflarestorage.com` | put and streaming writes are; copy and delete are not (R2, "Conditional operations") |
/// | `Garage` | – | none is: it answers 200 and ignores them |
/// | `BackblazeB2` | `*.backblazeb2.com` | puts are not: it answers `NotImplemented` |
/// | `Minio`, `Ceph`, `SeaweedFs`, `Moto` | – | differs between versions: probed |
/// | `Wasabi`, `Spaces`, `GoogleCloud` | `*.wasabisys.com`, `*.digitaloceanspaces.com`, `storage.googleapis.com` | probed |
///
/// Every other endpoint is one of which nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Service {
    /// Amazon S3.
    Aws,
    /// MinIO.
    Minio,
    /// The object gateway of Ceph. Release 16.2 refuses every put with if-match and ignores the condition of a streaming
    /// write and of a copy.
    Ceph,
    /// Cloudflare R2. The parts of an upload have one size.
    R2,
    /// Garage.
    Garage,
    /// Wasabi.
    Wasabi,
    /// DigitalOcean Spaces.
    Spaces,
    /// Backblaze B2.
    BackblazeB2,
    /// Google Cloud Storage by its XML interface.
    GoogleCloud,
    /// SeaweedFS.
    SeaweedFs,
    /// The moto server, which stands for AWS in tests.
    Moto,
}

/// The services by the names that settings have for them.
const NAMES: [(Service, &str); 11] = [
    (Service::Aws, "aws"),
    (Service::Minio, "minio"),
    (Service::Ceph, "ceph"),
    (Service::R2, "r2"),
    (Service::Garage, "garage"),
    (Service::Wasabi, "wasabi"),
    (Service::Spaces, "spaces"),
    (Service::BackblazeB2, "b2"),
    (Service::GoogleCloud, "gcs"),
    (Service::SeaweedFs, "seaweedfs"),
    (Service::Moto, "moto"),
];

impl Service {
    /// The service of an endpoint's host, where its name tells.
    ///
    /// ```
    /// use storage_s3::Service;
    /// assert_eq!(Service::by_host("s3.eu-west-1.amazonaws.com"), Some(Service::Aws));
    /// assert_eq!(Service::by_host("minio.example.org"), None);
    /// ```
    pub fn by_host(host: &str) -> Option<Self> {
        const DOMAINS: [(&str, Service); 7] = [
            ("amazonaws.com", Service::Aws),
            ("amazonaws.com.cn", Service::Aws),
            ("r2.cloudflarestorage.com", Service::R2),
            ("wasabisys.com", Service::Wasabi),
            ("digitaloceanspaces.com", Service::Spaces),
            ("backblazeb2.com", Service::BackblazeB2),
            ("storage.googleapis.com", Service::GoogleCloud),
        ];
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let within =
            |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        DOMAINS.iter().find(|(domain, _)| within(domain)).map(|(_, service)| *service)
    }

    /// The service that options speak of: the one they name, else that of their endpoint.
    pub(crate) fn of(options: &S3Options) -> Option<Self> {
        match (options.service, &options.endpoint) {
            (Some(service), _) => Some(service),
            (None, None) => Some(Self::Aws),
            (None, Some(_)) => options.endpoint().ok().flatten().and_then(|endpoint| Self::by_host(endpoint.host())),
        }
    }

    /// The name in settings: `aws`.
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(service, _)| *service == self).map_or("s3", |(_, name)| name)
    }

    /// All services by their names in settings.
    pub(crate) fn names() -> [&'static str; NAMES.len()] {
        NAMES.map(|(_, name)| name)
    }

    /// The service at a position of [`Service::names`].
    pub(crate) fn at(position: usize) -> Self {
        NAMES.get(position).map_or(Self::Aws, |(service, _)| *service)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known of a service, or assumed of one that is not known.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    /// By [`Condition`].
    pub(crate) conditions: [Support; 6],
    /// Start where it is not known: that declares less.
    pub(crate) multipart_order: MultipartOrder,
    /// Which digest it keeps: `Some(None)` for none, `None` where it is not known.
    pub(crate) checksum: Option<Option<Checksum>>,
    /// All parts of an upload but the last must have one size.
    pub(crate) equal_parts: bool,
    /// The region that requests are signed for where options name none.
    pub(crate) region: &'static str,
    /// In bytes.
    pub(crate) max_object_size: u64,
    /// Whether its buckets have versions; a `No` is for the whole service.
    pub(crate) versions: Support,
    /// It copies only the version of a source that `x-amz-copy-source-if-match` names. Others copy what there is.
    pub(crate) source_condition: bool,
}

impl Profile {
    /// A service of which nothing is known.
    const UNKNOWN: Self = Self {
        conditions: [Support::Unprobed; 6],
        multipart_order: MultipartOrder::Start,
        checksum: None,
        equal_parts: false,
        region: "us-east-1",
        max_object_size: 5 * TIB,
        versions: Support::Unprobed,
        source_condition: false,
    };

    pub(crate) fn of(service: Option<Service>) -> Self {
        let unknown = Self::UNKNOWN;
        match service {
            Some(Service::Aws) => Self {
                conditions: [Support::Yes, Support::Yes, Support::Yes, Support::Yes, Support::Yes, Support::Unprobed],
                checksum: Some(Some(Checksum::Crc64Nvme)),
                max_object_size: ALL_PARTS,
                source_condition: true,
                ..unknown
            },
            Some(Service::Minio) => Self { checksum: Some(Some(Checksum::Crc32c)), source_condition: true, ..unknown },
            // "All parts except the last one must be the same size" (R2, "Multipart upload").
            Some(Service::R2) => Self {
                conditions: [Support::Yes, Support::Yes, Support::Yes, Support::Yes, Support::No, Support::No],
                checksum: Some(Some(Checksum::Crc64Nvme)),
                equal_parts: true,
                region: "auto",
                versions: Support::No,
                source_condition: true,
                ..unknown
            },
            Some(Service::Garage) => Self {
                conditions: [Support::No; 6],
                checksum: Some(None),
                region: "garage",
                versions: Support::No,
                ..unknown
            },
            Some(Service::BackblazeB2) => {
                let mut conditions = unknown.conditions;
                conditions[Condition::PutCreateOnly as usize] = Support::No;
                conditions[Condition::PutIfMatch as usize] = Support::No;
                Self { conditions, checksum: Some(None), ..unknown }
            }
            Some(Service::GoogleCloud) => Self { checksum: Some(None), region: "auto", ..unknown },
            Some(Service::Ceph | Service::Wasabi | Service::Spaces | Service::SeaweedFs | Service::Moto) => {
                Self { checksum: Some(None), ..unknown }
            }
            None => unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that a host is known by its whole domain and nothing that only looks like it.
    #[test]
    fn a_service_is_found_by_the_domain_of_its_endpoint() {
        let cases = [
            ("s3.amazonaws.com", Some(Service::Aws)),
            ("S3.EU-WEST-1.amazonaws.COM.", Some(Service::Aws)),
            ("s3.cn-north-1.amazonaws.com.cn", Some(Service::Aws)),
            ("amazonaws.com.example.org", None),
            ("notamazonaws.com", None),
            ("0a1b.r2.cloudflarestorage.com", Some(Service::R2)),
            ("s3.eu-central-1.wasabisys.com", Some(Service::Wasabi)),
            ("fra1.digitaloceanspaces.com", Some(Service::Spaces)),
            ("s3.us-west-004.backblazeb2.com", Some(Service::BackblazeB2)),
            ("storage.googleapis.com", Some(Service::GoogleCloud)),
            ("127.0.0.1", None),
        ];
        for (host, service) in cases {
            assert_eq!(Service::by_host(host), service, "{host}");
        }
    }

    /// Proves that a name beats the endpoint, that no endpoint is AWS, and that the scheme and the port do not matter.
    #[test]
    fn options_name_a_service_or_their_endpoint_does() {
        let with = |service, endpoint: Option<&str>| {
            let mut options = S3Options::new("b");
            (options.service, options.endpoint) = (service, endpoint.map(str::to_owned));
            Service::of(&options)
        };
        assert_eq!(with(None, None), Some(Service::Aws));
        assert_eq!(with(None, Some("https://x.r2.cloudflarestorage.com")), Some(Service::R2));
        assert_eq!(with(None, Some("fra1.digitaloceanspaces.com:443")), Some(Service::Spaces));
        assert_eq!(with(None, Some("http://localhost:9000")), None);
        assert_eq!(with(Some(Service::Minio), Some("https://x.r2.cloudflarestorage.com")), Some(Service::Minio));
    }

    /// Proves that a service which is not known is trusted with nothing, and that names go round.
    #[test]
    fn the_unknown_is_probed_and_names_go_round() {
        assert_eq!(Profile::of(None).conditions, [Support::Unprobed; 6]);
        assert_eq!(Profile::of(Some(Service::Garage)).conditions, [Support::No; 6]);
        for (position, name) in Service::names().into_iter().enumerate() {
            assert_eq!(Service::at(position).as_str(), name);
        }
    }
}
