//! One request from the wire to its answer: named, befallen by faults, checked, done by the operations, recorded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, EXPECT, HeaderValue, RETRY_AFTER, SERVER};
use hyper::{Method, Request, Response};
use s3s::Body;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::validation::NameValidation;

use crate::answer::{AnswerBody, SharedBody};
use crate::auth::{Gate, Users};
use crate::clock::{Clock, http_date};
use crate::connection::{Control, Unanswered};
use crate::error::{Failure, standard_message};
use crate::faults::{FaultAction, Faults};
use crate::operation_name::operation_name;
use crate::operations::{Operations, Ours, RequestInfo, set};
use crate::options::ServerOptions;
use crate::record::{Log, Recorded};
use crate::store::Store;
use crate::target::Target;
use crate::xml::Node;

/// What all connections of a server share.
pub(crate) struct Service {
    pub(crate) options: Arc<ServerOptions>,
    pub(crate) store: Arc<Store>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) log: Log,
    pub(crate) clock: Clock,
    pub(crate) tokens_expired: AtomicBool,
    s3: S3Service,
}

/// All operations are routed past the trait of `s3s`, see [`Operations`].
struct NoTrait;

#[async_trait::async_trait]
impl s3s::S3 for NoTrait {}

/// Bucket names are judged by the operation that creates them.
struct AnyName;

impl NameValidation for AnyName {
    fn validate_bucket_name(&self, _: &str) -> bool {
        true
    }
}

/// A request's head, kept for the record.
struct Head {
    method: Method,
    target: String,
    headers: hyper::HeaderMap,
}

impl Service {
    pub(crate) fn new(options: ServerOptions) -> Self {
        let (options, store) = (Arc::new(options), Arc::new(Store::default()));
        let clock = Clock { offset: options.clock_offset };
        let mut config = S3Config::default();
        // The clock is checked before, by the server's own.
        config.presigned_url_max_skew_time_secs = u32::MAX;
        let mut builder = S3ServiceBuilder::new(NoTrait);
        builder.set_auth(Users(Arc::clone(&options)));
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        builder.set_validation(AnyName);
        builder.set_route(Operations { store: Arc::clone(&store), options: Arc::clone(&options), clock });
        Self {
            options,
            store,
            faults: Arc::default(),
            log: Log::default(),
            clock,
            tokens_expired: AtomicBool::new(false),
            s3: builder.build(),
        }
    }

    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        control: &Arc<Control>,
    ) -> Result<Response<AnswerBody>, Unanswered> {
        let head = Head {
            method: request.method().clone(),
            target: request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            headers: request.headers().clone(),
        };
        let target = Target::of(request.uri(), &head.headers, self.options.domain.as_deref());
        let valid = target.is_some();
        let target = target.unwrap_or_default();
        let operation = match valid {
            true => operation_name(&head.method, &target, &head.headers),
            false => crate::operation_name::UNKNOWN,
        };
        let mut info =
            RequestInfo { operation, target, request_id: format!("{:016X}", fastrand::u64(..)), ..Default::default() };
        let faults = self.faults.of(operation, info.target.key.as_deref());
        let (parts, body) = request.into_parts();
        let body = SharedBody::new(body);

        let early = self.before(&faults, &mut info, body.clone(), &head, control).await?;
        let info = Arc::new(info);
        let mut response = match early {
            Some(response) => response,
            None if !valid => {
                let failure = Failure::new(400, "InvalidURI", standard_message("InvalidURI"));
                failure.into_response("/", &info.request_id)
            }
            None => self.process(Request::from_parts(parts, Body::http_body(body.clone())), &info).await,
        };
        if !response.status().is_success() {
            if body.asked_for() || !head.headers.contains_key(EXPECT) {
                body.drain().await;
            } else {
                // The client may send its body now or not: nobody can tell where its next request begins.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
        }
        self.after(&faults, response, &info, head, control).await
    }

    /// Faults that strike before anything is done.
    async fn before(
        &self,
        faults: &[FaultAction],
        info: &mut RequestInfo,
        body: SharedBody,
        head: &Head,
        control: &Control,
    ) -> Result<Option<Response<Body>>, Unanswered> {
        for fault in faults {
            match fault {
                FaultAction::Delay(delay) => tokio::time::sleep(*delay).await,
                FaultAction::IgnoreRange => info.ignore_range = true,
                FaultAction::StaleList => info.stale_list = true,
                FaultAction::Status { status, code, retry_after } => {
                    body.drain().await;
                    let failure = Failure::new(*status, code.clone(), standard_message(code));
                    let mut response = failure.into_response(&info.target.resource(), &info.request_id);
                    if let Some(seconds) = retry_after {
                        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(*seconds));
                    }
                    return Ok(Some(response));
                }
                FaultAction::ErrorInside200 => {
                    body.drain().await;
                    let failure = Failure::new(200, "InternalError", standard_message("InternalError"));
                    return Ok(Some(failure.into_response(&info.target.resource(), &info.request_id)));
                }
                FaultAction::Reset => return Err(self.reset(info, head, control)),
                FaultAction::LoseResponseBeforeProcessing => {
                    body.drain().await;
                    return Err(self.reset(info, head, control));
                }
                FaultAction::Hang => {
                    self.record(info, head, None);
                    return std::future::pending().await;
                }
                FaultAction::ResetAfterRequest
                | FaultAction::CutBody(_)
                | FaultAction::WrongETag
                | FaultAction::TruncatedXml(_)
                | FaultAction::FlipByte
                | FaultAction::DropIdleConnections => {}
            }
        }
        Ok(None)
    }

    /// Checks and does the request.
    async fn process(&self, mut request: Request<Body>, info: &Arc<RequestInfo>) -> Response<Body> {
        let bucket_region = info
            .target
            .bucket
            .as_ref()
            .and_then(|name| self.store.all(|buckets| buckets.get(name).map(|bucket| bucket.region.clone())));
        let gate = Gate {
            options: &self.options,
            clock: self.clock,
            tokens_expired: self.tokens_expired.load(Ordering::SeqCst),
            bucket_region,
        };
        if let Err(failure) = gate.check(info.operation, &info.target, request.headers()) {
            return failure.into_response(&info.target.resource(), &info.request_id);
        }
        request.extensions_mut().insert(Arc::clone(info));
        match self.s3.call(request).await {
            Ok(response) if response.extensions().get::<Ours>().is_some() => response,
            Ok(response) => translated(response, info).await,
            Err(_) => Failure::new(500, "InternalError", standard_message("InternalError"))
                .into_response(&info.target.resource(), &info.request_id),
        }
    }

    /// Faults that strike when all is done, and what every answer has.
    async fn after(
        &self,
        faults: &[FaultAction],
        mut response: Response<Body>,
        info: &RequestInfo,
        head: Head,
        control: &Arc<Control>,
    ) -> Result<Response<AnswerBody>, Unanswered> {
        let (mut cut, mut closing) = (None, false);
        for fault in faults {
            match fault {
                FaultAction::ResetAfterRequest => return Err(self.reset(info, &head, control)),
                FaultAction::WrongETag => response = wrong_etag(response).await,
                FaultAction::TruncatedXml(length) => response = truncated(response, *length).await,
                FaultAction::FlipByte => response = flipped(response).await,
                FaultAction::CutBody(length) => cut = Some(*length),
                FaultAction::DropIdleConnections => closing = true,
                _ => {}
            }
        }
        let is_failure = !response.status().is_success();
        if head.method == Method::HEAD && is_failure {
            *response.body_mut() = Body::empty();
        }
        let headers = response.headers_mut();
        headers.insert(SERVER, HeaderValue::from_static("s3-test-server"));
        headers.insert("x-amz-id-2", HeaderValue::from_static("s3-test-server"));
        set(headers, "x-amz-request-id", &info.request_id);
        set(headers, "date", http_date(self.clock.now()));
        self.record(info, &head, Some(response.status().as_u16()));
        let cut = cut.filter(|_| head.method != Method::HEAD);
        Ok(response.map(|body| {
            let body = AnswerBody::new(body).cut(cut);
            if closing { body.closing(Arc::clone(control)) } else { body }
        }))
    }

    fn reset(&self, info: &RequestInfo, head: &Head, control: &Control) -> Unanswered {
        self.record(info, head, None);
        control.reset();
        Unanswered
    }

    fn record(&self, info: &RequestInfo, head: &Head, status: Option<u16>) {
        let recorded = Recorded {
            operation: info.operation,
            method: head.method.as_str().to_owned(),
            target: head.target.clone(),
            headers: head.headers.clone(),
            status,
            request_id: info.request_id.clone(),
        };
        if let Some(callback) = &self.options.on_request {
            callback(&recorded);
        }
        self.log.add(recorded);
    }
}

/// An error document of `s3s`, as S3 would have it.
async fn translated(response: Response<Body>, info: &RequestInfo) -> Response<Body> {
    let status = response.status().as_u16();
    let document = bytes(response.into_body()).await;
    let error = Node::parse(&document, "Error").unwrap_or_default();
    let code = error.get("Code").unwrap_or("InternalError").to_owned();
    let message = match error.get("Message") {
        Some(message) if standard_message(&code) == standard_message("") => message.to_owned(),
        _ => standard_message(&code).to_owned(),
    };
    Failure::new(status, code, message).into_response(&info.target.resource(), &info.request_id)
}

async fn wrong_etag(mut response: Response<Body>) -> Response<Body> {
    const WRONG: &str = "\"00000000000000000000000000000bad\"";
    if response.headers().contains_key(ETAG) {
        response.headers_mut().insert(ETAG, HeaderValue::from_static(WRONG));
        return response;
    }
    if !is_document(&response) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let text = String::from_utf8_lossy(&bytes(body).await).into_owned();
    let replaced = text.split_once("<ETag>").and_then(|(before, rest)| {
        let (_, after) = rest.split_once("</ETag>")?;
        Some(format!("{before}<ETag>{WRONG}</ETag>{after}"))
    });
    Response::from_parts(parts, Body::from(replaced.unwrap_or(text)))
}

async fn truncated(response: Response<Body>, length: usize) -> Response<Body> {
    if !is_document(&response) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    let mut document = bytes(body).await;
    document.truncate(length);
    Response::from_parts(parts, Body::from(document))
}

async fn flipped(response: Response<Body>) -> Response<Body> {
    let (parts, body) = response.into_parts();
    let mut content = bytes(body).await;
    if let Some(byte) = content.first_mut() {
        *byte ^= 1;
    }
    Response::from_parts(parts, Body::from(content))
}

fn is_document(response: &Response<Body>) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/xml")
}

async fn bytes(body: Body) -> Vec<u8> {
    body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default()
}
