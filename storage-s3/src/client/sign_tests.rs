//! Signatures against the published examples, and against another implementation.

use http::Method;
use reqsign_aws_v4::{Credential, RequestSigner};
use reqsign_core::{Context, SignRequest};

use super::*;

const ACCESS_KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const HOST: HeaderValue = HeaderValue::from_static("examplebucket.s3.amazonaws.com");
/// 24 May 2013, 00:00:00 GMT.
const MOMENT: u64 = 1_369_353_600;

fn keys(token: Option<&str>) -> Arc<Keys> {
    Arc::new(Keys::new(ACCESS_KEY_ID.to_owned(), SECRET_ACCESS_KEY.to_owned(), token).unwrap())
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

fn authorization(method: Method, path: &str, query: &str, mut headers: HeaderMap, body: &'static str) -> String {
    let stamp = Signer::default().at(&keys(None), "us-east-1", MOMENT);
    let payload = payload(&[Bytes::from_static(body.as_bytes())], true);
    let head = Head { method: &method, authority: &HOST, path, query };
    stamp.sign(&head, &mut headers, payload, |_| true);
    assert_eq!(headers["x-amz-date"], "20130524T000000Z");
    headers[AUTHORIZATION].to_str().unwrap().to_owned()
}

fn expected(signed: &str, signature: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/20130524/us-east-1/s3/aws4_request, SignedHeaders={signed}, \
         Signature={signature}"
    )
}

/// "Signature calculations for the authorization header: Transferring payload in a single chunk" in the S3 API reference.
#[test]
fn the_published_examples() {
    let range = headers(&[("range", "bytes=0-9")]);
    assert_eq!(
        authorization(Method::GET, "/test.txt", "", range, ""),
        expected(
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        )
    );
    let put = headers(&[("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")]);
    let mut path = String::new();
    encode::path(&mut path, "/test$file.text");
    assert_eq!(
        authorization(Method::PUT, &path, "", put, "Welcome to Amazon S3."),
        expected(
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        )
    );
    let plain = "host;x-amz-content-sha256;x-amz-date";
    for (pairs, signature) in [
        (&[("lifecycle", "")][..], "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        (&[("prefix", "J"), ("max-keys", "2")], "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ] {
        let query = encode::query(pairs.iter().copied());
        assert_eq!(authorization(Method::GET, "/", &query, HeaderMap::new(), ""), expected(plain, signature));
    }
}

/// "Authenticating requests: Using query parameters" in the S3 API reference.
#[test]
fn the_published_presigned_url() {
    let stamp = Signer::default().at(&keys(None), "us-east-1", MOMENT);
    let head = Head { method: &Method::GET, authority: &HOST, path: "/test.txt", query: "" };
    let query = stamp.presign(&head, &[], &HeaderMap::new(), Duration::from_secs(86_400));
    assert_eq!(
        query,
        "X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
}

/// A day's key is kept, and anything that it depends on makes another one.
#[test]
fn a_day_s_key_is_not_used_for_another_day_region_or_owner() {
    let (signer, one, other) = (Signer::default(), keys(None), keys(Some("token")));
    let sign = |keys: &Arc<Keys>, region: &str, second| {
        let mut text = String::new();
        signer.at(keys, region, second).signature(&mut text, b"");
        let mut alone = String::new();
        Signer::default().at(keys, region, second).signature(&mut alone, b"");
        assert_eq!(text, alone, "{region} {second}");
    };
    for second in [MOMENT, MOMENT + 1, MOMENT + 86_399, MOMENT + 86_400, MOMENT] {
        sign(&one, "us-east-1", second);
        sign(&one, "eu-west-1", second);
        sign(&other, "eu-west-1", second);
    }
}

#[test]
fn dates_are_those_of_the_calendar() {
    for (second, date) in [
        (0, "19700101"),
        (951_782_400, "20000229"),
        (MOMENT, "20130524"),
        (1_709_164_800, "20240229"),
        (1_709_251_200, "20240301"),
        (1_735_603_200, "20241231"),
        (4_107_542_400, "21000301"),
    ] {
        assert_eq!(day(second), date);
    }
}

#[test]
fn spaces_in_a_header_are_signed_as_one() {
    for (value, signed) in [("a b", "a b"), ("  a   b  c ", "a b c"), ("", "")] {
        let mut out = Vec::new();
        trimmed(&mut out, value.as_bytes());
        assert_eq!(out, signed.as_bytes(), "{value:?}");
    }
}

#[test]
fn no_secret_is_shown() {
    let shown = format!("{:?} {:?}", keys(Some("session-token")), HeaderMap::from_iter(sensitive()));
    assert!(!shown.contains("wJalr") && !shown.contains("session-token"), "{shown}");
}

fn sensitive() -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let stamp = Signer::default().at(&keys(Some("session-token")), "us-east-1", MOMENT);
    let (mut headers, head) = (HeaderMap::new(), Head { method: &Method::GET, authority: &HOST, path: "/", query: "" });
    stamp.sign(&head, &mut headers, payload(&[], false), is_covered);
    assert!(headers.contains_key("x-amz-security-token"));
    headers.into_iter().filter_map(|(name, value)| Some((name?, value)))
}

/// Random requests have the signature that reqsign gives them.
#[tokio::test]
async fn signatures_equal_those_of_another_implementation() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..300 {
        let token = random.bool().then(|| text(&mut random, "abcXYZ0189+/="));
        let region = text(&mut random, "abc-12");
        let (mut path, mut raw) = ("/".to_owned(), text(&mut random, "ab/ %+~é€😀!*'()&=?#:@,;$"));
        if random.bool() {
            raw.push_str("..//.");
        }
        encode::path(&mut path, &raw);
        let pairs: Vec<(String, String)> = (0..random.usize(..4))
            .map(|n| (format!("{n}{}", text(&mut random, "abZ-_é")), text(&mut random, "ab/ %+=&é")))
            .collect();
        let query = encode::query(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let mut headers = HeaderMap::new();
        for name in ["x-amz-meta-a", "content-type", "x-amz-acl", "content-md5"] {
            if random.bool() {
                headers.insert(name, format!("v{}w", text(&mut random, "abc/;=-.")).parse().unwrap());
            }
        }
        compare(&region, token, &path, &query, headers).await;
    }
}

async fn compare(region: &str, token: Option<String>, path: &str, query: &str, headers: HeaderMap) {
    let credential = Credential {
        access_key_id: ACCESS_KEY_ID.to_owned(),
        secret_access_key: SECRET_ACCESS_KEY.to_owned(),
        session_token: token.clone(),
        expires_in: None,
    };
    let mark = if query.is_empty() { "" } else { "?" };
    let uri = format!("https://{}{path}{mark}{query}", HOST.to_str().unwrap());
    let (mut parts, ()) = http::Request::put(uri).body(()).unwrap().into_parts();
    parts.headers = headers.clone();
    let other = RequestSigner::new("s3", region);
    other.sign_request(&Context::new(), &mut parts, Some(&credential), None).await.unwrap();
    let date = parts.headers["x-amz-date"].clone();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (signer, keys) = (Signer::default(), keys(token.as_deref()));
    let stamp = (0..60).map(|ago| signer.at(&keys, region, now - ago)).find(|stamp| stamp.date == date).unwrap();
    let mut ours = headers;
    let head = Head { method: &Method::PUT, authority: &HOST, path, query };
    stamp.sign(&head, &mut ours, payload(&[], false), |_| true);
    assert_eq!(ours[AUTHORIZATION], parts.headers[AUTHORIZATION], "{path} {query} {ours:?}");
}

fn text(random: &mut fastrand::Rng, alphabet: &str) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    (0..random.usize(1..12)).filter_map(|_| random.choice(&alphabet)).collect()
}
