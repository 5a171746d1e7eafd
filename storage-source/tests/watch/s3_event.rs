//! Messages of S3 event notifications, in each form; and what is none.

use proptest::prelude::*;
use serde_json::{Value, json};
use storage_core::ErrorKind;
use storage_source::{S3Event, S3EventKind};

/// What a message says: bucket, key, kind.
fn parsed(message: &Value) -> Vec<(String, String, S3EventKind)> {
    let events = S3Event::parse(message.to_string()).unwrap();
    events.into_iter().map(|event| (event.bucket, event.key, event.kind)).collect()
}

fn one(key: &str, kind: S3EventKind) -> Vec<(String, String, S3EventKind)> {
    vec![("bucket".to_owned(), key.to_owned(), kind)]
}

fn aws(name: &str, key: &str) -> Value {
    json!({ "Records": [{
        "eventVersion": "2.2",
        "eventSource": "aws:s3",
        "awsRegion": "us-west-2",
        "eventTime": "1970-01-01T00:00:00.000Z",
        "eventName": name,
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": { "name": "bucket", "arn": "arn:aws:s3:::bucket" },
            "object": { "key": key, "size": 3, "eTag": "d41d8", "sequencer": "0055AED6DCD90281E5" },
        },
    }] })
}

fn event_bridge(kind: &str, key: &str) -> Value {
    json!({
        "version": "0", "source": "aws.s3", "detail-type": kind, "region": "ca-central-1",
        "detail": { "version": "0", "bucket": { "name": "bucket" }, "object": { "key": key, "size": 5 } },
    })
}

/// AWS's own records: every kind of event, and keys encoded as forms are.
#[test]
fn records_of_aws() {
    use S3EventKind::{Created, Other, Removed};
    let cases = [
        ("ObjectCreated:Put", Created),
        ("ObjectCreated:CompleteMultipartUpload", Created),
        ("ObjectRemoved:Delete", Removed),
        ("ObjectRemoved:DeleteMarkerCreated", Removed),
        ("LifecycleExpiration:Delete", Removed),
        ("LifecycleExpiration:DeleteMarkerCreated", Removed),
        ("ObjectRestore:Completed", Created),
        ("ObjectRestore:Post", Other),
        ("ObjectTagging:Put", Other),
        ("AnythingNew:Ever", Other),
    ];
    for (name, kind) in cases {
        assert_eq!(parsed(&aws(name, "a")), one("a", kind), "{name}");
        assert_eq!(parsed(&aws(&format!("s3:{name}"), "a")), one("a", kind), "{name}");
    }
    for (encoded, key) in [
        ("my+docs/a%2Bb.md", "my docs/a+b.md"),
        ("my%20docs%2Fa%2fb", "my docs/a/b"),
        ("%C3%A9", "é"),
        ("100%25", "100%"),
        ("%2e%2e", ".."),
        ("50%zz%", "50%zz%"),
        ("", ""),
    ] {
        assert_eq!(parsed(&aws("ObjectCreated:Put", encoded)), one(key, Created), "{encoded}");
    }
}

/// MinIO's spelling, with records and without them; its own `Key` is not encoded.
#[test]
fn records_of_minio() {
    let mut message = aws("s3:ObjectCreated:Put", "my+docs%2Fa%252B.md");
    message["EventName"] = "s3:ObjectCreated:Put".into();
    message["Key"] = "bucket/my docs/a%2B.md".into();
    assert_eq!(parsed(&message), one("my docs/a%2B.md", S3EventKind::Created));
    let alone = json!({ "EventName": "s3:ObjectRemoved:Delete", "Key": "bucket/a+b%20/c", "Records": null });
    assert_eq!(parsed(&alone), one("a+b%20/c", S3EventKind::Removed));
}

/// Events of EventBridge, whose keys are not encoded.
#[test]
fn events_of_event_bridge() {
    use S3EventKind::{Created, Other, Removed};
    let cases = [
        ("Object Created", Created),
        ("Object Deleted", Removed),
        ("Object Restore Completed", Created),
        ("Object Tags Added", Other),
    ];
    for (kind, expected) in cases {
        assert_eq!(parsed(&event_bridge(kind, "a+b%2F c")), one("a+b%2F c", expected), "{kind}");
    }
}

/// Envelopes: SNS, SQS, a function's event, and one in the other.
#[test]
fn messages_in_envelopes() {
    let expected = one("a b", S3EventKind::Created);
    let message = aws("ObjectCreated:Put", "a+b").to_string();
    let sns = json!({ "Type": "Notification", "TopicArn": "arn", "Message": message });
    let function = json!({ "Records": [{ "EventSource": "aws:sns", "Sns": sns }] });
    let queue = |body: &str| json!({ "Messages": [{ "MessageId": "1", "ReceiptHandle": "x", "Body": body }] });
    let queued = |body: &str| json!({ "Records": [{ "messageId": "1", "eventSource": "aws:sqs", "body": body }] });
    assert_eq!(parsed(&sns), expected);
    assert_eq!(parsed(&function), expected);
    for wrapped in [message.clone(), sns.to_string(), event_bridge("Object Created", "a b").to_string()] {
        assert_eq!(parsed(&queue(&wrapped)), expected, "{wrapped}");
        assert_eq!(parsed(&queued(&wrapped)), expected, "{wrapped}");
        assert_eq!(parsed(&queued(&wrapped)["Records"][0]), expected, "{wrapped}");
    }
    let two = json!({ "Records": [aws("ObjectCreated:Put", "a")["Records"][0], aws("ObjectRemoved:Delete", "b")["Records"][0]] });
    assert_eq!(parsed(&two).len(), 2);
    let test = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "…", "Bucket": "bucket" });
    assert!(parsed(&test).is_empty() && parsed(&queue(&test.to_string())).is_empty());
    assert!(parsed(&json!({ "Records": [] })).is_empty());
}

/// A message that is none is an error that names what is missing, and where.
#[test]
fn what_is_no_message_is_told_by_name() {
    let without = |pointer: &str, name: &str| {
        let mut message = aws("ObjectCreated:Put", "a");
        message.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(name);
        message.to_string()
    };
    let with = |pointer: &str, value: Value| {
        let mut message = aws("ObjectCreated:Put", "a");
        *message.pointer_mut(pointer).unwrap() = value;
        message.to_string()
    };
    let mut nested = aws("ObjectCreated:Put", "a").to_string();
    for _ in 0..6 {
        nested = json!({ "Message": nested }).to_string();
    }
    let confirmation =
        json!({ "Type": "SubscriptionConfirmation", "Message": "You have …", "SubscribeURL": "https://…" });
    let cases = [
        (String::new(), "no JSON"),
        ("{".to_owned(), "no JSON"),
        ("[]".to_owned(), "no JSON object"),
        ("{}".to_owned(), "neither Records nor"),
        (without("/Records/0", "eventName"), "Records[0].eventName is missing"),
        (without("/Records/0", "s3"), "Records[0].s3 is missing"),
        (without("/Records/0/s3/bucket", "name"), "Records[0].s3.bucket.name is missing"),
        (without("/Records/0/s3/object", "key"), "Records[0].s3.object.key is missing"),
        (with("/Records/0/s3/object/key", json!(3)), "Records[0].s3.object.key is no text"),
        (with("/Records/0/s3/object/key", json!("%ff")), "Records[0].s3.object.key is not UTF-8"),
        (with("/Records/0", json!("x")), "Records[0] is no JSON object"),
        (with("/Records", json!("x")), "Records is no array"),
        (json!({ "Message": "text" }).to_string(), "the text in Message is no JSON"),
        (json!({ "EventName": "s3:x", "Key": "bucket" }).to_string(), "Key has no '/'"),
        (json!({ "detail-type": "Object Created" }).to_string(), "detail is missing"),
        (confirmation.to_string(), "SubscriptionConfirmation"),
        (nested, "too many others"),
    ];
    for (message, part) in cases {
        let error = S3Event::parse(&message).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{message}");
        assert!(error.message().contains(part) && error.help().is_some(), "{part:?} is not in {error}");
    }
}

/// The names that messages have.
const NAMES: &[&str] = &[
    "Records",
    "Messages",
    "Message",
    "Body",
    "body",
    "Sns",
    "Type",
    "Event",
    "EventName",
    "Key",
    "detail-type",
    "detail",
    "eventName",
    "s3",
    "bucket",
    "object",
    "name",
    "key",
];

/// Any JSON, of names that messages have, a few levels deep.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        "[%+/a-f0-9{}\"]{0,12}".prop_map(Value::from),
        Just(Value::from(aws("ObjectCreated:Put", "a").to_string())),
    ];
    leaf.prop_recursive(5, 64, 4, |inner| {
        let field = (proptest::sample::select(NAMES).prop_map(str::to_owned), inner.clone());
        prop_oneof![
            proptest::collection::vec(inner, 0..3).prop_map(Value::from),
            proptest::collection::vec(field, 0..5).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the bytes are, they are read or refused.
    #[test]
    fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Err(error) = S3Event::parse(&bytes) {
            prop_assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
    }

    /// Whatever the JSON is, it is read or refused.
    #[test]
    fn json_never_panics(value in anything()) {
        if let Err(error) = S3Event::parse(value.to_string()) {
            prop_assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
    }

    /// Any key comes back from how forms encode it.
    #[test]
    fn keys_come_back(key in "\\PC{0,40}") {
        let encoded: String = key.bytes().map(|byte| match byte {
            b' ' => "+".to_owned(),
            b'a'..=b'z' | b'/' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        }).collect();
        let events = parsed(&aws("ObjectCreated:Put", &encoded));
        prop_assert_eq!(&events[0].1, &key);
    }
}
