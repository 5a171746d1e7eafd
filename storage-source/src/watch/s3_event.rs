//! Messages of S3 event notifications, in each form in which they arrive.
//!
//! Sources: "Event message structure" and "Using EventBridge" of the Amazon S3 User Guide; "Amazon SNS message formats";
//! "Bucket Notifications" of MinIO.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use serde_json::{Map, Value};
use storage_core::{Error, Result};

/// How many messages may be wrapped in each other: S3 in SNS in SQS in a function's event, and one to spare.
const DEPTH: usize = 5;

/// What a message of S3 event notifications says of one object. It is a hint: what is there now, a head says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct S3Event {
    /// The event as the service calls it: `ObjectCreated:Put`, `s3:ObjectRemoved:Delete`, `Object Created`.
    pub name: String,
    /// What it says.
    pub kind: S3EventKind,
    /// The bucket.
    pub bucket: String,
    /// The object's name in the bucket, decoded. It need not be a key: `docs/` is a directory marker.
    pub key: String,
}

/// What an event says of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum S3EventKind {
    /// It was written, or can be read again.
    Created,
    /// It was deleted, or expired.
    Removed,
    /// Something else happened to it: tags, its storage class, an access list.
    Other,
}

impl S3Event {
    /// Reads a message: the records of S3 or of a server that speaks its protocol, as they are, or in an envelope of SNS, SQS
    /// or a function's event; or an event of EventBridge. The test message that S3 sends when notifications are switched on
    /// holds none. Keys are decoded as forms are where the service encodes them so, and left as they are in events of
    /// EventBridge and in MinIO's `Key`.
    ///
    /// `InvalidInput` where it is no such message; the error names what is missing, and where.
    pub fn parse(message: impl AsRef<[u8]>) -> Result<Vec<Self>> {
        let value: Value =
            serde_json::from_slice(message.as_ref()).map_err(|error| wrong(format!("it is no JSON: {error}")))?;
        let mut events = Vec::new();
        read_message(At { value: &value, path: String::new() }, DEPTH, &mut events)?;
        Ok(events)
    }
}

/// A value of a message, and where it stands.
struct At<'a> {
    value: &'a Value,
    path: String,
}

impl<'a> At<'a> {
    fn fields(&self) -> Result<&'a Map<String, Value>> {
        self.value.as_object().ok_or_else(|| wrong(format!("{} is no JSON object", self.name())))
    }

    fn name(&self) -> &str {
        if self.path.is_empty() { "it" } else { &self.path }
    }

    fn child(&self, name: &str, value: &'a Value) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self { value, path: format!("{}{dot}{name}", self.path) }
    }

    /// A field that may be missing, or null.
    fn optional(&self, name: &str) -> Result<Option<Self>> {
        Ok(self.fields()?.get(name).filter(|value| !value.is_null()).map(|value| self.child(name, value)))
    }

    fn field(&self, name: &str) -> Result<Self> {
        self.optional(name)?.ok_or_else(|| wrong(format!("{} is missing", self.child(name, self.value).path)))
    }

    fn text(&self) -> Result<&'a str> {
        self.value.as_str().ok_or_else(|| wrong(format!("{} is no text", self.name())))
    }

    fn items(&self) -> Result<impl Iterator<Item = At<'a>>> {
        let items = self.value.as_array().ok_or_else(|| wrong(format!("{} is no array", self.name())))?;
        let path = self.path.clone();
        Ok(items.iter().enumerate().map(move |(i, value)| At { value, path: format!("{path}[{i}]") }))
    }

    /// The text of a field of a field.
    fn text_at(&self, outer: &str, inner: &str) -> Result<&'a str> {
        self.field(outer)?.field(inner)?.text()
    }
}

fn read_message(message: At<'_>, depth: usize, events: &mut Vec<S3Event>) -> Result<()> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(wrong(format!("{} is wrapped in too many others", message.name())));
    };
    if message.optional("detail-type")?.is_some() {
        events.push(event_bridge(&message)?);
        return Ok(());
    }
    // A list of records, each an event or a message; SQS calls it Messages.
    for list in ["Records", "Messages"] {
        if let Some(list) = message.optional(list)? {
            return list.items()?.try_for_each(|record| read_record(record, depth, events));
        }
    }
    if let Some(kind) = message.optional("Type")?
        && kind.value.as_str().is_some_and(|kind| kind.ends_with("Confirmation"))
    {
        return Err(wrong(format!("it is a {} of SNS and tells of no object", kind.text()?))
            .with_help("visit its SubscribeURL to confirm the subscription"));
    }
    for wrapped in ["Message", "Body", "body"] {
        if let Some(text) = message.optional(wrapped)? {
            return unwrap(&text, depth, events);
        }
    }
    if let Some(name) = message.optional("EventName")? {
        events.push(minio(&message, name.text()?)?);
        return Ok(());
    }
    let is_test = message.optional("Event")?.is_some_and(|event| event.value == "s3:TestEvent");
    match is_test {
        true => Ok(()),
        false => Err(wrong(format!("{} has neither Records nor detail-type, Message or EventName", message.name()))),
    }
}

/// A message inside of another one, as text.
fn unwrap(text: &At<'_>, depth: usize, events: &mut Vec<S3Event>) -> Result<()> {
    let value: Value = serde_json::from_str(text.text()?)
        .map_err(|error| wrong(format!("the text in {} is no JSON: {error}", text.name())))?;
    read_message(At { value: &value, path: text.path.clone() }, depth, events)
}

fn read_record(record: At<'_>, depth: usize, events: &mut Vec<S3Event>) -> Result<()> {
    if let Some(notification) = record.optional("Sns")? {
        return read_message(notification, depth, events);
    }
    if record.optional("s3")?.is_none() && (record.optional("body")?.is_some() || record.optional("Body")?.is_some()) {
        return read_message(record, depth, events);
    }
    let name = record.field("eventName")?.text()?;
    let s3 = record.field("s3")?;
    let (bucket, key) = (s3.text_at("bucket", "name")?, s3.text_at("object", "key")?);
    let key =
        form_decoded(key).ok_or_else(|| wrong(format!("{}.s3.object.key is not UTF-8 once decoded", record.path)))?;
    events.push(S3Event { name: name.to_owned(), kind: kind(name), bucket: bucket.to_owned(), key });
    Ok(())
}

fn event_bridge(message: &At<'_>) -> Result<S3Event> {
    let name = message.field("detail-type")?.text()?;
    let detail = message.field("detail")?;
    let (bucket, key) = (detail.text_at("bucket", "name")?, detail.text_at("object", "key")?);
    Ok(S3Event { name: name.to_owned(), kind: kind(name), bucket: bucket.to_owned(), key: key.to_owned() })
}

/// MinIO's own fields, where it sends no records: `Key` is bucket and name in one.
fn minio(message: &At<'_>, name: &str) -> Result<S3Event> {
    let path = message.field("Key")?;
    let (bucket, key) = path
        .text()?
        .split_once('/')
        .ok_or_else(|| wrong(format!("{} has no '/' between bucket and object", path.path)))?;
    Ok(S3Event { name: name.to_owned(), kind: kind(name), bucket: bucket.to_owned(), key: key.to_owned() })
}

fn kind(name: &str) -> S3EventKind {
    let name = name.strip_prefix("s3:").unwrap_or(name);
    let begins = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
    if begins(&["ObjectCreated:", "ObjectRestore:Completed", "Object Created", "Object Restore Completed"]) {
        S3EventKind::Created
    } else if begins(&["ObjectRemoved:", "LifecycleExpiration:", "Object Deleted"]) {
        S3EventKind::Removed
    } else {
        S3EventKind::Other
    }
}

/// A text as forms encode it: `+` is a space, `%` begins a byte in hexadecimal digits. None where that is no UTF-8.
fn form_decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode(spaced.as_bytes()).decode_utf8().ok().map(Cow::into_owned)
}

fn wrong(what: String) -> Error {
    Error::invalid_input(format!("this is no message of S3 events: {what}"))
        .with_help("hand in what S3, MinIO, SNS, SQS or EventBridge sent, as it came")
}
