//! What a failure is to the caller: its kind, and which setting to look at (rules E01–E05).

mod service;

use storage_core::{Error, ErrorKind};

use crate::client::{Cause, Effect, Failure, endpoint_url};
use crate::options::S3Options;

/// The error of a failure. A write of which an attempt is in doubt is `OutcomeUnknown`, whatever came after it; one of
/// which nothing left this machine says so ([`Error::is_unsent`]).
pub(crate) fn explain(failure: Failure, options: &S3Options) -> Error {
    let error = match &failure.cause {
        Cause::Answer(answer) => service::explain(failure.operation, answer, options),
        Cause::Credentials(_) => credentials(&failure.cause),
        cause => transport(cause, options),
    };
    let error = match error.help() {
        None if error.is_retryable() => error.with_help("try again later; where it stays, look at the service itself"),
        _ => error,
    };
    let error = match failure.effect {
        Effect::Unknown => in_doubt(error),
        Effect::Unsent => error.unsent(),
        Effect::None => error,
    };
    error.with_source(failure)
}

fn in_doubt(error: Error) -> Error {
    let message = format!("the write was sent, and whether it happened is not known: {}", error.message());
    error
        .with_kind(ErrorKind::OutcomeUnknown)
        .with_message(message)
        .with_help("read the object to see what is there before writing it again")
}

fn credentials(cause: &Cause) -> Error {
    Error::new(ErrorKind::Unauthenticated, cause.to_string()).with_help(
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or STORAGE_S3_ANONYMOUS=true for a public bucket",
    )
}

fn transport(cause: &Cause, options: &S3Options) -> Error {
    let url = endpoint_url(options);
    let at = |kind, what: &str| Error::new(kind, format!("{url}: {what}"));
    match cause {
        Cause::Resolve(_) => at(ErrorKind::Unavailable, &cause.to_string())
            .with_help("check the host name in AWS_ENDPOINT_URL (without one, AWS_REGION) and the network"),
        Cause::Connect(_) => at(ErrorKind::Unavailable, &cause.to_string())
            .with_help(format!("check that the service runs there, or correct AWS_ENDPOINT_URL{}", proxy(options))),
        Cause::Timeout(..) => at(ErrorKind::Timeout, &cause.to_string()).with_help(format!(
            "check that AWS_ENDPOINT_URL is an S3 service that can be reached from here{}, or allow more time",
            proxy(options)
        )),
        Cause::Tls(error) => tls(error.as_ref(), &url, cause),
        Cause::NotHttp(_) => at(ErrorKind::Configuration, &cause.to_string())
            .with_help("the service may speak TLS: write https:// in AWS_ENDPOINT_URL, or set STORAGE_S3_USE_SSL=true"),
        Cause::Broken(_) => at(ErrorKind::Unavailable, &cause.to_string()),
        _ => at(ErrorKind::Unavailable, &format!("the answer is not what the S3 API says: {cause}"))
            .with_help("check that AWS_ENDPOINT_URL is an S3 service"),
    }
}

fn proxy(options: &S3Options) -> &'static str {
    if options.proxy.is_some() { " and STORAGE_S3_PROXY" } else { "" }
}

fn tls(error: &(dyn std::error::Error + Send + Sync + 'static), url: &str, cause: &Cause) -> Error {
    let found = |error: &(dyn std::error::Error + 'static)| error.downcast_ref::<rustls::Error>().cloned();
    let io = error.downcast_ref::<std::io::Error>();
    let inner = io.and_then(|io| io.get_ref()).and_then(|inner| found(inner)).or_else(|| found(error));
    let inner = inner.or_else(|| error.source().and_then(found));
    let message = format!("{url}: {cause}");
    let error = Error::new(ErrorKind::Configuration, message);
    match inner {
        Some(rustls::Error::InvalidCertificate(_)) => error.with_help(
            "name the authority that signed the certificate in AWS_CA_BUNDLE, or correct the host in AWS_ENDPOINT_URL",
        ),
        _ => error.with_help(
            "the service may not speak TLS: write http:// in AWS_ENDPOINT_URL, or set STORAGE_S3_USE_SSL=false; \
             AWS_CA_BUNDLE names authorities to trust",
        ),
    }
}

#[cfg(test)]
mod tests;
