//! Rules K: keys.

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use storage_core::{
    CopyOptions, Error, ErrorKind, GetOptions, Key, Location, MAX_KEY_LEN, Prefix, PutOptions, Result, Storage,
};

use crate::context::{part_not_asked, seed};
use crate::hostile::{CONTROL_NAMES, ENCODED, SPACES_AND_DOTS, SPECIAL, random_keys};
use crate::rule::rule;
use crate::support::{
    assert_absent, assert_found, assert_uri, content_of, for_all, keys, keys_under, kind, level, missing, round_trip,
    sorted, sweep, write_streaming,
};
use crate::{Fixture, Harness};

rule! {
    /// What is no key is refused as `InvalidKey`, with the reason and before any I/O, on every driver alike.
    K01, k01_invalid_keys_do_no_io, "Invalid keys are refused",
    why: "A key that one driver refuses and another stores under a changed name is an object that nobody finds again."
}
async fn k01_invalid_keys_do_no_io(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let missing = missing(harness).await;
    for key in ["", "/", "a//b", "../x", "a\0b", "x/"] {
        let reason = Key::new(key).unwrap_err();
        assert!(!reason.message().is_empty(), "the reason why {key:?} is refused");
        assert!(reason.help().is_some(), "what would be right instead of {key:?}");
        assert!(reason.key().is_some(), "the error names {key:?}");
        // A root that is missing would be `BackendNotFound` as soon as somebody looked.
        for storage in [Some(&root.storage), missing.as_ref()].into_iter().flatten() {
            for (call, refusal) in refusals(storage, key).await {
                assert_eq!(refusal.kind(), ErrorKind::InvalidKey, "{call} of {key:?}: {refusal}");
                assert_eq!(refusal.message(), reason.message(), "the reason of {call} of {key:?}");
            }
        }
        let many = root.storage.delete_many(["good", key, "good-too"]).await.unwrap();
        let done: Vec<_> = many.into_iter().map(|result| result.map_err(|error| error.kind())).collect();
        assert_eq!(done, [Ok(()), Err(ErrorKind::InvalidKey), Ok(())], "delete_many with {key:?} in between");
    }
    assert_eq!(keys(&root.storage).await, Vec::<String>::new(), "a refused call wrote nothing");
}

/// The errors of every call that takes a key.
async fn refusals(storage: &Storage, key: &str) -> Vec<(&'static str, Error)> {
    let file = std::env::current_exe().unwrap();
    let none = stream::empty::<Result<Bytes>>;
    let (copy, put) = (CopyOptions::new, PutOptions::new);
    let calls = [
        ("get", storage.get(key, GetOptions::new()).await.map(drop)),
        ("bytes", storage.bytes(key).await.map(drop)),
        ("range", storage.range(key, 0..1).await.map(drop)),
        ("ranges", storage.ranges(key, &[]).await.map(drop)),
        ("reader", storage.reader(key).await.map(drop)),
        ("head", storage.head(key).await.map(drop)),
        ("exists", storage.exists(key).await.map(drop)),
        ("put", storage.put(key, "x").await.map(drop)),
        ("put_if_absent", storage.put_if_absent(key, "x").await.map(drop)),
        ("put_stream", storage.put_stream(key, none(), put()).await.map(drop)),
        ("put_file", storage.put_file(key, &file, put()).await.map(drop)),
        ("writer", storage.writer(key).await.map(drop)),
        ("copy from", storage.copy(key, "good").await.map(drop)),
        ("copy to", storage.copy("good", key).await.map(drop)),
        ("rename from", storage.rename(key, "good").await.map(drop)),
        ("rename to", storage.rename("good", key).await.map(drop)),
        ("copy_to from", storage.copy_to(key, storage, "good", copy()).await.map(drop)),
        ("copy_to to", storage.copy_to("good", storage, key, copy()).await.map(drop)),
        ("delete", storage.delete(key).await),
        ("uri", storage.uri(key).map(drop)),
        ("local_path", storage.local_path(key).await.map(drop)),
    ];
    let refused = |(call, result): (&'static str, Result<()>)| match result {
        Ok(()) => panic!("{call} took {key:?}"),
        Err(error) => (call, error),
    };
    calls.into_iter().map(refused).collect()
}

/// Every call refuses these keys as `InvalidKey`, and nothing comes of it.
async fn assert_refused<K: AsRef<str>>(storage: &Storage, all: impl IntoIterator<Item = K>) {
    for key in all {
        let key = key.as_ref();
        for (call, refusal) in refusals(storage, key).await {
            assert_eq!(refusal.kind(), ErrorKind::InvalidKey, "{call} of {key:?}: {refusal}");
        }
    }
    assert_eq!(keys(storage).await, Vec::<String>::new(), "a refused call wrote nothing");
}

rule! {
    /// A key is never rewritten: not trimmed, collapsed, decoded or encoded. What was put lists back byte for byte.
    K02, k02_keys_are_never_rewritten, "Keys are never rewritten",
    why: "A widely used library trimmed and collapsed keys, so that ` a` and `a` were one object and the second put \
          destroyed the first."
}
async fn k02_keys_are_never_rewritten(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let more =
        ["a", "A", "a b", "a  b", "a%20b", "a+b", "a\\b", "a\\/b", "a/b", "a|b", "ａ", "å", "\u{212b}", "ﬁ", "fi"];
    let all = more.iter().chain(SPACES_AND_DOTS).chain(&["0", "00", "-0", "1e3", "null", "a\u{200b}", "a\u{a0}"]);
    round_trip(&root.storage, all).await;
}

rule! {
    /// A key has 1 to 1,024 bytes of UTF-8, counted with the prefix of every sub-root before it; `max_key_len` says
    /// what is left.
    K03, k03_length_limits, "Length of keys",
    why: "A limit that differs from driver to driver shows on the day of the move to another one, with the longest \
          keys."
}
async fn k03_length_limits(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    let most = storage.max_key_len();
    assert!(most <= MAX_KEY_LEN, "a root takes keys of {most} bytes");
    let least = room(&root);
    assert!(most >= least, "a root takes keys of {most} bytes, and has room for {least}");
    let too_long = ["x".repeat(most + 1), "é".repeat(most / 2 + 1), "d/".repeat(most / 2) + "xx", "x".repeat(5000)];
    assert_refused(storage, too_long).await;
    let longest = segments(most, 100);
    let bytes_not_characters = segments(most % 2, 100) + &"é".repeat(most / 2);
    round_trip(storage, ["x", &longest, &bytes_not_characters]).await;
    storage.copy("x", &segments(most, 50)).await.unwrap();

    let sub = storage.sub("s/é").unwrap();
    assert_eq!(sub.max_key_len(), most - "s/é/".len());
    let key = segments(sub.max_key_len(), 90);
    sub.put(&key, "long").await.unwrap();
    assert_eq!(keys(&sub).await, [&*key]);
    assert_eq!(storage.text(format!("s/é/{key}")).await.unwrap(), "long");
    assert_eq!(kind("a key too long for a sub-root", sub.put(format!("{key}x"), "").await), ErrorKind::InvalidKey);
    let full = "x".repeat(most);
    assert_eq!(storage.sub(full).map(drop).unwrap_err().kind(), ErrorKind::InvalidKey, "a sub-root without room");
}

/// How long the keys of a root may be at least: all that its own path leaves, where it is known what a driver counts.
fn room(root: &Fixture) -> usize {
    /// What stands in front is never longer than this.
    const FRONT: usize = MAX_KEY_LEN / 2;
    match root.storage.location() {
        // The path may or may not end in the `/` that counts.
        Some(Location::Object(place)) if place.scheme == "s3" => MAX_KEY_LEN.saturating_sub(place.path.len() + 1),
        _ => MAX_KEY_LEN - FRONT,
    }
}

/// A key of so many bytes, in segments of at most `each`.
fn segments(length: usize, each: usize) -> String {
    let mut key: String = (0..length).map(|i| if i % (each + 1) == each { '/' } else { 'k' }).collect();
    if key.ends_with('/') {
        key.pop();
        key.push('k');
    }
    key
}

rule! {
    /// An empty key, a `/` at its beginning or end, and an empty segment are `InvalidKey`.
    K04, k04_empty_segments, "Empty segments",
    why: "Where `a//b` and `a/b` meet in one file, one of the two objects is lost."
}
async fn k04_empty_segments(harness: &dyn Harness) {
    let root = harness.fresh().await;
    assert_refused(&root.storage, ["", "/", "//", "/a", "a/", "a//b", "a/b/", "//a", "a///b", "a/b//", " //a"]).await;
}

rule! {
    /// A segment `.` or `..` is `InvalidKey`, anywhere; longer names that begin or end so are keys.
    K05, k05_dot_segments, "Dot segments",
    why: "In a widely used library the key `../other-tenant/x` went out as another tenant's key."
}
async fn k05_dot_segments(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let refused = [".", "..", "./a", "../a", "a/.", "a/..", "a/./b", "a/../b", "../../etc/passwd", "a/b/../../../c"];
    assert_refused(&root.storage, refused).await;
    round_trip(&root.storage, ["...", "..a", "a..", ".a", "a/..b", "a/b..", "a/.../b", ". ", " .."]).await;
}

rule! {
    /// NUL, the other control characters, DEL, U+FFFE and U+FFFF are `InvalidKey`; their neighbours are literal.
    K06, k06_control_characters, "Control characters",
    why: "A listing in XML 1.0 cannot carry them, so that one such key would break the listing of all others."
}
async fn k06_control_characters(harness: &dyn Harness) {
    let root = harness.fresh().await;
    for refused in ('\0'..='\x1f').chain(['\x7f', '\u{fffe}', '\u{ffff}']) {
        assert_refused(&root.storage, [format!("{refused}"), format!("a{refused}"), format!("d/{refused}b/c")]).await;
    }
    let neighbours =
        [' ', '~', '\u{80}', '\u{85}', '\u{9f}', '\u{fffd}', '\u{fdd0}', '\u{10000}', '\u{1fffe}', '\u{10ffff}'];
    round_trip(&root.storage, neighbours.map(|character| format!("a{character}b"))).await;
}

rule! {
    /// Spaces and dots at the ends of a segment are kept.
    K07, k07_spaces_and_dots_kept, "Spaces and dots are kept",
    why: "Trimming merges keys that differ in nothing but a space or a dot at an end, and the last put wins."
}
async fn k07_spaces_and_dots_kept(harness: &dyn Harness) {
    let root = harness.fresh().await;
    round_trip(&root.storage, SPACES_AND_DOTS).await;
    let all = sorted(SPACES_AND_DOTS);
    for_all(&all, async |key| {
        write_streaming(&root.storage, key, content_of(key), PutOptions::new()).await.unwrap();
    })
    .await;
    assert_eq!(keys(&root.storage).await, all, "written again, through a writer");
}

rule! {
    /// Characters that mean something elsewhere round-trip through put, get, head, list, copy, move, delete and URI.
    K08, k08_special_characters, "Special characters",
    why: "A character that is escaped once too often or too little makes another object, or a request whose signature \
          is wrong."
}
async fn k08_special_characters(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    let inside = SPECIAL.iter().map(|special| format!("a{special}b"));
    let alone = SPECIAL.iter().map(|special| format!("{special}/{special}{special}"));
    let all: Vec<_> = inside.chain(alone).chain([SPECIAL.concat()]).collect();
    round_trip(storage, &all).await;

    for_all(&all, async |key| {
        let (copied, moved) = (format!("copied/{key}"), format!("{key}.moved"));
        storage.copy(key, &copied).await.unwrap();
        storage.rename(key, &moved).await.unwrap();
        assert_eq!(storage.text(&copied).await.unwrap(), content_of(key));
        assert_eq!(storage.text(&moved).await.unwrap(), content_of(key));
        assert_absent(storage, key).await;
        storage.delete(&copied).await.unwrap();
        assert_absent(storage, &copied).await;
    })
    .await;
    let moved: Vec<_> = all.iter().map(|key| format!("{key}.moved")).collect();
    assert_eq!(keys(storage).await, sorted(&moved));
    assert!(storage.delete_many(&moved).await.unwrap().iter().all(Result::is_ok));
    assert_eq!(keys(storage).await, Vec::<String>::new());
}

rule! {
    /// `%2F`, `%2e%2e`, `&amp;` and their like are literal text, beside what they would decode to.
    K09, k09_encodings_are_literal, "Encodings are literal",
    why: "Who decodes `%2F` in a key opens a way out of the prefix that a tenant was given."
}
async fn k09_encodings_are_literal(harness: &dyn Harness) {
    let root = harness.fresh().await;
    round_trip(&root.storage, ENCODED).await;
}

rule! {
    /// Two Unicode spellings of a text are two keys, and so are two cases of a letter, in any segment.
    K10, k10_normal_forms_and_case, "Normal forms and case",
    why: "File systems that fold case or normalise text merge two objects into one in silence."
}
async fn k10_normal_forms_and_case(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let names = [
        "caf\u{e9}",
        "cafe\u{301}",
        "a",
        "A",
        "ß",
        "SS",
        "ss",
        "ẞ",
        "K",
        "k",
        "\u{212a}",
        "ı",
        "i",
        "I",
        "İ",
        "Å",
        "\u{212b}",
    ];
    let nested = names.iter().map(|name| format!("d/{name}/x"));
    let all: Vec<_> = names.iter().map(|name| (*name).to_owned()).chain(nested).collect();
    round_trip(&root.storage, &all).await;
    for gone in ["caf\u{e9}", "A", "d/caf\u{e9}/x", "d/A/x"] {
        root.storage.delete(gone).await.unwrap();
        assert_absent(&root.storage, gone).await;
    }
    for kept in ["cafe\u{301}", "a", "d/cafe\u{301}/x", "d/a/x"] {
        assert_found(&root.storage, kept).await;
    }
}

rule! {
    /// A single segment may be as long as a key, as the name of an object and before a `/`.
    K11, k11_long_segments, "Long segments",
    why: "File names end at 255 bytes, where keys go on; without an escape long keys work in a bucket and fail in a \
          directory."
}
async fn k11_long_segments(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    let most = storage.max_key_len();
    let lengths = [199, 200, 201, 239, 240, 241, 254, 255, 256, 257, 512, most - 5, most];
    let mut all: Vec<String> = lengths.iter().map(|length| "n".repeat(*length)).collect();
    all.push("é".repeat(most / 2));
    all.push("😀".repeat(most / 4));
    all.push("%".repeat(most));
    // Alike but for their ends, and short names that belong between the long ones.
    all.extend(["o", "p"].map(|end| "n".repeat(most - 1) + end));
    all.extend(["n", "nn", "no", "m", "é", "%"].map(str::to_owned));
    // Long names before a '/'.
    all.extend([255, 256, most - 2].map(|length| "n".repeat(length) + "/x"));
    all.push("d/".to_owned() + &"n".repeat(most - 2));
    round_trip(storage, &all).await;

    let long = "w".repeat(most);
    write_streaming(storage, &long, content_of(&long), PutOptions::new()).await.unwrap();
    assert_found(storage, &long).await;
    storage.rename(&long, "moved").await.unwrap();
    storage.copy("moved", &long).await.unwrap();
    storage.delete("moved").await.unwrap();
    assert_found(storage, &long).await;
    assert_eq!(storage.delete_all().await.unwrap(), all.len() as u64 + 1);
    assert_eq!(keys(storage).await, Vec::<String>::new());
}

rule! {
    /// No key is reserved: names that look like control files live beside each other, as objects and as levels, and
    /// outlive a sweep.
    K12, k12_no_reserved_names, "No reserved names",
    why: "A driver that keeps its notes beside the objects hides, overwrites or removes the user's objects of those \
          names."
}
async fn k12_no_reserved_names(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    let below = CONTROL_NAMES.iter().map(|name| format!("{name}/x"));
    let nested = CONTROL_NAMES.iter().map(|name| format!("n/{name}"));
    let mut all: Vec<_> = CONTROL_NAMES.iter().map(|name| (*name).to_owned()).chain(below).chain(nested).collect();
    round_trip(storage, &all).await;

    assert_eq!(sweep(storage).await, 0, "a sweep takes no object for a leftover");
    assert_eq!(keys(storage).await, sorted(&all), "after the sweep");
    // Every other, so that a name goes while what is below it stays, and the other way.
    all.sort_by_key(|key| key.len() % 2);
    let (kept, gone) = all.split_at(all.len() / 2);
    for_all(gone, async |key| storage.delete(key).await.unwrap()).await;
    assert_eq!(keys(storage).await, sorted(kept), "after the others were deleted");
    for_all(kept, async |key| assert_eq!(storage.text(key).await.unwrap(), content_of(key))).await;
}

rule! {
    /// `a`, `a/b` and `a/b/c` coexist, whatever the order in which they come and go.
    K13, k13_nested_keys_coexist, "Nested keys coexist",
    why: "The drivers for directories of opendal and object_store cannot hold `a` and `a/b` at once: what a bucket \
          holds cannot be copied to disk."
}
async fn k13_nested_keys_coexist(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let pairs = orders.into_iter().flat_map(|created| orders.map(|deleted| (created, deleted)));
    let come_and_go = pairs.map(|(created, deleted)| {
        let storage = root.storage.sub(format!("{created:?}{deleted:?}")).unwrap();
        async move { come_and_go(&storage, created, deleted).await }
    });
    stream::iter(come_and_go).buffer_unordered(4).collect::<()>().await;
    assert_eq!(keys(&root.storage).await, Vec::<String>::new());
}

const NESTED: [&str; 3] = ["a", "a/b", "a/b/c"];

/// Makes the nested keys in one order, deletes them in another, and looks at them after each step.
async fn come_and_go(storage: &Storage, created: [usize; 3], deleted: [usize; 3]) {
    let mut there = Vec::new();
    for key in created.map(|i| NESTED[i]) {
        storage.put(key, content_of(key)).await.unwrap();
        there.push(key);
        assert_nested(storage, &there).await;
    }
    for key in deleted.map(|i| NESTED[i]) {
        storage.delete(key).await.unwrap();
        there.retain(|other| *other != key);
        assert_nested(storage, &there).await;
    }
}

/// Exactly these of the nested keys are there.
async fn assert_nested(storage: &Storage, there: &[&str]) {
    assert_eq!(keys(storage).await, sorted(there));
    for key in NESTED {
        match storage.text(key).await {
            Ok(text) => {
                assert!(there.contains(&key) && text == content_of(key), "{key:?} beside {there:?} holds {text:?}")
            }
            Err(error) => {
                assert!(!there.contains(&key), "{key:?} of {there:?}: {error}");
                assert_eq!(error.kind(), ErrorKind::NotFound, "{key:?} beside {there:?}");
                assert_eq!(kind(key, storage.head(key).await), ErrorKind::NotFound, "{key:?} beside {there:?}");
            }
        }
    }
    let mut top: Vec<_> = there.iter().filter(|key| **key == "a").copied().collect();
    top.extend(there.iter().any(|key| key.len() > 1).then_some("a/"));
    assert_eq!(level(storage, "").await, top, "one level of {there:?}");
}

rule! {
    /// A prefix obeys the rules of keys, but it may be empty, end in `/`, and have `.` or `..` as its unfinished last
    /// segment; it matches as a string.
    K14, k14_prefixes, "Prefixes",
    why: "A prefix that matches by path and not as a string lists other objects in a directory than in a bucket."
}
async fn k14_prefixes(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    let all = [
        "o/a",
        "o/a-b",
        "o/a/b",
        "o/ab",
        "o/b",
        "oa",
        "a/.git",
        "a/..x",
        "a/b",
        ".hid",
        "..two",
        "cafe\u{301}",
        "café",
    ];
    round_trip(storage, all).await;
    let under = [
        ("o/a", vec!["o/a", "o/a-b", "o/a/b", "o/ab"]),
        ("o", vec!["o/a", "o/a-b", "o/a/b", "o/ab", "o/b", "oa"]),
        ("o/", vec!["o/a", "o/a-b", "o/a/b", "o/ab", "o/b"]),
        ("o/a/", vec!["o/a/b"]),
        ("a/.", vec!["a/..x", "a/.git"]),
        ("a/..", vec!["a/..x"]),
        (".", vec!["..two", ".hid"]),
        ("..", vec!["..two"]),
        ("cafe", vec!["cafe\u{301}"]),
        ("O", vec![]),
        ("o/a/b/", vec![]),
        ("a/.git/", vec![]),
    ];
    for (prefix, keys) in under {
        assert_eq!(keys_under(storage, prefix).await, keys, "under {prefix:?}");
    }
    assert_eq!(level(storage, "o/a").await, ["o/a", "o/a-b", "o/a/", "o/ab"]);
    assert_eq!(keys(storage).await, sorted(all), "the empty prefix matches everything");

    let missing = missing(harness).await;
    for storage in [Some(storage), missing.as_ref()].into_iter().flatten() {
        let too_long = "p".repeat(storage.max_key_len() + 1);
        let malformed = ["/", "/a", "a//", "a//b", "./", "../", "../a", "a/../", "a/./b", "a\0", "\n", "\u{ffff}"];
        for refused in malformed.into_iter().chain([too_long.as_str()]) {
            assert_eq!(kind(refused, storage.list_all(refused).await), ErrorKind::InvalidKey, "list_all {refused:?}");
            assert_eq!(kind(refused, storage.usage(refused).await), ErrorKind::InvalidKey, "usage {refused:?}");
            assert_eq!(kind(refused, storage.sub(refused)), ErrorKind::InvalidKey, "sub {refused:?}");
            let deleted = storage.delete_prefix(refused).await;
            assert_eq!(kind(refused, deleted), ErrorKind::InvalidKey, "delete_prefix {refused:?}");
        }
    }
    assert!(Prefix::new("a/.").is_ok() && Prefix::new("").is_ok());
}

rule! {
    /// The URI of every key leads back to it, and says the same when it is written again; a root without an address
    /// answers `Unsupported`.
    K15, k15_uri_round_trip, "URIs lead back",
    why: "Keys with `#` or `?` could be stored by a widely used library, and their addresses could not be opened \
          again."
}
async fn k15_uri_round_trip(harness: &dyn Harness) {
    let root = harness.fresh().await;
    let storage = &root.storage;
    let mut all: Vec<String> = random_keys(seed(), 2000).iter().map(ToString::to_string).collect();
    all.extend([SPACES_AND_DOTS, SPECIAL, ENCODED, CONTROL_NAMES].concat().iter().map(ToString::to_string));
    let all = sorted(all);
    for key in &all {
        assert_uri(storage, key);
    }
    if let Some(location) = storage.location() {
        let uris = sorted(all.iter().map(|key| storage.uri(key).unwrap()));
        assert_eq!(uris.len(), all.len(), "no two keys have one URI");
        assert_eq!(storage_core::Location::parse(&location.to_string()).unwrap(), location, "the root's own address");
        let sub = storage.sub("sub-root").unwrap();
        assert_eq!(sub.uri("x").unwrap(), storage.uri("sub-root/x").unwrap(), "a sub-root's keys have the same URIs");
        opens_again(storage, &harness.attach(&root.address).await).await;
    }
}

/// Who has nothing but the URI of an object opens it through another handle on the root.
async fn opens_again(storage: &Storage, other: &Storage) {
    let Some(root) = other.location() else { return part_not_asked("another handle on the root has no address") };
    for key in SPECIAL.iter().map(|special| format!("a{special}b")) {
        storage.put(&key, content_of(&key)).await.unwrap();
        let uri = storage.uri(&key).unwrap();
        let found = Location::parse(&uri).unwrap().key_under(&root);
        let found = found.unwrap_or_else(|| panic!("{uri:?} lies under {root}"));
        assert_eq!(other.text(&found).await.unwrap(), content_of(&key), "what {uri:?} opens");
    }
}
