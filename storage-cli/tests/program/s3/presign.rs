//! `storage presign`, and what somebody without keys does with its URLs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use s3_test_server::{S3Server, ServerOptions};

use super::place::Place;

/// Makes a request as any program could: the status, and the body.
fn ask(server: &S3Server, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let target = url.strip_prefix(&server.endpoint()).unwrap();
    let mut request = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", server.address());
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The URL that the program prints, alone on standard output.
fn url(s3: &Place, args: &[&str]) -> String {
    let run = s3.run(&[&["presign"], args].concat());
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.err.lines().all(|line| line.starts_with("note: ")), "{run:?}");
    let url = run.out.strip_suffix('\n').unwrap();
    assert!(!url.contains(char::is_whitespace) && !url.contains(s3.server.secret_key()), "{url}");
    url.to_owned()
}

#[test]
fn whoever_holds_the_url_does_the_one_thing() {
    let s3 = Place::new();
    s3.run(&["cp", "README.md", "@data/a b%+#?.md"]).ok();
    let get = url(&s3, &["@data/a b%+#?.md"]);
    assert_eq!(ask(&s3.server, "GET", &get, &[], ""), (200, "read me\n".to_owned()));
    assert_eq!(ask(&s3.server, "PUT", &get, &[], "x").0, 403, "it is for GET");
    let head = url(&s3, &["--method", "head", "@data/a b%+#?.md"]);
    assert_eq!(ask(&s3.server, "HEAD", &head, &[], ""), (200, String::new()));
    let put = url(&s3, &["--method", "put", "s3://my-bucket/new"]);
    assert_eq!(ask(&s3.server, "PUT", &put, &[], "from outside").0, 200);
    assert_eq!(s3.run(&["cat", "s3://my-bucket/new"]).ok().out, "from outside");
    let delete = url(&s3, &["--method", "delete", "s3://my-bucket/new"]);
    assert_eq!(ask(&s3.server, "DELETE", &delete, &[], "").0, 204);
    s3.run(&["cat", "s3://my-bucket/new"]).refused(3, &["new"]);
    let other = get.replace("README", "other").replace("/data/", "/system/");
    assert_eq!(ask(&s3.server, "GET", &other, &[], "").0, 403, "it is for one object");
}

#[test]
fn a_url_ends() {
    // Ten minutes ahead, which is no skew yet.
    let s3 = Place::with(ServerOptions::new().clock_offset(600));
    s3.run(&["cp", "README.md", "@data/x"]).ok();
    assert_eq!(ask(&s3.server, "GET", &url(&s3, &["--expires", "5m", "@data/x"]), &[], "").0, 403);
    assert_eq!(ask(&s3.server, "GET", &url(&s3, &["--expires", "15m", "@data/x"]), &[], "").0, 200);
    s3.run(&["presign", "--expires", "8d", "@data/x"]).refused(2, &["one second to seven days"]);
    s3.run(&["presign", "--expires", "0s", "@data/x"]).refused(2, &["a second or more"]);
}

#[test]
fn headers_that_must_be_sent_are_told() {
    let s3 = Place::new();
    let class = [("STORAGE_S3_STORAGE_CLASS", "STANDARD_IA")];
    let run = s3.run_with(&class, &["presign", "--method", "put", "@data/x"]);
    assert!(run.err.contains("send the header x-amz-storage-class: STANDARD_IA"), "{run:?}");
    let line = &s3.run_with(&class, &["presign", "--json", "--method", "put", "@data/x"]).ok().json()[0];
    let url = line["url"].as_str().unwrap();
    assert_eq!((&line["method"], line["headers"].as_object().unwrap().len()), (&"PUT".into(), 1));
    assert!(line["expires"].as_str().unwrap().ends_with('Z'), "{line}");
    assert_eq!(ask(&s3.server, "PUT", url, &[], "x").0, 403, "without the header");
    let headers = [("x-amz-storage-class", line["headers"]["x-amz-storage-class"].as_str().unwrap())];
    assert_eq!(ask(&s3.server, "PUT", url, &headers, "x").0, 200);
}

#[test]
fn where_there_are_no_urls_it_says_so() {
    let s3 = Place::new();
    for place in ["README.md", "memory://m/x"] {
        s3.run(&["presign", place]).refused(1, &["unsupported", place, "s3://"]);
    }
    let nobody = [("STORAGE_S3_ANONYMOUS", "true")];
    s3.run_with(&nobody, &["presign", "@data/x"]).refused(1, &["unsupported", "access keys"]);
    s3.run(&["presign", "@data/"]).refused(2, &["@data/", "level"]);
}
