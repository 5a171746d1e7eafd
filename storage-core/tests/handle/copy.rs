//! Copies and moves: inside a backend without a byte passing by, and across two.

use storage_core::{Attributes, CopyOptions, ETag, ErrorKind, Operation, Prefix, PutOptions, Storage};

use crate::{pattern, storage, with_object};

#[tokio::test]
async fn a_copy_inside_one_backend_streams_nothing() {
    let (script, root) = storage();
    let (one, two) = (root.sub("one").unwrap(), root.sub("two").unwrap());
    one.put("a", "hello").await.unwrap();
    script.reset();
    one.copy_to("a", &two, "b", CopyOptions::new()).await.unwrap();
    assert_eq!((script.calls(Operation::Copy), script.requests()), (1, 1));
    assert_eq!(root.text("two/b").await.unwrap(), "hello");

    one.copy_to("a", &root, "one/a", CopyOptions::new()).await.unwrap();
    assert_eq!(script.calls(Operation::Copy), 1, "onto itself, from another handle: nothing to copy");
}

/// Proves that roots which their driver calls parts of one whole copy inside it, sub-roots of them too, and that everything
/// else goes to the part's own backend.
#[tokio::test]
async fn parts_of_one_whole_copy_inside_it() {
    let (script, root) = storage();
    let part = |place: &str| {
        let place = Prefix::new(format!("{place}/")).unwrap();
        let own = root.sub(place.as_str()).unwrap();
        Storage::from_arc(own.backend().clone()).part_of(root.backend().clone(), place)
    };
    let (one, two) = (part("one"), part("two").sub("deep").unwrap());
    one.put("a", "hello").await.unwrap();
    script.reset();
    one.copy_to("a", &two, "b", CopyOptions::new()).await.unwrap();
    assert_eq!((script.calls(Operation::Copy), script.requests()), (1, 1));
    assert_eq!(root.text("two/deep/b").await.unwrap(), "hello");
    assert_eq!(two.text("b").await.unwrap(), "hello");
}

#[tokio::test]
async fn conditions_hold_between_sub_roots_and_errors_name_the_key_as_it_was_written() {
    let (_, root) = storage();
    let (one, two) = (root.sub("one").unwrap(), root.sub("two").unwrap());
    let written = one.put("a", "hello").await.unwrap();
    two.put("b", "kept").await.unwrap();
    let cases = [
        ("a", "b", CopyOptions::new().create_only(), ErrorKind::AlreadyExists),
        ("x", "b", CopyOptions::new(), ErrorKind::NotFound),
        ("a", "b", CopyOptions::new().if_source_match(ETag::new("other")), ErrorKind::PreconditionFailed),
    ];
    for (from, to, options, kind) in cases {
        let error = one.copy_to(from, &two, to, options).await.unwrap_err();
        assert_eq!((error.kind(), error.key(), error.operation()), (kind, Some(from), Some(Operation::Copy)));
    }
    assert_eq!(two.text("b").await.unwrap(), "kept");
    one.copy_to("a", &two, "c", CopyOptions::new().create_only().if_source_match(written.etag)).await.unwrap();
    assert_eq!(two.text("c").await.unwrap(), "hello");
}

#[tokio::test]
async fn a_copy_to_another_backend_takes_content_and_attributes() {
    for length in [10, 9 * 1024 * 1024] {
        let (from, source) = storage();
        let (to, target) = storage();
        let attributes = Attributes::new().content_type("text/plain").user("by", "me");
        source.put_with("a", pattern(length), PutOptions::new().attributes(attributes.clone())).await.unwrap();
        from.reset();
        from.pieces(1024 * 1024);
        source.copy_to("a", &target, "b", CopyOptions::new()).await.unwrap();
        assert!(target.bytes("b").await.unwrap() == pattern(length));
        assert_eq!(target.head("b").await.unwrap().attributes, attributes);
        assert_eq!(from.requests(), 1, "one get");
        assert_eq!(to.calls(Operation::Put) + to.calls(Operation::Finish), 1);
    }
}

#[tokio::test]
async fn conditions_hold_across_backends() {
    let (_, source) = with_object(10).await;
    let (_, target) = with_object(5).await;
    let exists = source.copy_to("a", &target, "a", CopyOptions::new().create_only()).await;
    assert_eq!(exists.unwrap_err().kind(), ErrorKind::AlreadyExists);
    let etag = source.head("a").await.unwrap().meta.etag;
    source.put("a", "other").await.unwrap();
    let changed = source.copy_to("a", &target, "b", CopyOptions::new().if_source_match(etag)).await;
    assert_eq!(changed.unwrap_err().kind(), ErrorKind::PreconditionFailed);
    let missing = source.copy_to("x", &target, "b", CopyOptions::new()).await;
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!target.exists("b").await.unwrap());
    assert_eq!(target.head("a").await.unwrap().meta.size, 5);
}

#[tokio::test]
async fn onto_itself_changes_nothing() {
    let (script, storage) = with_object(10).await;
    let before = storage.head("a").await.unwrap();
    assert_eq!(storage.copy("a", "a").await.unwrap().etag, before.meta.etag);
    assert_eq!(storage.rename("a", "a").await.unwrap().etag, before.meta.etag);
    assert_eq!(storage.head("a").await.unwrap(), before);
    assert_eq!((script.calls(Operation::Copy), script.calls(Operation::Rename)), (0, 0));
    assert_eq!(storage.rename("b", "b").await.unwrap_err().kind(), ErrorKind::NotFound);
    let exists = storage.copy_with("a", "a", CopyOptions::new().create_only()).await;
    assert_eq!(exists.unwrap_err().kind(), ErrorKind::AlreadyExists);
}
