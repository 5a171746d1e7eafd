//! An S3 server that fails when it is told to, and handles that have something wrong with them.

use std::any::Any;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;

use conformance_tests::{Fault, Fixture, Hits, Mistake, Patience, Request, Requests, Service, Trap, async_trait};
use s3_test_server::{FaultAction, S3Server, User};
use storage_core::Storage;
use storage_s3::{Credentials, S3, S3Options};

use crate::s3_address::{ANSWER, ATTEMPTS, Address, OPERATION, PART};
use crate::s3_harness::{ACCESS_KEY, Kind, SECRET_KEY, bucket_name, options, server_options};

/// A user who may do nothing, and one whose session is over.
const NOBODY: &str = "suite-nobody";
const NOBODY_SECRET: &str = "canary/SecretKey+of.nobody/9876543210abc";
const GUEST: &str = "suite-guest";
const GUEST_SECRET: &str = "canary/SecretKey+of.a.guest/5555555555xyz";
const GUEST_TOKEN: &str = "canary+session/token=of.a.guest+whose.session/is.over";
const WRONG_SECRET: &str = "canary/SecretKey+that.is/wrong+0000000000";

const OPERATIONS: [(&str, Request); 11] = [
    ("GetObject", Request::Get),
    ("HeadObject", Request::Head),
    ("PutObject", Request::Put),
    ("ListObjectsV2", Request::List),
    ("CopyObject", Request::Copy),
    ("DeleteObject", Request::Delete),
    ("DeleteObjects", Request::DeleteMany),
    ("CreateMultipartUpload", Request::StartUpload),
    ("UploadPart", Request::UploadPart),
    ("CompleteMultipartUpload", Request::FinishUpload),
    ("AbortMultipartUpload", Request::AbortUpload),
];

/// What else a client may ask of a bucket.
const OTHERS: [&str; 5] =
    ["HeadBucket", "ListBuckets", "GetBucketLocation", "ListMultipartUploads", "ListObjectVersions"];

/// A server of its own.
pub(crate) struct S3Service {
    kind: Kind,
    server: S3Server,
    /// Further servers and listeners that broken handles lead to.
    kept: Mutex<Vec<Box<dyn Any + Send>>>,
}

impl S3Service {
    pub(crate) async fn start(kind: Kind) -> Self {
        let denied = OPERATIONS.iter().map(|(name, _)| *name).chain(OTHERS);
        let users = server_options(kind)
            .user(NOBODY, User::new(NOBODY_SECRET).deny(denied))
            .user(GUEST, User::new(GUEST_SECRET).session_token(GUEST_TOKEN));
        let server = S3Server::start(users).await.unwrap();
        Self { kind, server, kept: Mutex::default() }
    }

    fn fixture(&self, hasty: bool) -> Fixture {
        let bucket = bucket_name();
        self.server.create_bucket(&bucket);
        let mut address = Address::new(&self.server, self.kind, &bucket, "");
        if hasty {
            address = address.hasty();
        }
        Fixture::new(open(options(self.kind, &address)), address.to_string())
    }

    /// Answers to these operations are all of this status and error code from now on.
    pub(crate) fn refuse(&self, operations: &[&str], status: u16, code: &str) {
        for operation in operations {
            self.server.inject(s3_test_server::Fault::status(status, code).on(*operation));
        }
    }

    fn keep<T: Any + Send>(&self, value: T) {
        self.kept.lock().unwrap().push(Box::new(value));
    }

    /// A server with a bucket of this name whose clock is two hours ahead.
    async fn skewed(&self, bucket: &str) -> String {
        let server = S3Server::start(server_options(self.kind).clock_offset(7200)).await.unwrap();
        server.create_bucket(bucket);
        let endpoint = server.endpoint();
        self.keep(server);
        endpoint
    }
}

fn open(options: S3Options) -> Storage {
    Storage::new(S3::new(options).unwrap())
}

/// An endpoint that takes connections and says nothing; the listener's backlog is what accepts.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    (listener, endpoint)
}

fn action(fault: Fault, request: Option<Request>) -> FaultAction {
    let status = |status, code: &str| FaultAction::Status { status, code: code.to_owned(), retry_after: None };
    match fault {
        Fault::Internal => status(500, "InternalError"),
        Fault::Unavailable => status(503, "ServiceUnavailable"),
        // The answer to a HEAD has no document that could name a code.
        Fault::Throttled(None) if request == Some(Request::Head) => status(429, ""),
        Fault::Throttled(None) => status(503, "SlowDown"),
        Fault::Throttled(Some(pause)) => {
            FaultAction::Status { status: 429, code: "TooManyRequests".to_owned(), retry_after: Some(pause.as_secs()) }
        }
        Fault::Reset => FaultAction::Reset,
        Fault::LoseAnswer => FaultAction::ResetAfterRequest,
        Fault::CutBody(bytes) => FaultAction::CutBody(bytes as u64),
        Fault::TooLate => FaultAction::Delay(ANSWER * 3),
        Fault::Hang => FaultAction::Hang,
        Fault::ErrorInSuccess => FaultAction::ErrorInside200,
        Fault::Truncated(bytes) => FaultAction::TruncatedXml(bytes),
        Fault::IgnoreRange => FaultAction::IgnoreRange,
        Fault::Conflict => status(409, "ConditionalRequestConflict"),
        Fault::FlipByte if request == Some(Request::Get) => FaultAction::FlipByte,
        // What came damaged is noticed by its checksum.
        Fault::FlipByte => status(400, "BadDigest"),
    }
}

#[async_trait]
impl Service for S3Service {
    async fn fresh(&self) -> Fixture {
        self.fixture(false)
    }

    async fn hasty(&self) -> Fixture {
        self.fixture(true)
    }

    fn patience(&self) -> Patience {
        Patience { answer: ANSWER, operation: OPERATION, attempts: ATTEMPTS.into(), part_size: PART, page_size: 1000 }
    }

    fn inject(&self, fault: Fault, hits: Hits) {
        let mut injected =
            s3_test_server::Fault::new(action(fault, hits.request)).nth(hits.after + 1).times(hits.times);
        let operation = |request| OPERATIONS.iter().find(|(_, known)| *known == request).map(|(name, _)| *name);
        if let Some(request) = hits.request {
            injected = injected.on(operation(request).expect("an operation that can fail"));
        }
        if let Some((share, seed)) = hits.one_in {
            injected = injected.probability(1.0 / share as f64, seed);
        }
        self.server.inject(injected);
    }

    fn heal(&self) {
        self.server.clear_faults();
    }

    fn take_requests(&self) -> Requests {
        let counts = self.server.counts();
        self.server.reset_counts();
        let request =
            |name| OPERATIONS.iter().find(|(known, _)| *known == name).map_or(Request::Other, |(_, kind)| *kind);
        let mut requests = Requests::new();
        for (name, count) in counts.iter() {
            *requests.entry(request(name)).or_default() += count;
        }
        requests
    }

    async fn broken(&self, address: &str, mistake: Mistake) -> Option<Storage> {
        let address: Address = address.parse().unwrap();
        let mut options = options(self.kind, &address);
        match mistake {
            Mistake::WrongKey => options.credentials = Credentials::keys("suite-unknown", SECRET_KEY),
            Mistake::WrongSecret => options.credentials = Credentials::keys(ACCESS_KEY, WRONG_SECRET),
            Mistake::NoPermission => options.credentials = Credentials::keys(NOBODY, NOBODY_SECRET),
            Mistake::MissingRoot => options.bucket = "suite-no-such-bucket".to_owned(),
            Mistake::WrongRegion => options.region = Some("eu-west-1".to_owned()),
            Mistake::SkewedClock => options.endpoint = Some(self.skewed(&address.bucket).await),
            Mistake::ExpiredToken => {
                self.server.expire_tokens(true);
                options.credentials = Credentials::Keys {
                    access_key_id: GUEST.to_owned(),
                    secret_access_key: GUEST_SECRET.to_owned(),
                    session_token: Some(GUEST_TOKEN.to_owned()),
                };
            }
            // No port that a system gives away: one that was free a moment ago may be another server's by now.
            Mistake::NobodyListens => options.endpoint = Some("http://127.0.0.1:1".to_owned()),
            Mistake::NobodyAnswers => {
                let (listener, endpoint) = silent();
                self.keep(listener);
                options.endpoint = Some(endpoint);
            }
            Mistake::PlainHttp => options.endpoint = Some(address.endpoint.replace("http://", "https://")),
        }
        Some(open(options))
    }

    async fn fill(&self, address: &str, prefix: &str, objects: u64) {
        let address: Address = address.parse().unwrap();
        self.server.synthetic_objects(&address.bucket, &format!("{}{prefix}", address.prefix), objects, 7);
    }

    async fn plant(&self, address: &str, name: &str) -> bool {
        let address: Address = address.parse().unwrap();
        self.server.synthetic_object(&address.bucket, &format!("{}{name}", address.prefix), 0);
        true
    }

    fn secrets(&self) -> Vec<String> {
        [SECRET_KEY, NOBODY_SECRET, GUEST_SECRET, GUEST_TOKEN, WRONG_SECRET].map(str::to_owned).to_vec()
    }

    fn poison(&self, trap: &Trap<'_>) -> Vec<(String, String)> {
        let home = trap.directory.join(".aws");
        std::fs::create_dir_all(&home).unwrap();
        let config = format!(
            "[default]\nregion = mars-1\nendpoint_url = {0}\n[profile trapped]\nregion = mars-1\nendpoint_url = {0}\n",
            trap.url
        );
        let credentials = "[default]\naws_access_key_id = trapped\naws_secret_access_key = trapped\n\
                           [trapped]\naws_access_key_id = trapped\naws_secret_access_key = trapped\n";
        std::fs::write(home.join("config"), config).unwrap();
        std::fs::write(home.join("credentials"), credentials).unwrap();
        let file = |name: &str| home.join(name).to_str().unwrap().to_owned();
        let named = [
            ("HOME", trap.directory.to_str().unwrap().to_owned()),
            ("AWS_CONFIG_FILE", file("config")),
            ("AWS_SHARED_CREDENTIALS_FILE", file("credentials")),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", file("credentials")),
            ("AWS_ROLE_ARN", "arn:aws:iam::000000000000:role/trapped".to_owned()),
        ];
        let plain = [
            ("AWS_PROFILE", "trapped"),
            ("AWS_ACCESS_KEY_ID", "trapped"),
            ("AWS_SECRET_ACCESS_KEY", "trapped"),
            ("AWS_SESSION_TOKEN", "trapped"),
            ("AWS_REGION", "mars-1"),
            ("AWS_DEFAULT_REGION", "mars-1"),
        ];
        let urls = [
            "AWS_ENDPOINT_URL",
            "AWS_ENDPOINT_URL_S3",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "http_proxy",
            "https_proxy",
            "all_proxy",
        ];
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        let plain = plain.map(|(name, value)| (name, value.to_owned()));
        let urls = urls.map(|name| (name, trap.url.to_owned()));
        named.into_iter().chain(plain).chain(urls).map(owned).collect()
    }
}
