//! The client against servers that do what the tests say, byte for byte.

mod chain;
mod connections;
mod faults;
mod regions;
mod server;
mod tls;

use std::time::Duration;

use futures::TryStreamExt;
use http::Method;

use super::*;
use crate::options::Credentials;
use server::Server;

/// A client of a server, quick to give up and to repeat.
fn client(server: &Server, change: impl FnOnce(&mut S3Options)) -> Client {
    let mut options = S3Options::new("data");
    options.endpoint = Some(format!("http://{}", server.address));
    options.credentials = Credentials::keys("AKIDEXAMPLE", "hunter2");
    options.timeouts.connect = Duration::from_secs(5);
    options.timeouts.answer = Duration::from_secs(5);
    options.timeouts.operation = Duration::from_secs(20);
    options.retries.base = Duration::from_millis(1);
    change(&mut options);
    Client::new(&options).unwrap()
}

fn object(name: &str) -> Target {
    Target::Object(name.to_owned())
}

fn get(name: &str) -> Request {
    Request::new("GetObject", Method::GET, object(name), Expect::Content)
}

fn put(name: &str, content: impl Into<bytes::Bytes>) -> Request {
    Request::new("PutObject", Method::PUT, object(name), Expect::Nothing).body(vec![content.into()])
}

fn list() -> Request {
    Request::new("ListObjectsV2", Method::GET, Target::Bucket, Expect::Document("ListBucketResult"))
}

async fn content(answer: Answer) -> Result<Vec<u8>, Failure> {
    let AnswerBody::Content(stream) = answer.body else { panic!("no content") };
    stream
        .try_fold(Vec::new(), |mut whole, bytes| async move {
            whole.extend_from_slice(&bytes);
            Ok(whole)
        })
        .await
}
