//! An S3 server that fails when it is told to, and peers' handles that have something wrong with them.

use std::any::Any;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

use conformance_tests::{Fault, Fixture, Hits, Mistake, Patience, Request, Requests, Service, Trap, async_trait};
use s3_test_server::{FaultAction, S3Server, ServerOptions, User};
use storage_core::Storage;

use crate::opened::{self, ACCESS_KEY, ANSWER, ATTEMPTS, Bucket, Library, OPERATION, SECRET_KEY};
use crate::roots::number;

/// A user who may do nothing, and one whose session is over.
const NOBODY: (&str, &str) = ("suite-nobody", "canary/SecretKey+of.nobody/9876543210abc");
const GUEST: (&str, &str) = ("suite-guest", "canary/SecretKey+of.a.guest/5555555555xyz");
const GUEST_TOKEN: &str = "canary+session/token=of.a.guest+whose.session/is.over";
const WRONG_SECRET: &str = "canary/SecretKey+that.is/wrong+0000000000";

/// The pieces in which both libraries write to S3 unless told otherwise.
const PART: usize = 5 << 20;

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

/// A server of its own for one rule.
pub struct S3Service {
    library: Library,
    server: S3Server,
    /// Further servers and listeners that broken handles lead to.
    kept: Mutex<Vec<Box<dyn Any + Send>>>,
}

impl S3Service {
    pub async fn start(library: Library) -> Self {
        let denied = OPERATIONS.iter().map(|(name, _)| *name).chain(["HeadBucket", "ListBuckets", "GetBucketLocation"]);
        let options = ServerOptions::new()
            .credentials(ACCESS_KEY, SECRET_KEY)
            .user(NOBODY.0, User::new(NOBODY.1).deny(denied))
            .user(GUEST.0, User::new(GUEST.1).session_token(GUEST_TOKEN));
        let server = S3Server::start(options).await.expect("a free port");
        Self { library, server, kept: Mutex::default() }
    }

    fn fixture(&self, hasty: bool) -> Fixture {
        let name = format!("suite-{}", number());
        self.server.create_bucket(&name);
        let bucket = Bucket { hasty, ..Bucket::new(self.server.endpoint(), name) };
        Fixture::new(opened::bucket(self.library, &bucket), bucket.address())
    }

    fn keep(&self, value: impl Any + Send) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(value));
    }

    /// The endpoint of a server with a bucket of this name whose clock is two hours ahead.
    async fn skewed(&self, bucket: &str) -> String {
        let options = ServerOptions::new().credentials(ACCESS_KEY, SECRET_KEY).clock_offset(7200);
        let server = S3Server::start(options).await.expect("a free port");
        server.create_bucket(bucket);
        let endpoint = server.endpoint();
        self.keep(server);
        endpoint
    }
}

/// An endpoint that takes connections and says nothing.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("a bound port"));
    (listener, endpoint)
}

fn action(fault: Fault, request: Option<Request>) -> FaultAction {
    let status = |status, code: &str| FaultAction::Status { status, code: code.to_owned(), retry_after: None };
    match fault {
        Fault::Internal => status(500, "InternalError"),
        Fault::Unavailable => status(503, "ServiceUnavailable"),
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
        Patience { answer: ANSWER, operation: OPERATION, attempts: ATTEMPTS as u64, part_size: PART, page_size: 1000 }
    }

    fn inject(&self, fault: Fault, hits: Hits) {
        let mut injected =
            s3_test_server::Fault::new(action(fault, hits.request)).nth(hits.after + 1).times(hits.times);
        if let Some((name, _)) = OPERATIONS.iter().find(|(_, known)| Some(*known) == hits.request) {
            injected = injected.on(*name);
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
        let mut requests = Requests::new();
        for (name, count) in counts.iter() {
            let request = OPERATIONS.iter().find(|(known, _)| *known == name).map_or(Request::Other, |(_, kind)| *kind);
            *requests.entry(request).or_default() += count;
        }
        requests
    }

    async fn broken(&self, address: &str, mistake: Mistake) -> Option<Storage> {
        let mut bucket: Bucket = address.parse().expect("a bucket");
        let user = |bucket: &mut Bucket, (key, secret): (&str, &str)| {
            (bucket.access_key, bucket.secret_key) = (key.to_owned(), secret.to_owned());
        };
        match mistake {
            Mistake::WrongKey => bucket.access_key = "suite-unknown".to_owned(),
            Mistake::WrongSecret => bucket.secret_key = WRONG_SECRET.to_owned(),
            Mistake::NoPermission => user(&mut bucket, NOBODY),
            Mistake::MissingRoot => bucket.name = "suite-no-such-bucket".to_owned(),
            Mistake::WrongRegion => bucket.region = "eu-west-1".to_owned(),
            Mistake::SkewedClock => bucket.endpoint = self.skewed(&bucket.name).await,
            Mistake::ExpiredToken => {
                self.server.expire_tokens(true);
                user(&mut bucket, GUEST);
                bucket.token = Some(GUEST_TOKEN.to_owned());
            }
            // No port that a system gives away: one that was free a moment ago may be another server's by now.
            Mistake::NobodyListens => bucket.endpoint = "http://127.0.0.1:1".to_owned(),
            Mistake::NobodyAnswers => {
                let (listener, endpoint) = silent();
                self.keep(listener);
                bucket.endpoint = endpoint;
            }
            Mistake::PlainHttp => bucket.endpoint = bucket.endpoint.replace("http://", "https://"),
        }
        Some(opened::bucket(self.library, &bucket))
    }

    async fn fill(&self, address: &str, prefix: &str, objects: u64) {
        let bucket: Bucket = address.parse().expect("a bucket");
        self.server.synthetic_objects(&bucket.name, prefix, objects, 7);
    }

    fn secrets(&self) -> Vec<String> {
        [SECRET_KEY, NOBODY.1, GUEST.1, GUEST_TOKEN, WRONG_SECRET].map(str::to_owned).to_vec()
    }

    fn poison(&self, trap: &Trap<'_>) -> Vec<(String, String)> {
        let directory = trap.directory.to_str().expect("a path of text");
        let profile = format!("[default]\nregion = mars-1\nendpoint_url = {}\n", trap.url);
        let keys = "[default]\naws_access_key_id = trapped\naws_secret_access_key = trapped\n";
        std::fs::write(trap.directory.join("config"), profile).expect("a file");
        std::fs::write(trap.directory.join("credentials"), keys).expect("a file");
        let variables = [
            ("HOME", directory.to_owned()),
            ("AWS_CONFIG_FILE", format!("{directory}/config")),
            ("AWS_SHARED_CREDENTIALS_FILE", format!("{directory}/credentials")),
            ("AWS_ACCESS_KEY_ID", "trapped".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "trapped".to_owned()),
            ("AWS_SESSION_TOKEN", "trapped".to_owned()),
            ("AWS_REGION", "mars-1".to_owned()),
            ("AWS_DEFAULT_REGION", "mars-1".to_owned()),
            ("AWS_ENDPOINT_URL", trap.url.to_owned()),
            ("AWS_ENDPOINT_URL_S3", trap.url.to_owned()),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", trap.url.to_owned()),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", trap.url.to_owned()),
        ];
        variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}
