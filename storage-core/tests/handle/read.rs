//! Whole objects, ranges, parallel download: what is asked for, and that it is of one version.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::stream::{self, StreamExt as _};
use storage_core::wrappers::{Intercepted, Policy};
use storage_core::{Body, ByteRange, DownloadOptions, ErrorKind, GetResult, Operation, Storage};
use storage_memory::Memory;

use crate::common::{Fault, Script};
use crate::{pattern, storage, with_object};

#[tokio::test]
async fn each_read_is_one_request() {
    let (script, storage) = with_object(100).await;
    storage.bytes("a").await.unwrap();
    storage.range("a", 3..9).await.unwrap();
    storage.head("a").await.unwrap();
    assert!(storage.exists("a").await.unwrap());
    assert!(!storage.exists("b").await.unwrap());
    assert_eq!((script.calls(Operation::Get), script.calls(Operation::Head), script.requests()), (2, 3, 5));
}

#[tokio::test]
async fn pieces_are_put_together() {
    let (script, storage) = with_object(1000).await;
    for piece in [1, 7, 999, 1000, 5000] {
        script.pieces(piece);
        assert_eq!(storage.bytes("a").await.unwrap(), pattern(1000), "pieces of {piece}");
        let pieces: Vec<Bytes> = storage.stream("a").await.unwrap().try_collect().await.unwrap();
        assert_eq!(pieces.concat(), pattern(1000));
        assert_eq!(pieces.len(), 1000_usize.div_ceil(piece), "the stream hands them on as they come");
    }
}

#[tokio::test]
async fn near_ranges_share_a_request_and_keep_their_order() {
    let (script, storage) = with_object(1_000_000).await;
    let ranges: [ByteRange; 5] =
        [(60_000..60_010).into(), (0..10).into(), (5..15).into(), (0..10).into(), (10..12).into()];
    let read = storage.ranges("a", &ranges).await.unwrap();
    let all = pattern(1_000_000);
    let expected: Vec<_> = [60_000..60_010, 0..10, 5..15, 0..10, 10..12].map(|range| all[range].to_vec()).into();
    assert_eq!(read, expected);
    assert_eq!(script.requests(), 1);
    assert_eq!(script.count(Operation::Get).bytes_out, 60_010);
}

#[tokio::test]
async fn far_ranges_have_their_own_requests() {
    let (script, storage) = with_object(1_000_000).await;
    let ranges: [ByteRange; 3] = [(900_000..900_010).into(), (0..10).into(), (500_000..500_010).into()];
    let read = storage.ranges("a", &ranges).await.unwrap();
    let all = pattern(1_000_000);
    assert_eq!(read, [900_000, 0, 500_000].map(|start| all[start..start + 10].to_vec()));
    assert_eq!(script.requests(), 3);
    assert_eq!(script.count(Operation::Get).bytes_out, 30, "nothing between them is fetched");
}

#[tokio::test]
async fn ranges_without_an_end_are_resolved_by_the_first_answer() {
    let (script, storage) = with_object(300_000).await;
    let all = pattern(300_000);
    let ranges = [(0..10).into(), ByteRange::Suffix(5), ByteRange::From(299_990), (299_980..400_000).into()];
    let read = storage.ranges("a", &ranges).await.unwrap();
    assert_eq!(read, [&all[..10], &all[299_995..], &all[299_990..], &all[299_980..]].map(<[u8]>::to_vec));
    assert_eq!(script.requests(), 2, "the end of the object is one request, its start another");
}

#[tokio::test]
async fn a_range_without_an_end_shares_its_request_with_those_near_it() {
    let all = pattern(300_000);
    let cases: [(&[ByteRange], u64); 5] = [
        (&[(0..10).into(), ByteRange::From(20)], 1),
        (&[ByteRange::From(200_000), (190_000..190_010).into(), ByteRange::Suffix(5), ByteRange::From(250_000)], 1),
        (&[ByteRange::Suffix(5), (0..10).into(), ByteRange::Suffix(1000)], 2),
        (&[ByteRange::Suffix(200_000), ByteRange::From(299_000), (0..10).into()], 3),
        (&[ByteRange::Suffix(u64::MAX), (0..u64::MAX).into(), ByteRange::From(299_999)], 1),
    ];
    for (ranges, requests) in cases {
        let (script, storage) = with_object(300_000).await;
        let read = storage.ranges("a", ranges).await.unwrap();
        let expected = ranges.iter().map(|range| {
            let range = range.resolve(300_000).unwrap();
            all[range.start as usize..range.end as usize].to_vec()
        });
        assert!(read == expected.collect::<Vec<_>>(), "{ranges:?}");
        assert_eq!(script.requests(), requests, "{ranges:?}");
    }
}

#[tokio::test]
async fn ranges_of_an_empty_object_are_suffixes_only() {
    let (_, storage) = with_object(0).await;
    assert_eq!(storage.ranges("a", &[ByteRange::Suffix(5), ByteRange::Suffix(9)]).await.unwrap(), [vec![], vec![]]);
    for range in [ByteRange::From(0), (0..5).into()] {
        let error = storage.ranges("a", &[ByteRange::Suffix(5), range]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RangeNotSatisfiable { size: 0 });
    }
}

#[tokio::test]
async fn no_range_at_all_still_says_whether_the_object_exists() {
    let (script, storage) = with_object(10).await;
    assert_eq!(storage.ranges("a", &[]).await.unwrap(), Vec::<Bytes>::new());
    assert_eq!(storage.ranges("b", &[]).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!((script.calls(Operation::Head), script.requests()), (2, 2));
}

#[tokio::test]
async fn one_bad_range_fails_the_call() {
    let (_, storage) = with_object(10).await;
    let past = storage.ranges("a", &[(0..5).into(), (10..12).into()]).await.unwrap_err();
    assert_eq!(past.kind(), ErrorKind::RangeNotSatisfiable { size: 10 });
}

#[tokio::test(start_paused = true)]
async fn ranges_are_of_one_version() {
    let memory = Arc::new(Memory::new());
    let direct = Storage::from_arc(memory.clone());
    direct.put("a", pattern(1_000_000)).await.unwrap();
    let script = Script::new();
    script.takes(Duration::from_secs(2));
    let storage = Storage::from_arc(script.around(memory));
    let overwrite = async {
        // Between the first request, which answers after two seconds, and the second one.
        tokio::time::sleep(Duration::from_secs(3)).await;
        direct.put("a", vec![0; 1_000_000]).await.unwrap();
    };
    let ranges = [(0..10).into(), (900_000..900_010).into()];
    let (read, ()) = tokio::join!(storage.ranges("a", &ranges), overwrite);
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ObjectChanged);
}

#[tokio::test(start_paused = true)]
async fn a_download_is_whole_and_its_requests_are_bounded() {
    let (script, storage) = with_object(1050).await;
    script.takes(Duration::from_secs(1));
    let options = DownloadOptions::new().part_size(100).concurrency(3);
    let (head, body) = storage.download("a", options).await.unwrap();
    assert_eq!(head.meta.size, 1050);
    let read: Vec<Bytes> = body.try_collect().await.unwrap();
    assert_eq!(read.concat(), pattern(1050));
    assert_eq!(script.requests(), 11);
    assert_eq!(script.most_running(), 3);
}

#[tokio::test]
async fn a_download_reads_ahead_no_further_than_it_may() {
    let (script, storage) = with_object(100_000).await;
    let (_, mut body) = storage.download("a", DownloadOptions::new().part_size(100).concurrency(4)).await.unwrap();
    for read in 1..=20 {
        body.try_next().await.unwrap().unwrap();
        assert!(script.requests() <= read + 4, "{} requests for {read} parts", script.requests());
    }
}

#[tokio::test]
async fn a_download_of_nothing_is_empty() {
    let (_, storage) = with_object(0).await;
    let (head, body) = storage.download("a", DownloadOptions::new()).await.unwrap();
    assert_eq!(head.meta.size, 0);
    assert_eq!(body.try_collect::<Vec<_>>().await.unwrap(), Vec::<Bytes>::new());
    let missing = storage.download("b", DownloadOptions::new()).await.map(drop);
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_download_of_what_is_empty_no_more_is_whole() {
    let memory = Arc::new(Memory::new());
    let direct = Storage::from_arc(memory.clone());
    direct.put("a", "").await.unwrap();
    let script = Script::new();
    script.takes(Duration::from_secs(2));
    let storage = Storage::from_arc(script.around(memory));
    let overwrite = async {
        // Between the first request, which says that there is no byte, and the second one.
        tokio::time::sleep(Duration::from_secs(3)).await;
        direct.put("a", "hello").await.unwrap();
    };
    let (read, ()) = tokio::join!(storage.download("a", DownloadOptions::new().part_size(2)), overwrite);
    let (head, body) = read.unwrap();
    assert_eq!((head.meta.size, body.try_collect::<Vec<_>>().await.unwrap().concat()), (5, b"hello".to_vec()));
}

#[tokio::test]
async fn a_download_is_of_one_version() {
    for gone in [false, true] {
        let (_, storage) = with_object(1000).await;
        let (_, mut body) = storage.download("a", DownloadOptions::new().part_size(100)).await.unwrap();
        assert_eq!(body.try_next().await.unwrap().unwrap(), pattern(1000)[..100]);
        match gone {
            true => storage.delete("a").await.unwrap(),
            false => drop(storage.put("a", pattern(1000)).await.unwrap()),
        }
        assert_eq!(body.try_next().await.unwrap_err().kind(), ErrorKind::ObjectChanged);
    }
}

#[tokio::test]
async fn an_object_over_the_limit_is_refused_before_its_bytes_are_read() {
    let (script, storage) = with_object(1000).await;
    script.pieces(10);
    let error = storage.bytes_limited("a", 999).await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::InvalidInput, Some("a")));
    assert_eq!(script.calls(Operation::Read), 0);
    assert_eq!(storage.bytes_limited("a", 1000).await.unwrap(), pattern(1000));
}

#[tokio::test]
async fn text_that_is_none_is_refused() {
    let (_, storage) = storage();
    storage.put("a", vec![0xff, 0xfe]).await.unwrap();
    assert_eq!(storage.text("a").await.unwrap_err().kind(), ErrorKind::InvalidInput);
    storage.put("a", "grüß").await.unwrap();
    assert_eq!(storage.text("a").await.unwrap(), "grüß");
}

/// Answers with bodies of another length than it says.
#[derive(Debug)]
struct WrongLength {
    streamed: bool,
    length: usize,
}

impl Policy for WrongLength {
    fn opened(&self, mut result: GetResult) -> GetResult {
        let bytes = Bytes::from(vec![0; self.length]);
        result.body = match self.streamed {
            true => Body::Stream(stream::iter([Ok(bytes)]).boxed()),
            false => Body::Bytes(bytes),
        };
        result
    }
}

#[tokio::test]
async fn a_body_of_the_wrong_length_is_an_error() {
    for streamed in [false, true] {
        for length in [0, 9, 11] {
            let backend = Intercepted::around(Arc::new(Memory::new()), WrongLength { streamed, length });
            let storage = Storage::new(backend);
            storage.put("a", pattern(10)).await.unwrap();
            let error = storage.bytes("a").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::LengthMismatch, "{length} bytes, streamed: {streamed}");
            assert_eq!((error.key(), error.backend()), (Some("a"), Some("memory")));
        }
    }
}

#[tokio::test]
async fn an_error_in_a_body_names_its_key_and_ends_it() {
    let (script, storage) = with_object(100).await;
    script.pieces(10);
    let mut body = storage.stream("a").await.unwrap();
    body.try_next().await.unwrap();
    script.fault(Operation::Read, Fault::Refused(ErrorKind::Unavailable));
    let error = body.try_next().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.key(), error.operation()),
        (ErrorKind::Unavailable, Some("a"), Some(Operation::Read))
    );
    assert!(body.next().await.is_none());
}
