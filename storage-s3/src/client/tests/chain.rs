//! Credentials that the machine offers: each source, fetched once, from nowhere but what the options say.

use std::fs;
use std::time::Instant;

use futures::future::join_all;

use super::server::{answer, header};
use super::*;
use crate::options::ChainOptions;

fn service() -> Server {
    Server::always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
}

fn chained(server: &Server, environment: &[(&str, String)]) -> Client {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let chain = ChainOptions { environment };
    client(server, |options| options.credentials = Credentials::Chain(chain))
}

fn key_id(server: &Server) -> String {
    let head = server.heads().pop().unwrap();
    let authorization = header(&head, "authorization").unwrap();
    authorization.split_once("Credential=").unwrap().1.split('/').next().unwrap().to_owned()
}

/// An answer with keys that are good for an hour, as the metadata services of containers and instances give it.
fn keys(id: &str) -> String {
    keys_for(id, 3_600)
}

fn keys_for(id: &str, seconds: i64) -> String {
    let end = reqsign_core::time::Timestamp::now().as_second() + seconds;
    let end = reqsign_core::time::Timestamp::from_second(end).unwrap().format_rfc3339_zulu();
    format!(
        "{{\"Code\":\"Success\",\"AccessKeyId\":\"{id}\",\"SecretAccessKey\":\"hunter2\",\"Token\":\"t\",\
         \"RoleArn\":\"arn:aws:iam::1:role/x\",\"Expiration\":\"{end}\"}}"
    )
}

#[tokio::test]
async fn a_profile_s_file_is_found_by_the_options_alone() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".aws")).unwrap();
    let file = "[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = a\n\
                [work]\naws_access_key_id = WORK\naws_secret_access_key = b\naws_session_token = c\n";
    fs::write(home.path().join(".aws/credentials"), file).unwrap();
    let server = service();
    let home = ("HOME", home.path().display().to_string());
    chained(&server, std::slice::from_ref(&home)).send(put("a", "")).await.unwrap();
    assert_eq!(key_id(&server), "DEFAULT");
    chained(&server, &[home, ("AWS_PROFILE", "work".to_owned())]).send(put("a", "")).await.unwrap();
    assert_eq!(key_id(&server), "WORK");
    assert_eq!(header(&server.heads()[1], "x-amz-security-token"), Some("c"));
}

/// Those who ask while keys are fetched wait for the same ones.
#[tokio::test]
async fn a_container_s_role_is_fetched_once() {
    let (server, keys) = (service(), keys("CONTAINER"));
    let metadata = Server::start(move |_, mut peer| {
        peer.request();
        peer.send(answer("200 OK", "", &keys));
    });
    let uri = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{}/role", metadata.address));
    let token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "please".to_owned());
    let client = chained(&server, &[uri, token, ("AWS_EC2_METADATA_DISABLED", "true".to_owned())]);
    for answer in join_all((0..10).map(|_| client.send(put("a", "")))).await {
        answer.unwrap();
    }
    assert_eq!((key_id(&server), metadata.heads().len()), ("CONTAINER".to_owned(), 1));
    assert_eq!(header(&metadata.heads()[0], "authorization"), Some("please"));
}

#[tokio::test]
async fn an_instance_s_role_is_fetched_from_its_metadata_service() {
    let (server, keys) = (service(), keys("INSTANCE"));
    let metadata = Server::start(move |_, mut peer| {
        let head = peer.request().unwrap();
        match head.split(' ').nth(1).unwrap() {
            "/latest/api/token" => peer.send(answer("200 OK", "", "token")),
            "/latest/meta-data/iam/security-credentials/" => peer.send(answer("200 OK", "", "role")),
            _ => peer.send(answer("200 OK", "", &keys)),
        }
    });
    let endpoint = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", format!("http://{}", metadata.address));
    chained(&server, &[endpoint]).send(put("a", "")).await.unwrap();
    assert_eq!((key_id(&server), metadata.heads().len()), ("INSTANCE".to_owned(), 3));
}

/// Nothing is there: what was tried is said, soon, and nothing was sent to the service.
#[tokio::test]
async fn a_machine_without_credentials_says_what_was_tried() {
    let server = service();
    let silent = Server::start(|_, peer| peer.closed());
    let endpoint = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", format!("http://{}", silent.address));
    let start = Instant::now();
    let failure = chained(&server, &[endpoint]).send(put("a", "")).await.err().unwrap();
    assert!(matches!(failure.cause, Cause::Credentials(_)), "{failure:?}");
    assert_eq!((failure.effect, server.connections()), (Effect::Unsent, 0));
    for source in ["profile", "single sign-on", "web identity", "container", "instance"] {
        assert!(failure.to_string().contains(source), "{failure}");
    }
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

/// Whoever names a profile is never taken for somebody else, whom the machine would offer.
#[tokio::test]
async fn a_profile_that_is_not_there_is_an_error() {
    let (server, keys) = (service(), keys("CONTAINER"));
    let metadata = Server::start(move |_, mut peer| {
        peer.request();
        peer.send(answer("200 OK", "", &keys));
    });
    let uri = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{}/role", metadata.address));
    let client = chained(&server, &[uri, ("AWS_PROFILE", "prod".to_owned())]);
    let failure = client.send(put("a", "")).await.err().unwrap();
    assert!(matches!(failure.cause, Cause::Credentials(_)), "{failure:?}");
    assert!(failure.to_string().contains("AWS_PROFILE names \"prod\""), "{failure}");
    assert_eq!((metadata.connections(), server.connections()), (0, 0));
}

/// Keys that end soon are used while their source is away: one caller waits for it, and none after that for a while.
#[tokio::test]
async fn a_source_that_is_away_delays_nobody_whose_keys_are_good() {
    let (server, soon) = (service(), keys_for("SOON", 100));
    let metadata = Server::start(move |number, mut peer| {
        peer.request();
        match number {
            0 => peer.send(answer("200 OK", "", &soon)),
            _ => peer.reset(),
        }
    });
    let uri = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{}/role", metadata.address));
    let client = chained(&server, &[uri, ("AWS_EC2_METADATA_DISABLED", "true".to_owned())]);
    client.send(put("a", "")).await.unwrap();
    for answer in join_all((0..50).map(|_| client.send(put("a", "")))).await {
        answer.unwrap();
    }
    assert_eq!((key_id(&server), metadata.connections()), ("SOON".to_owned(), 1), "they were fetched a moment ago");
}

/// Keys of a file that has been renewed since are read again, once.
#[tokio::test]
async fn a_file_s_keys_that_have_ended_are_read_again() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".aws")).unwrap();
    let write = |id: &str| {
        let file = format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = a\naws_session_token = c\n");
        fs::write(home.path().join(".aws/credentials"), file).unwrap();
    };
    write("OLD");
    let server = Server::start(move |_, mut peer| {
        while let Some(head) = peer.request() {
            match head.contains("Credential=OLD") {
                true => peer.send(answer("400 Bad Request", "", "<Error><Code>ExpiredToken</Code></Error>")),
                false => peer.send(answer("200 OK", "", "")),
            }
        }
    });
    let client = chained(&server, &[("HOME", home.path().display().to_string())]);
    let failure = client.send(put("a", "")).await.err().unwrap();
    assert_eq!((failure.code(), server.heads().len()), ("ExpiredToken", 2), "the file said the same again");
    write("NEW");
    client.send(put("a", "")).await.unwrap();
    assert_eq!((key_id(&server), server.heads().len()), ("NEW".to_owned(), 4));
    client.send(put("a", "")).await.unwrap();
    assert_eq!(server.heads().len(), 5);
}
