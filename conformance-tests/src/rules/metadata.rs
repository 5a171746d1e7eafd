//! Rules M: metadata.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use storage_core::{
    Attributes, CopyResult, ETag, ETagKind, ErrorKind, GetOptions, MultipartOrder, ObjectHead, ObjectMeta, PutOptions,
    Storage,
};

use crate::Harness;
use crate::context::{NO_DIRECTORY, part_not_asked, waive, waive_part};
use crate::rule::rule;
use crate::support::{assert_listed, bytes, kind, missing, write_streaming};

/// How far the clock of a medium may stand from ours: a service refuses requests beyond that.
const CLOCK: Duration = Duration::from_secs(15 * 60);

/// How far the time of a write may be from the call, by the medium's own clock.
const OFF: Duration = Duration::from_secs(5);

rule! {
    /// The size is always there and equals the bytes that can be read.
    M01, m01_size_is_what_can_be_read, "Size is what can be read",
    why: "A listing whose sizes are wrong makes every sync compare wrongly."
}
async fn m01_size_is_what_can_be_read(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    for size in [0, 1, 511, 4095, 4096, 4097, 65_536, 100_003, (1 << 20) + 1] {
        let data = bytes(size as u64, size);
        let put = storage.put("put", data.clone()).await.unwrap();
        let streamed = write_streaming(storage, "streamed", data.clone(), PutOptions::new()).await.unwrap();
        storage.copy("put", "copied").await.unwrap();
        for (key, result) in [("put", Some(put)), ("streamed", Some(streamed)), ("copied", None)] {
            let meta = metadata(storage, key).await;
            let reported = result.map_or(meta.size, |result| result.size);
            assert_eq!(reported, size as u64, "{key}: the size that the write reports");
            assert_eq!(meta.size, size as u64, "{key}: the size that is stored");
            assert_eq!(storage.bytes(key).await.unwrap(), data, "{key}: {size} bytes");
        }
    }
}

rule! {
    /// The etag is always there, quoted, and the same in the write's answer, get, head and list, from any handle.
    M02, m02_etag_is_the_same_everywhere, "One etag everywhere",
    why: "An etag that is quoted here and bare there never equals itself, and every condition fails."
}
async fn m02_etag_is_the_same_everywhere(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    let other = harness.attach(&fixture.address).await;
    let mut results: Vec<(&str, CopyResult)> = vec![
        ("a/put", storage.put("a/put", "text").await.unwrap().into()),
        ("a", storage.put("a", "").await.unwrap().into()),
        ("streamed", write_streaming(storage, "streamed", "text", PutOptions::new()).await.unwrap().into()),
        ("copied", storage.copy("a/put", "copied").await.unwrap()),
        ("moved", storage.rename("copied", "moved").await.unwrap()),
    ];
    results.retain(|(key, _)| *key != "copied");
    match storage.put_with("created", "x", PutOptions::new().create_only()).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => {}
        created => results.push(("created", created.unwrap().into())),
    }
    for (key, result) in results {
        for handle in [storage, &other, storage] {
            let meta = metadata(handle, key).await;
            assert_eq!(meta.etag, result.etag, "{key}: the etag that the write reported");
            assert_eq!(meta.version, result.version, "{key}: the version that the write reported");
        }
        let text = result.etag.as_str();
        let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).expect("an etag in double quotes");
        assert!(!inner.is_empty() && !inner.contains('"'), "{key}: the etag {text}");
        assert_eq!(ETag::new(inner), result.etag, "{key}: an etag whose quotes were lost is the same etag");
    }
}

rule! {
    /// Every overwrite that succeeds changes the etag or the version; where etags follow the content, other bytes do.
    M03, m03_overwrite_changes_etag, "An overwrite changes the etag",
    why: "Where two contents share an etag, caches and swaps take the one for the other."
}
async fn m03_overwrite_changes_etag(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    let same_bytes = storage.capabilities().etag == ETagKind::Unique;
    if !same_bytes {
        waive_part("etag", "etags follow the content, so that equal bytes have an equal one");
    }
    storage.put("other", "copied over it").await.unwrap();
    let mut last = CopyResult::from(storage.put("k", "0").await.unwrap());
    for i in 0..60_u32 {
        // Of equal length, and every second time the same bytes again where they count.
        let text = if same_bytes { format!("{:04}", i / 2) } else { format!("{i:04}") };
        let next = match i % 6 {
            0..=2 => storage.put("k", text).await.unwrap().into(),
            3 => storage.put_with("k", text, PutOptions::new().attributes(Attributes::new())).await.unwrap().into(),
            4 => write_streaming(storage, "k", text, PutOptions::new()).await.unwrap().into(),
            _ => storage.copy("other", "k").await.unwrap(),
        };
        assert!((&next.etag, &next.version) != (&last.etag, &last.version), "overwrite {i} left {:?}", last.etag);
        last = next;
    }
}

/// The clock that dates objects, as a first write shows it.
#[derive(Debug)]
struct Clock {
    began: Instant,
    first: SystemTime,
}

impl Clock {
    async fn of(storage: &Storage) -> Self {
        let began = Instant::now();
        let earliest = SystemTime::now() - CLOCK;
        storage.put("k", "text").await.unwrap();
        let first = storage.head("k").await.unwrap().meta.last_modified;
        assert!(first >= earliest && first <= SystemTime::now() + CLOCK, "{first:?} is not the time of the write");
        Self { began, first }
    }

    /// Whether what was written since may be dated so.
    fn may_say(&self, time: SystemTime) -> bool {
        time >= self.first - OFF && time <= self.first + self.began.elapsed() + OFF
    }
}

rule! {
    /// The time of the last change is that of the write, in UTC, at the precision declared, the same in get, head and
    /// list, and never goes back across overwrites of a key.
    M04, m04_last_modified, "Time of the last change",
    why: "A time that goes back lets an incremental backup skip what has changed."
}
async fn m04_last_modified(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    let capabilities = storage.capabilities();
    let precision = capabilities.last_modified_precision.as_nanos();
    if capabilities.multipart_order == MultipartOrder::Start {
        waive_part("multipart_order", "a streaming write is dated by its start");
    }
    let clock = Clock::of(storage).await;
    let mut last = UNIX_EPOCH;
    for i in 0..40 {
        match i % 5 {
            0 | 1 => drop(storage.put("k", "text").await.unwrap()),
            2 if capabilities.multipart_order == MultipartOrder::Finish => {
                drop(write_streaming(storage, "k", "text", PutOptions::new()).await.unwrap());
            }
            3 => {
                storage.put("source", "older than what it goes onto").await.unwrap();
                storage.put("k", "text").await.unwrap();
                last = storage.head("k").await.unwrap().meta.last_modified;
                storage.copy("source", "k").await.unwrap();
            }
            _ => {
                storage.put("source", "older than what it goes onto").await.unwrap();
                storage.put("k", "text").await.unwrap();
                last = storage.head("k").await.unwrap().meta.last_modified;
                storage.rename("source", "k").await.unwrap();
            }
        }
        let time = metadata(storage, "k").await.last_modified;
        assert!(time >= last, "write {i}: the time goes back from {last:?} to {time:?}");
        assert!(clock.may_say(time), "write {i}: {time:?} is not the time of the write, by {clock:?}");
        let nanos = time.duration_since(UNIX_EPOCH).unwrap().as_nanos();
        assert_eq!(nanos % precision, 0, "write {i}: {time:?} is finer than the precision declared");
        last = time;
    }
    let Some(directory) = &fixture.directory else { return part_not_asked(NO_DIRECTORY) };
    let future = SystemTime::now() + Duration::from_secs(3600);
    std::fs::write(directory.join("foreign"), "from a clock that runs ahead").unwrap();
    std::fs::File::options().write(true).open(directory.join("foreign")).unwrap().set_modified(future).unwrap();
    let ahead = metadata(storage, "foreign").await.last_modified;
    storage.put("foreign", "from our clock").await.unwrap();
    assert!(metadata(storage, "foreign").await.last_modified >= ahead, "an object from the future is overwritten");
}

rule! {
    /// Content-Type, Cache-Control, Content-Disposition, Content-Encoding and Content-Language come back as stored;
    /// what is unset reads as none, and so does a service's default type.
    M05, m05_standard_attributes, "Standard attributes",
    why: "Lost on a copy, or made up by a service, they change how browsers treat what is downloaded."
}
async fn m05_standard_attributes(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    storage.put("plain", "text").await.unwrap();
    assert_eq!(storage.head("plain").await.unwrap().attributes, Attributes::new(), "nothing was stored");
    let full = Attributes {
        content_type: Some("text/html; charset=utf-8".to_owned()),
        cache_control: Some("max-age=604800, no-transform".to_owned()),
        content_disposition: Some(r#"attachment; filename="a b.html""#.to_owned()),
        content_encoding: Some("br".to_owned()),
        content_language: Some("en-GB, de".to_owned()),
        ..Attributes::default()
    };
    if !storage.capabilities().attributes {
        return refuses_attributes(storage, full).await;
    }
    let mut one = Attributes::new();
    one.content_language = Some("de".to_owned());
    for (i, attributes) in [full.clone(), one, Attributes::new().content_type("a/b")].into_iter().enumerate() {
        stores(storage, &format!("object-{i}"), &attributes).await;
    }
    let default = Attributes::new().content_type("binary/octet-stream");
    storage.put_with("default", "text", PutOptions::new().attributes(default)).await.unwrap();
    assert_eq!(storage.head("default").await.unwrap().attributes.content_type, None, "the default type reads as none");

    storage.put_with("k", "text", PutOptions::new().attributes(full)).await.unwrap();
    storage.put("k", "text").await.unwrap();
    assert_eq!(storage.head("k").await.unwrap().attributes, Attributes::new(), "an overwrite replaces all attributes");
    let bad = [("", "empty"), ("a\r\nx: y", "a line break"), ("é", "beyond ASCII"), (" a", "a leading space")];
    for (value, what) in bad {
        let options = PutOptions::new().attributes(Attributes::new().content_type(value));
        assert_eq!(kind(what, storage.put_with("bad", "", options).await), ErrorKind::InvalidInput, "{what}");
    }
    assert!(!storage.exists("bad").await.unwrap(), "a refused attribute writes nothing");
}

rule! {
    /// User metadata has names of `[a-z0-9_.-]` and UTF-8 values, 1,900 bytes in all as encoded for the wire. What
    /// breaks that is `InvalidInput` up front.
    M06, m06_user_metadata, "User metadata",
    why: "Headers take ASCII and so many bytes; what does not fit is cut, changed or refused, each service in its own \
          way."
}
async fn m06_user_metadata(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    let values = [
        ("plain", "value"),
        ("with.dots-and_lines.0", "a  b"),
        ("empty", ""),
        ("spaces", " both ends "),
        ("letters", "é e\u{301} ß 中 😀"),
        ("controls", "line\r\nbreak\ttab\u{7f}"),
        ("looks-encoded", "=?UTF-8?B?eA==?="),
        ("quoted", "\"a\" 'b' \\ <c> &amp; %41 +"),
        ("0", "nul\0inside"),
    ];
    let all = values.iter().fold(Attributes::new(), |all, (name, value)| all.user(*name, *value));
    if !storage.capabilities().attributes {
        return refuses_attributes(storage, all).await;
    }
    stores(storage, "all", &all.content_type("text/plain")).await;
    stores(storage, "full", &Attributes::new().user("name", "v".repeat(1896))).await;
    let many = (0..100).fold(Attributes::new(), |many, i| many.user(format!("name-{i:04}"), "123456789."));
    stores(storage, "many", &many).await;
    stores(storage, "letters", &Attributes::new().user("n", "é".repeat(700))).await;

    let refused = [
        ("one byte too many", Attributes::new().user("name", "v".repeat(1897))),
        ("one byte too many in many", many.clone().user("x", "v".repeat(100))),
        ("too many once encoded", Attributes::new().user("n", "é".repeat(949))),
        ("an empty name", Attributes::new().user("", "v")),
        ("a capital", Attributes::new().user("Name", "v")),
        ("a space in a name", Attributes::new().user("a b", "v")),
        ("a colon in a name", Attributes::new().user("a:b", "v")),
        ("a slash in a name", Attributes::new().user("a/b", "v")),
        ("a letter beyond ASCII in a name", Attributes::new().user("é", "v")),
    ];
    let missing = missing(harness).await;
    for (what, attributes) in refused {
        let options = PutOptions::new().attributes(attributes);
        let put = storage.put_with("refused", "text", options.clone()).await;
        assert_eq!(kind(what, put), ErrorKind::InvalidInput, "{what}");
        let opened = storage.writer_with("refused", options.clone()).await;
        assert_eq!(kind(what, opened.map(drop)), ErrorKind::InvalidInput, "{what}: a writer");
        if let Some(missing) = &missing {
            let refused = missing.put_with("refused", "text", options).await;
            assert_eq!(kind(what, refused), ErrorKind::InvalidInput, "{what}: before any I/O");
        }
    }
    assert!(!storage.exists("refused").await.unwrap(), "what is refused writes nothing");
}

rule! {
    /// Get returns the same metadata as head, whatever range is read.
    M07, m07_get_equals_head, "Get equals head",
    why: "A host that decides by head and reads by get must be told of the same object."
}
async fn m07_get_equals_head(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    let mut options = PutOptions::new();
    if storage.capabilities().attributes {
        options = options.attributes(Attributes::new().content_type("text/plain").user("name", "value"));
    }
    storage.put_with("a", "0123456789", options.clone()).await.unwrap();
    storage.put("a/b", "").await.unwrap();
    write_streaming(storage, "streamed", bytes(7, 300_000), options).await.unwrap();
    storage.copy("streamed", "copied").await.unwrap();
    for key in ["a", "a/b", "streamed", "copied"] {
        metadata(storage, key).await;
    }
}

rule! {
    /// A name that is only a prefix of others, or a path below an object, is `NotFound`.
    M08, m08_prefixes_are_no_objects, "Prefixes are no objects",
    why: "In a directory a prefix is something that exists; a driver that says so has objects that a bucket does not \
          have."
}
async fn m08_prefixes_are_no_objects(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    storage.put("a/b/c", "text").await.unwrap();
    storage.put("k", "text").await.unwrap();
    for key in ["a", "a/b", "a/b/c/d", "a/b/c/d/e", "k/x", "k/x/y", "a/", "b"] {
        let Ok(key) = storage_core::Key::new(key) else { continue };
        assert_eq!(kind(&key, storage.head(&key).await), ErrorKind::NotFound, "head of {key}");
        assert_eq!(kind(&key, storage.bytes(&key).await), ErrorKind::NotFound, "bytes of {key}");
        assert_eq!(kind(&key, storage.range(&key, 0..1).await), ErrorKind::NotFound, "a range of {key}");
        assert_eq!(kind(&key, storage.copy(&key, "copy").await), ErrorKind::NotFound, "a copy of {key}");
        assert_eq!(kind(&key, storage.rename(&key, "copy").await), ErrorKind::NotFound, "a move of {key}");
        assert!(!storage.exists(&key).await.unwrap(), "{key} does not exist");
        storage.delete(&key).await.unwrap();
    }
    let Some(directory) = &fixture.directory else { return part_not_asked(NO_DIRECTORY) };
    std::fs::create_dir_all(directory.join("foreign/empty")).unwrap();
    for key in ["foreign", "foreign/empty", "foreign/empty/x"] {
        assert_eq!(kind(key, storage.head(key).await), ErrorKind::NotFound, "head of the directory {key}");
        assert_eq!(kind(key, storage.bytes(key).await), ErrorKind::NotFound, "bytes of the directory {key}");
    }
    assert_eq!(crate::support::keys(storage).await, ["a/b/c", "k"], "nothing was touched");
}

/// The metadata of an object, by head, get, a ranged get and a listing, which must agree (rules M07 and L10).
async fn metadata(storage: &Storage, key: &str) -> ObjectMeta {
    let head = storage.head(key).await.unwrap();
    assert_eq!(head.meta.key.as_str(), key, "the key of what head answers");
    let mut reads = vec![GetOptions::new(), GetOptions::new().buffered()];
    if head.meta.size > 0 {
        reads.push(GetOptions::new().range(head.meta.size - 1..));
    }
    for read in reads {
        let got = storage.get(key, read).await.unwrap();
        let got = ObjectHead { meta: got.meta, attributes: got.attributes };
        assert_eq!(got, head, "{key}: get and head");
    }
    let listed = storage.list_all(key).await.unwrap().into_iter().find(|meta| meta.key.as_str() == key);
    assert_listed(key, listed.as_ref(), &head.meta);
    head.meta
}

/// Attributes come back after every way of writing them, and go along with copies and moves.
async fn stores(storage: &Storage, key: &str, attributes: &Attributes) {
    let options = || PutOptions::new().attributes(attributes.clone());
    storage.put_with(key, "text", options()).await.unwrap();
    let [streamed, copied, moved] = ["streamed", "copied", "moved"].map(|how| format!("{key}/{how}"));
    write_streaming(storage, &streamed, "text", options()).await.unwrap();
    storage.put_with(&copied, "text", PutOptions::new()).await.unwrap();
    storage.copy(key, &copied).await.unwrap();
    storage.copy(key, &moved).await.unwrap();
    storage.rename(&moved, format!("{moved}/on")).await.unwrap();
    for key in [key.to_owned(), streamed, copied, format!("{moved}/on")] {
        assert_eq!(storage.head(&key).await.unwrap().attributes, *attributes, "{key}: what head returns");
        let got = storage.get(&key, GetOptions::new()).await.unwrap();
        assert_eq!(got.attributes, *attributes, "{key}: what get returns");
    }
}

/// Where attributes are not stored, a write that has some is `Unsupported` and writes nothing.
async fn refuses_attributes(storage: &Storage, attributes: Attributes) {
    waive("attributes", "none are stored");
    let options = PutOptions::new().attributes(attributes);
    let put = storage.put_with("plain", "other", options.clone()).await;
    assert_eq!(kind("a put with attributes", put), ErrorKind::Unsupported);
    let writer = storage.writer_with("plain", options).await.map(drop);
    assert_eq!(kind("a writer with attributes", writer), ErrorKind::Unsupported);
    assert_ne!(storage.text("plain").await.ok().as_deref(), Some("other"), "nothing was written");
}
