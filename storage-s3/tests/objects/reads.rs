//! Rules R: ranges, their edges, and servers that take them otherwise.

use futures::TryStreamExt;
use s3_test_server::{Fault, FaultAction, ServerOptions};
use storage_core::{Body, ByteRange, ErrorKind, GetOptions};

use crate::hosting::{Host, kind, pattern};

/// R02–R05: the bytes, the range that they are, the size of the whole, in one request each.
#[tokio::test]
async fn ranges_give_their_bytes_in_one_request() {
    let host = Host::new().await;
    let content = pattern(1000);
    host.root.put("a", content.clone()).await.unwrap();
    for (range, expected) in [
        (ByteRange::from(0..1000), 0..1000),
        (ByteRange::from(10..20), 10..20),
        (ByteRange::from(990..5000), 990..1000),
        (ByteRange::from(0..u64::MAX), 0..1000),
        (ByteRange::from(999..), 999..1000),
        (ByteRange::from(0..), 0..1000),
        (ByteRange::Suffix(1), 999..1000),
        (ByteRange::Suffix(1000), 0..1000),
        (ByteRange::Suffix(u64::MAX), 0..1000),
    ] {
        for buffered in [false, true] {
            let mut options = GetOptions::new().range(range);
            options.buffered = buffered;
            let (result, requests) = host.requests(host.root.get("a", options)).await;
            let result = result.unwrap();
            assert_eq!((result.range.clone(), result.meta.size), (expected.start..expected.end, 1000), "{range:?}");
            assert_eq!(requests, ["GetObject"], "{range:?}");
            assert_eq!(matches!(result.body, Body::Bytes(_)), buffered);
            let bytes = result.body.into_stream().try_collect::<Vec<_>>().await.unwrap().concat();
            assert_eq!(bytes, content[expected.start as usize..expected.end as usize], "{range:?}");
        }
    }
}

/// R03, R04: past the end, and in an empty object.
#[tokio::test]
async fn the_edges_of_an_object_are_the_same_everywhere() {
    let host = Host::new().await;
    host.root.put("ten", pattern(10)).await.unwrap();
    host.root.put("none", "").await.unwrap();
    let get = |key: &'static str, range: ByteRange| host.root.get(key, GetOptions::new().range(range).buffered());
    for (key, range, size) in [
        ("ten", ByteRange::from(10..20), 10),
        ("ten", ByteRange::from(11..), 10),
        ("none", ByteRange::from(0..), 0),
        ("none", ByteRange::from(0..1), 0),
    ] {
        let (result, requests) = host.requests(get(key, range)).await;
        assert_eq!(kind(result), ErrorKind::RangeNotSatisfiable { size }, "{key} {range:?}");
        assert_eq!(requests, ["GetObject"], "{key} {range:?}");
    }
    for range in [ByteRange::Suffix(1), ByteRange::Suffix(100)] {
        let empty = get("none", range).await.unwrap();
        assert_eq!((empty.range, empty.meta.size), (0..0, 0));
        assert!(matches!(empty.body, Body::Bytes(bytes) if bytes.is_empty()));
    }
    assert!(host.root.bytes("none").await.unwrap().is_empty());
    assert_eq!(kind(get("missing", ByteRange::from(0..1)).await), ErrorKind::NotFound);
}

/// R09: a whole object where a range was asked for is cut, in the middle, at the end and past it.
#[tokio::test]
async fn an_ignored_range_is_cut_out() {
    let host = Host::new().await;
    let content = pattern(100_000);
    host.root.put("a", content.clone()).await.unwrap();
    host.fault(FaultAction::IgnoreRange, "GetObject");
    for range in [ByteRange::from(50_000..50_010), ByteRange::from(99_999..), ByteRange::Suffix(7)] {
        let cut = range.resolve(100_000).unwrap();
        let bytes = host.root.range("a", range).await.unwrap();
        assert_eq!(bytes, content.slice(cut.start as usize..cut.end as usize), "{range:?}");
    }
    let past = host.root.range("a", 100_000..100_001).await;
    assert_eq!(kind(past), ErrorKind::RangeNotSatisfiable { size: 100_000 });
}

/// R08, R10: a body that breaks goes on where it broke, pinned to the version that was begun.
#[tokio::test]
async fn a_broken_body_is_resumed() {
    let host = Host::new().await;
    let content = pattern(300_000);
    host.root.put("a", content.clone()).await.unwrap();
    for (range, from) in [(None, 0), (Some(ByteRange::from(1000..)), 1000)] {
        for buffered in [false, true] {
            let cut = host.server.inject(Fault::new(FaultAction::CutBody(100_000)).on("GetObject").times(2));
            let mut options = GetOptions::new();
            (options.range, options.buffered) = (range, buffered);
            let result = host.root.get("a", options).await.unwrap();
            let bytes = result.body.into_stream().try_collect::<Vec<_>>().await.unwrap().concat();
            assert_eq!(bytes, content[from..]);
            assert_eq!(cut.hits(), 2);
            cut.remove();
        }
    }
    let resumed = host.server.requests().into_iter().filter_map(|request| {
        let text = |name| request.header(name).map(str::to_owned);
        Some((text("range")?, text("if-match")?))
    });
    assert!(resumed.into_iter().any(|(range, _)| range == "bytes=100000-299999"));
}

/// R07: an object that changed under a read is never mixed with the old one.
#[tokio::test]
async fn a_change_under_a_broken_read_is_told() {
    let host = Host::new().await;
    host.root.put("a", pattern(300_000)).await.unwrap();
    for delete in [false, true] {
        host.root.put("a", pattern(300_000)).await.unwrap();
        let cut = host.once(FaultAction::CutBody(100_000), "GetObject");
        let mut body = host.root.stream("a").await.unwrap();
        let first = body.try_next().await.unwrap().unwrap();
        assert!(first.len() <= 100_000);
        match delete {
            true => host.root.delete("a").await.unwrap(),
            false => drop(host.root.put("a", vec![7; 300_000]).await.unwrap()),
        }
        let rest = body.try_collect::<Vec<_>>().await;
        assert_eq!(kind(rest), ErrorKind::ObjectChanged);
        cut.remove();
    }
}

/// R10, E05: a body that always breaks ends in an error, after a bounded number of requests.
#[tokio::test]
async fn a_body_that_keeps_breaking_is_an_error() {
    let host = Host::new().await;
    host.root.put("a", pattern(300_000)).await.unwrap();
    host.fault(FaultAction::CutBody(10), "GetObject");
    let (result, requests) = host.requests(host.root.bytes("a")).await;
    assert_eq!(kind(result), ErrorKind::Unavailable);
    assert_eq!(requests.len(), 5);
}

/// R13: offsets over 4 GiB, up to the largest object.
#[tokio::test]
async fn offsets_are_64_bit() {
    let host = Host::new().await;
    let size = 5 << 40;
    host.server.synthetic_object(crate::hosting::BUCKET, "huge", size);
    for start in [(4 << 30) - 3, size - 10] {
        let bytes = host.root.range("huge", start..start + 10).await.unwrap();
        assert_eq!(bytes, s3_test_server::synthetic_bytes(start, 10));
    }
    assert_eq!(host.root.range("huge", ByteRange::Suffix(5)).await.unwrap().len(), 5);
}

/// V02: a byte that was turned over on the way, or in the store, is never taken for the object.
#[tokio::test]
async fn a_wrong_byte_is_noticed() {
    use storage_s3::ChecksumPolicy::{Crc32c, Crc64Nvme};
    for checksum in [Crc32c, Crc64Nvme] {
        let host = Host::with(ServerOptions::new(), |options| options.checksum = checksum).await;
        host.root.put("a", pattern(100_000)).await.unwrap();
        assert_eq!(host.root.bytes("a").await.unwrap(), pattern(100_000));
        host.fault(FaultAction::FlipByte, "GetObject");
        assert_eq!(kind(host.root.bytes("a").await), ErrorKind::Corrupted);
        let stream = host.root.stream("a").await.unwrap();
        let (mut taken, mut failed) = (0, None);
        let mut stream = std::pin::pin!(stream);
        while failed.is_none() {
            match stream.try_next().await {
                Ok(Some(bytes)) => taken += bytes.len(),
                Ok(None) => break,
                Err(error) => failed = Some(error.kind()),
            }
        }
        assert_eq!(failed, Some(ErrorKind::Corrupted));
        assert!(taken < 100_000, "the last bytes come only when all are right");
    }
}
