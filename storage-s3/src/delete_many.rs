//! Deleting many objects: DeleteObjects, up to 1,000 names a request (rules D03, D04).

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use http::{HeaderName, HeaderValue, Method};
use md5::{Digest, Md5};
use storage_core::*;

use crate::body::pause;
use crate::client::{AnswerBody, Cause, Effect, Expect, Failure, ServiceError, Target};
use crate::core::Core;
use crate::delete::{is_missing, remove};
use crate::list::{self, raw_page};
use crate::round::{CIRCLE, Round};
use crate::xml::Elements;

/// The most names of one request (S3 API, "DeleteObjects").
const BATCH: usize = 1000;

/// How many requests are under way at once.
const REQUESTS: usize = 4;

/// How many deletes of one name each are, where the service takes no more in one request.
const SINGLE_REQUESTS: usize = 16;

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// Deletes objects. One request for each 1,000 different keys, four at once; each key has its own result. Fails as a
/// whole where no request succeeded.
pub(crate) async fn delete_many(core: &Arc<Core>, keys: Vec<Key>) -> Result<Vec<Result<()>>> {
    let mut seen = HashSet::new();
    let names: Vec<String> = keys.iter().filter(|key| seen.insert(*key)).map(|key| core.name(key)).collect();
    let batches = names.chunks(BATCH).map(|batch| delete_batch(core, batch.to_vec()));
    let batches: Vec<_> = stream::iter(batches.collect::<Vec<_>>()).buffered(REQUESTS).collect().await;
    let worked = batches.iter().any(Result::is_ok);
    let mut outcomes: HashMap<String, Option<Error>> = HashMap::with_capacity(names.len());
    for (batch, names) in batches.into_iter().zip(names.chunks(BATCH)) {
        match batch {
            Ok(outcome) => outcomes.extend(names.iter().cloned().zip(outcome)),
            Err(error) if !worked => return Err(error),
            Err(error) => outcomes.extend(names.iter().map(|name| (name.clone(), Some(again(&error))))),
        }
    }
    Ok(keys
        .iter()
        .map(|key| match outcomes.get(&core.name(key)) {
            Some(Some(error)) => Err(again(error)),
            _ => Ok(()),
        })
        .collect())
}

/// Deletes everything under a prefix, markers and names that no key can express included, and counts the objects. One
/// request for each 1,000 names to list them, and one to delete them, four at once.
pub(crate) async fn delete_prefix(core: &Arc<Core>, prefix: &Prefix) -> Result<u64> {
    let whole = format!("{}{prefix}", core.root);
    let first = (Arc::clone(core), whole, Some(None), Round::new());
    let pages = stream::try_unfold(first, |(core, whole, token, mut round): Unfolding| async {
        let Some(token) = token else { return Ok(None) };
        let first = token.is_none();
        let page = raw_page(&core, &whole, token).await.map_err(|error| if first { error } else { error.sent() })?;
        if page.next.as_ref().is_some_and(|next| round.closes(next)) {
            return Err(list::malformed(&core, "ListObjectsV2", CIRCLE.to_owned()));
        }
        Ok::<_, Error>(Some(((Arc::clone(&core), page.names), (core, whole, page.next.map(Some), round))))
    });
    // Other pages may have been deleted by then: to ask for the whole again would count less than there was.
    let deleted = pages
        .map_ok(|(core, names)| async { delete_all(core, names).await.map_err(Error::sent) })
        .try_buffered(REQUESTS);
    deleted.try_fold(0, |count, objects| std::future::ready(Ok(count + objects))).await
}

/// The names under a prefix page by page: the prefix, and what the next page is asked for with.
type Unfolding = (Arc<Core>, String, Option<Option<String>>, Round<String>);

/// Deletes names, and counts the objects among them: a name that ends in `/` is a marker.
async fn delete_all(core: Arc<Core>, names: Vec<String>) -> Result<u64> {
    for batch in names.chunks(BATCH) {
        if let Some(error) = delete_batch(&core, batch.to_vec()).await?.into_iter().flatten().next() {
            return Err(error);
        }
    }
    Ok(names.iter().filter(|name| !name.ends_with('/')).count() as u64)
}

/// Deletes up to 1,000 different names; what went wrong with each, in their order.
async fn delete_batch(core: &Core, names: Vec<String>) -> Result<Vec<Option<Error>>> {
    let mut errors: HashMap<&str, Error> = HashMap::new();
    let (mut left, odd): (Vec<&str>, Vec<&str>) = names.iter().map(String::as_str).partition(|name| is_xml(name));
    for name in odd {
        if let Err(error) = remove(core, Target::Object(name.to_owned()), None, None).await {
            errors.insert(name, error);
        }
    }
    for attempt in 1.. {
        if left.is_empty() {
            break;
        }
        let failed = match request(core, &left).await {
            Ok(failed) => failed,
            Err(failure) if is_unknown_operation(&failure) => one_by_one(core, &left).await,
            Err(failure) => return Err(core.error(failure)),
        };
        let last = attempt >= core.options.retries.attempts;
        left.clear();
        for (name, failure) in failed {
            if !last && is_passing(failure.code()) {
                left.push(name);
            } else {
                errors.insert(name, core.error(failure).with_key(name));
            }
        }
        if !left.is_empty() {
            pause(core, attempt - 1).await;
        }
    }
    Ok(names.iter().map(|name| errors.remove(name.as_str())).collect())
}

/// One DeleteObjects: the names that are not deleted, and why.
async fn request<'a>(core: &Core, names: &[&'a str]) -> Result<Vec<(&'a str, Failure)>, Failure> {
    let document = Bytes::from(document(names));
    let sum = STANDARD.encode(Md5::digest(&document));
    let mut request = core
        .request("DeleteObjects", Method::POST, Target::Bucket, Expect::Document("DeleteResult"))
        .query("delete", "")
        .body(vec![document]);
    if let Ok(sum) = HeaderValue::try_from(sum) {
        request = request.header(CONTENT_MD5, sum);
    }
    let answer = core.client.send(request).await?;
    let AnswerBody::Document(answer) = answer.body else { return Err(malformed("it has no document")) };
    let mut results = results(&answer).map_err(malformed)?;
    let failed = names.iter().filter_map(|name| match results.remove(*name) {
        Some(None) => None,
        Some(Some(error)) if matches!(&*error.code, "NoSuchKey" | "NoSuchVersion") => None,
        Some(Some(error)) => Some((*name, failure(Cause::Answer(Box::new(error)), Effect::None))),
        None => {
            let cause = Cause::Malformed("it says nothing of this key".to_owned());
            Some((*name, failure(cause, Effect::Unknown)))
        }
    });
    Ok(failed.collect())
}

/// Whether the service has no DeleteObjects.
fn is_unknown_operation(failure: &Failure) -> bool {
    matches!(failure.status(), Some(405 | 501)) || matches!(failure.code(), "NotImplemented" | "MethodNotAllowed")
}

/// One DeleteObject for each name: those that are not deleted, and why.
async fn one_by_one<'a>(core: &Core, names: &[&'a str]) -> Vec<(&'a str, Failure)> {
    let deletes = names.iter().map(|name| {
        let target = Target::Object((*name).to_owned());
        core.client.send(core.request("DeleteObject", Method::DELETE, target, Expect::Nothing))
    });
    let answers: Vec<_> = stream::iter(deletes.collect::<Vec<_>>()).buffered(SINGLE_REQUESTS).collect().await;
    let failed = names.iter().zip(answers).filter_map(|(name, answer)| Some((*name, answer.err()?)));
    failed.filter(|(_, failure)| !is_missing(failure)).collect()
}

/// What became of each name that the answer speaks of.
fn results(document: &[u8]) -> Result<HashMap<String, Option<ServiceError>>, String> {
    let mut results = HashMap::new();
    let mut elements = Elements::new(document, "DeleteResult")?;
    while let Some(element) = elements.next()? {
        let failed = match element {
            "Deleted" => false,
            "Error" => true,
            _ => {
                elements.skip()?;
                continue;
            }
        };
        let (mut key, mut error) = (None, ServiceError::default());
        while let Some(field) = elements.next()? {
            match field {
                "Key" => key = Some(elements.text()?.into_owned()),
                "Code" => error.code = elements.text()?.into_owned(),
                "Message" => error.message = elements.text()?.into_owned(),
                _ => elements.skip()?,
            }
        }
        error.status = status(&error.code);
        results.insert(key.ok_or("a result has no Key")?, failed.then_some(error));
    }
    Ok(results)
}

/// The status that the code has where an answer is about one object (S3 API, "Error responses").
fn status(code: &str) -> u16 {
    match code {
        "AccessDenied" => 403,
        "NoSuchKey" | "NoSuchVersion" | "NoSuchBucket" => 404,
        "SlowDown" | "ServiceUnavailable" => 503,
        "InternalError" => 500,
        _ => 400,
    }
}

fn is_passing(code: &str) -> bool {
    matches!(code, "SlowDown" | "ServiceUnavailable" | "InternalError")
}

fn document(names: &[&str]) -> String {
    let mut document = String::from("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for name in names {
        document.push_str("<Object><Key>");
        document.push_str(&escaped(name));
        document.push_str("</Key></Object>");
    }
    document.push_str("</Delete>");
    document
}

/// A name as the text of an element; a parser would take line ends and tabs that stand there bare for other white space.
fn escaped(name: &str) -> Cow<'_, str> {
    if !name.contains(['&', '<', '>', '"', '\'', '\t', '\n', '\r']) {
        return Cow::Borrowed(name);
    }
    let mut escaped = String::with_capacity(name.len() + 16);
    for c in name.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' => escaped.push_str("&#9;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

/// Whether a document can hold the name (XML 1.0, section 2.2); one that it cannot hold is deleted by its path.
fn is_xml(name: &str) -> bool {
    name.chars()
        .all(|c| !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}'))
}

/// The same error for another key.
fn again(error: &Error) -> Error {
    let same = Error::new(error.kind(), error.message().to_owned());
    match error.help() {
        Some(help) => same.with_help(help.to_owned()),
        None => same,
    }
}

fn malformed(what: impl Into<String>) -> Failure {
    failure(Cause::Malformed(what.into()), Effect::Unknown)
}

fn failure(cause: Cause, effect: Effect) -> Failure {
    Failure { operation: "DeleteObjects", cause, effect }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_text() {
        let names = ["</Key></Object></Delete>", "a&amp;b", "\"'", " a ", "\t\n\r", "世界"];
        let document = document(&names);
        assert_eq!(document.matches("</Object>").count(), names.len());
        let mut elements = Elements::new(document.as_bytes(), "Delete").unwrap();
        let mut read = Vec::new();
        while elements.next().unwrap().is_some() {
            assert_eq!(elements.next(), Ok(Some("Key")));
            read.push(elements.text().unwrap().into_owned());
            assert_eq!(elements.next(), Ok(None));
        }
        assert_eq!(read, names);
        assert!(!is_xml("a\u{1}b"));
    }

    #[test]
    fn results_are_told_by_their_keys() {
        let results = results(
            b"<DeleteResult><Error><Code>AccessDenied</Code><Key>b&amp;c</Key><Message>no</Message></Error>\
              <Deleted><Key>a</Key><VersionId>1</VersionId></Deleted><Other/></DeleteResult>",
        );
        let results = results.unwrap();
        assert!(results["a"].is_none());
        let denied = results["b&c"].as_ref().unwrap();
        assert_eq!((denied.status, &*denied.code, &*denied.message), (403, "AccessDenied", "no"));
        assert_eq!(results.len(), 2);
    }
}
