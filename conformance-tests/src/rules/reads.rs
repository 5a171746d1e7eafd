//! Rules R: reads.

use std::io::SeekFrom;

use bytes::Bytes;
use futures::stream::{StreamExt, TryStreamExt};
use storage_core::{
    Attributes, Body, ByteRange, DownloadOptions, Error, ErrorKind, GetOptions, Operation, PutOptions, Result, Storage,
};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::Harness;
use crate::rule::rule;
use crate::spy::{Spy, in_pieces};
use crate::support::{bytes, kind, missing};

/// More than any driver's piece of a stream, and than two windows of a reader.
const LARGE: usize = 3 << 20;

rule! {
    /// An inverted or empty range, and a suffix of nothing, are `InvalidInput` before any I/O: whether the object or
    /// the root exists does not matter.
    R01, r01_refused_ranges, "Refused ranges",
    why: "Drivers read an empty or inverted range as everything, as nothing or as an error, each in its own way."
}
async fn r01_refused_ranges(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    fixture.storage.put("k", "0123456789").await.unwrap();
    let (storage, log) = Spy::new(&fixture.storage).open();
    let missing = missing(harness).await;
    let refused = [(5, 5), (0, 0), (6, 5), (u64::MAX, 0), (u64::MAX, u64::MAX), (10, 10), (99, 98)];
    let refused = refused.map(|(start, end)| ByteRange::Bounded { start, end });
    for range in refused.into_iter().chain([ByteRange::Suffix(0)]) {
        let missing = missing.as_ref().map(|missing| (missing, "k"));
        for (storage, key) in [(&storage, "k"), (&storage, "no-such")].into_iter().chain(missing) {
            let what = format!("{range:?} of {key}");
            assert_eq!(kind(&what, storage.range(key, range).await), ErrorKind::InvalidInput, "{what}");
            let got = storage.get(key, GetOptions::new().range(range)).await;
            assert_eq!(kind(&what, got), ErrorKind::InvalidInput, "{what} by get");
            let many = storage.ranges(key, &[ByteRange::from(0..1), range, ByteRange::From(2)]).await;
            assert_eq!(kind(&what, many), ErrorKind::InvalidInput, "{what} among others");
        }
    }
    assert_eq!(log.count(Operation::Get) + log.count(Operation::Head), 0, "no I/O for a range that is refused");
}

rule! {
    /// An end past the end of the object is clamped to it.
    R02, r02_end_is_clamped, "The end is clamped",
    why: "Readers ask for blocks of a fixed size, and the last one is nearly always shorter."
}
async fn r02_end_is_clamped(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    storage.put("k", "0123456789").await.unwrap();
    let cases =
        [(5..11, "56789"), (5..u64::MAX, "56789"), (9..4096, "9"), (0..11, "0123456789"), (0..10, "0123456789")];
    for (range, text) in cases {
        let result = storage.get("k", GetOptions::new().range(range.clone())).await.unwrap();
        assert_eq!(result.range, range.start..10, "{range:?}: the range that is reported");
        assert_eq!(storage.range("k", range.clone()).await.unwrap(), text, "{range:?}");
    }
    assert_eq!(storage.range("k", 7..=u64::MAX).await.unwrap(), "789", "an inclusive end that cannot be more");
}

rule! {
    /// A start at or past the end is `RangeNotSatisfiable`, with the object's size.
    R03, r03_start_past_the_end, "Start past the end",
    why: "An empty answer in the place of an error sends a reader into an endless loop at the end of a growing object."
}
async fn r03_start_past_the_end(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    storage.put("ten", "0123456789").await.unwrap();
    storage.put("empty", "").await.unwrap();
    let cases: [(&str, u64, &[ByteRange]); 2] = [
        (
            "ten",
            10,
            &[(10..11).into(), (10..).into(), (11..20).into(), (u64::MAX - 1..u64::MAX).into(), (u64::MAX..).into()],
        ),
        ("empty", 0, &[(0..1).into(), (0..).into(), (1..2).into(), (0..u64::MAX).into()]),
    ];
    for (key, size, ranges) in cases {
        for &range in ranges {
            let what = format!("{range:?} of {key}");
            let due = ErrorKind::RangeNotSatisfiable { size };
            assert_eq!(kind(&what, storage.range(key, range).await), due, "{what}");
            assert_eq!(kind(&what, storage.get(key, GetOptions::new().range(range)).await), due, "{what} by get");
            assert_eq!(kind(&what, storage.ranges(key, &[range]).await), due, "{what} by ranges");
        }
    }
}

rule! {
    /// A suffix longer than the object gives the whole object, and any suffix of an empty object gives nothing.
    R04, r04_suffixes, "Suffixes",
    why: "Formats with a footer read the last bytes first; servers answer 416 to a suffix that is longer than the \
          object."
}
async fn r04_suffixes(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    storage.put("ten", "0123456789").await.unwrap();
    storage.put("empty", "").await.unwrap();
    for (bytes, text) in [(1, "9"), (3, "789"), (10, "0123456789"), (11, "0123456789"), (u64::MAX, "0123456789")] {
        let range = ByteRange::Suffix(bytes);
        assert_eq!(storage.range("ten", range).await.unwrap(), text, "the last {bytes} bytes");
        assert_eq!(storage.range("empty", range).await.unwrap(), "", "the last {bytes} bytes of nothing");
        let got = storage.get("ten", GetOptions::new().range(range)).await.unwrap();
        assert_eq!(got.range, 10 - text.len() as u64..10, "the range that the last {bytes} bytes are");
        assert_eq!(storage.ranges("empty", &[range, range]).await.unwrap(), ["", ""], "by ranges");
    }
}

rule! {
    /// A ranged result says which range it holds and how large the whole object is.
    R05, r05_ranged_result_reports, "What a range reports",
    why: "A reader that knows neither what it holds nor how large the object is needs a second request for it."
}
async fn r05_ranged_result_reports(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    let data = bytes(5, 200_000);
    storage.put("k", data.clone()).await.unwrap();
    let head = storage.head("k").await.unwrap();
    let cases = [
        (None, 0..200_000),
        (Some(ByteRange::from(0..1)), 0..1),
        (Some((70_000..150_001).into()), 70_000..150_001),
        (Some((199_999..).into()), 199_999..200_000),
        (Some(ByteRange::Suffix(65_537)), 134_463..200_000),
    ];
    for (range, held) in cases {
        for buffered in [false, true] {
            let mut options = GetOptions::new();
            (options.range, options.buffered) = (range, buffered);
            let result = storage.get("k", options).await.unwrap();
            assert_eq!(result.range, held, "{range:?}: the range");
            assert_eq!(result.meta, head.meta, "{range:?}: size, etag and time of the whole object");
            let body = read(result.body).await.unwrap();
            assert_eq!(body, data.slice(held.start as usize..held.end as usize), "{range:?}: the bytes");
        }
    }
}

rule! {
    /// Many ranges in one call come back in the order asked for, overlapping, repeated or not, each by R01–R04. Near
    /// ranges share a request, and an empty list still says whether the object exists.
    R06, r06_many_ranges, "Many ranges",
    why: "Column formats read hundreds of small ranges; one request for each is a hundred times the latency."
}
async fn r06_many_ranges(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let data = bytes(6, 2 << 20);
    fixture.storage.put("k", data.clone()).await.unwrap();
    let (storage, log) = Spy::new(&fixture.storage).open();

    let ranges: [ByteRange; 10] = [
        (1_500_000..1_500_010).into(),
        (0..10).into(),
        (5..20).into(),
        (0..10).into(),
        (2_097_151..).into(),
        ByteRange::Suffix(7),
        (2_000_000..u64::MAX).into(),
        (700_000..700_001).into(),
        (0..2_097_152).into(),
        (1_500_000..1_500_010).into(),
    ];
    let got = storage.ranges("k", &ranges).await.unwrap();
    assert_eq!(got.len(), ranges.len());
    for (range, got) in ranges.iter().zip(got) {
        let due = range.resolve(data.len() as u64).unwrap();
        assert_eq!(got, data.slice(due.start as usize..due.end as usize), "{range:?}");
    }

    log.clear();
    let near: Vec<ByteRange> = (0..100).rev().map(|i| (i * 20..i * 20 + 10).into()).collect();
    let got = storage.ranges("k", &near).await.unwrap();
    assert!(got.iter().rev().enumerate().all(|(i, got)| *got == data[i * 20..i * 20 + 10]), "each in its place");
    assert_eq!(log.count(Operation::Get), 1, "near ranges share a request");
    assert_eq!(log.count(Operation::Head), 0, "and need no other");

    let past = storage.ranges("k", &[(0..1).into(), (2_097_152..).into()]).await;
    assert_eq!(kind("one range past the end", past), ErrorKind::RangeNotSatisfiable { size: 2 << 20 });
    assert!(storage.ranges("k", &[]).await.unwrap().is_empty(), "no ranges of an object");
    assert_eq!(kind("no ranges of no object", storage.ranges("no-such", &[]).await), ErrorKind::NotFound);
    assert_eq!(kind("ranges of no object", storage.ranges("no-such", &near).await), ErrorKind::NotFound);
}

rule! {
    /// One read is of one version: a read made of several requests that meets another version ends with
    /// `ObjectChanged`.
    R07, r07_one_version, "One version a read",
    why: "Widely used libraries mix two versions in a read of several requests, and nothing shows it."
}
async fn r07_one_version(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    let [old, new] = [b'A', b'B'].map(|letter| Bytes::from(vec![letter; LARGE]));
    for change in ["overwrite", "delete"] {
        storage.put("k", old.clone()).await.unwrap();
        let (_, mut download) =
            storage.download("k", DownloadOptions::new().part_size(1000).concurrency(1)).await.unwrap();
        let mut reader = storage.reader("k").await.unwrap();
        let mut first = [0; 10];
        reader.read_exact(&mut first).await.unwrap();
        assert_eq!(download.try_next().await.unwrap().unwrap().len(), 1000);
        match change {
            "overwrite" => drop(storage.put("k", new.clone()).await.unwrap()),
            _ => storage.delete("k").await.unwrap(),
        }
        let rest: Result<Vec<Bytes>> = download.try_collect().await;
        assert_eq!(kind("a download", rest), ErrorKind::ObjectChanged, "a download under {change}");
        let rest = reader.read_to_end(&mut Vec::new()).await.map_err(Error::from);
        assert_eq!(kind("a reader", rest), ErrorKind::ObjectChanged, "a reader under {change}");
    }

    storage.put("k", old.clone()).await.unwrap();
    let (behind, data) = (storage.clone(), new.clone());
    let overwrite = move || {
        let (behind, data) = (behind.clone(), data.clone());
        Box::pin(async move { drop(behind.put("k", data).await.unwrap()) }) as _
    };
    let (changing, _) = Spy::new(storage).after_get(overwrite).open();
    let far = [ByteRange::from(0..10), (1_000_000..1_000_010).into(), (3_000_000..3_000_010).into()];
    let mixed = changing.ranges("k", &far).await;
    assert_eq!(kind("far ranges with a change between them", mixed), ErrorKind::ObjectChanged);
}

rule! {
    /// A read that began before a delete, an overwrite or a move ends with the old bytes or with `ObjectChanged`.
    R08, r08_read_under_change, "Read under change",
    why: "A stream that goes on with the new object's bytes hands over something that never existed."
}
async fn r08_read_under_change(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    let [old, new] = [b'A', b'B'].map(|letter| Bytes::from(vec![letter; LARGE]));
    for change in ["overwrite", "shorten", "delete", "move", "move onto it"] {
        storage.put("k", old.clone()).await.unwrap();
        storage.put("other", new.clone()).await.unwrap();
        let mut stream = storage.stream("k").await.unwrap();
        let mut got = stream.try_next().await.unwrap().unwrap().to_vec();
        match change {
            "overwrite" => drop(storage.put("k", new.clone()).await.unwrap()),
            "shorten" => drop(storage.put("k", "B").await.unwrap()),
            "delete" => storage.delete("k").await.unwrap(),
            "move" => drop(storage.rename("k", "elsewhere").await.unwrap()),
            _ => drop(storage.rename("other", "k").await.unwrap()),
        }
        loop {
            match stream.try_next().await {
                Ok(Some(piece)) => got.extend_from_slice(&piece),
                Ok(None) => break assert!(got == old, "{change}: the old bytes, all of them and nothing else"),
                Err(error) => break assert_eq!(error.kind(), ErrorKind::ObjectChanged, "{change}: {error}"),
            }
        }
        assert!(old.starts_with(&got), "{change}: what came is old");
    }
}

rule! {
    /// A body that is shorter, or longer, than announced is an error and never a silent end, whichever way it is read.
    R10, r10_short_body, "Short bodies",
    why: "A connection that breaks looks like an end; taken for one it makes a truncated copy that looks whole."
}
async fn r10_short_body(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let target = harness.fresh().await;
    fixture.storage.put("k", bytes(10, 200_000)).await.unwrap();
    target.storage.put("k", "before").await.unwrap();
    type Lie = fn(Bytes) -> Body;
    let lies: [(&str, Lie); 4] = [
        ("short bytes", |whole| Body::Bytes(whole.slice(..whole.len() - 1))),
        ("a short stream", |whole| in_pieces(Body::Bytes(whole.slice(..whole.len() - 1)), 1000, |_| ())),
        ("no stream at all", |_| Body::Stream(futures::stream::empty().boxed())),
        ("a long stream", |whole| in_pieces(Body::Bytes([&whole[..], b"!"].concat().into()), 1000, |_| ())),
    ];
    for (lie, body) in lies {
        let (liar, _) = Spy::new(&fixture.storage)
            .answer(move |mut result| {
                let length = (result.range.end - result.range.start) as usize;
                result.body = body(Bytes::from(vec![b'x'; length]));
                result
            })
            .open();
        let due = ErrorKind::LengthMismatch;
        assert_eq!(kind(lie, liar.bytes("k").await), due, "{lie}: bytes");
        assert_eq!(kind(lie, liar.bytes_limited("k", 1 << 20).await), due, "{lie}: bytes with a limit");
        assert_eq!(kind(lie, liar.text("k").await), due, "{lie}: text");
        assert_eq!(kind(lie, liar.range("k", 10..20).await), due, "{lie}: a range");
        assert_eq!(kind(lie, liar.ranges("k", &[(0..10).into(), (199_990..).into()]).await), due, "{lie}: ranges");
        assert_eq!(kind(lie, drain(&liar).await), due, "{lie}: a stream");
        assert_eq!(kind(lie, download(&liar).await), due, "{lie}: a download");
        let read = async { liar.reader("k").await.unwrap().read_to_end(&mut Vec::new()).await };
        assert_eq!(kind(lie, read.await.map_err(Error::from)), due, "{lie}: a reader");
        let copied = liar.copy_to("k", &target.storage, "k", Default::default()).await;
        assert_eq!(kind(lie, copied), due, "{lie}: a copy to another root");
        assert_eq!(target.storage.text("k").await.unwrap(), "before", "{lie}: the target of the copy");
    }
}

rule! {
    /// Stored bytes come back as stored: nothing is unzipped, decoded or converted on the way.
    R11, r11_bytes_as_stored, "Bytes as stored",
    why: "HTTP clients unzip what is marked as gzip, and size, digest and ranges no longer fit the bytes."
}
async fn r11_bytes_as_stored(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let storage = &fixture.storage;
    let mut attributes = Attributes::new().content_type("text/plain; charset=utf-16");
    attributes.content_encoding = Some("gzip".to_owned());
    let mut options = vec![PutOptions::new()];
    if storage.capabilities().attributes {
        options.push(PutOptions::new().attributes(attributes));
    }
    // An empty gzip member, which would unzip to nothing (RFC 1952).
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0".to_vec();
    let every: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    for data in [gzip, every, b"\xef\xbb\xbfa\r\nb\nc\r\x1a\0%41&amp;+".to_vec(), vec![0; 5000]] {
        for options in &options {
            storage.put_with("k.gz", data.clone(), options.clone()).await.unwrap();
            assert_eq!(storage.bytes("k.gz").await.unwrap(), data);
            assert_eq!(storage.head("k.gz").await.unwrap().meta.size, data.len() as u64);
            assert_eq!(storage.range("k.gz", 1..5).await.unwrap(), data[1..5]);
        }
    }
}

rule! {
    /// An object can be read as `AsyncRead` and `AsyncSeek`. Straight reading reads ahead; after a seek only about
    /// what is asked for is fetched.
    R14, r14_async_read_and_seek, "AsyncRead and AsyncSeek",
    why: "Parsers want a reader that seeks; one that fetches everything for it makes a look at an archive cost a \
          download."
}
async fn r14_async_read_and_seek(harness: &dyn Harness) {
    let fixture = harness.fresh().await;
    let data = bytes(14, LARGE);
    fixture.storage.put("k", data.clone()).await.unwrap();
    fixture.storage.put("empty", "").await.unwrap();
    let (storage, log) = Spy::new(&fixture.storage).open();

    let mut all = Vec::new();
    let stream = storage.stream("k").await.unwrap().map_err(std::io::Error::from);
    futures::AsyncReadExt::read_to_end(&mut stream.into_async_read(), &mut all).await.unwrap();
    assert!(all == data, "a stream read as AsyncRead");

    log.clear();
    let mut reader = storage.reader("k").await.unwrap();
    assert_eq!(reader.size(), LARGE as u64);
    assert_eq!(log.count(Operation::Get), 0, "nothing is fetched before it is asked for");
    let mut small = [0; 100];
    for start in (0..LARGE - 100).step_by(100) {
        reader.read_exact(&mut small).await.unwrap();
        assert!(small == data[start..start + 100], "straight reading at {start}");
    }
    assert!(log.count(Operation::Get) <= 20, "reading ahead: {} requests", log.count(Operation::Get));

    log.clear();
    let mut reader = storage.reader("k").await.unwrap();
    for (to, position) in [
        (SeekFrom::Start(2_000_000), 2_000_000),
        (SeekFrom::Current(-1_000_100), 1_000_000),
        (SeekFrom::End(-100), LARGE - 100),
        (SeekFrom::Start(0), 0),
    ] {
        assert_eq!(reader.seek(to).await.unwrap(), position as u64, "{to:?}");
        reader.read_exact(&mut small).await.unwrap();
        assert!(small == data[position..position + 100], "after {to:?}");
    }
    assert!(log.bytes_read() <= LARGE as u64 / 4, "four short reads fetched {} bytes", log.bytes_read());

    assert_eq!(reader.seek(SeekFrom::End(5)).await.unwrap(), LARGE as u64 + 5, "a seek past the end");
    assert_eq!(reader.read(&mut small).await.unwrap(), 0, "nothing is past the end");
    let before = reader.seek(SeekFrom::Current(-(LARGE as i64) - 6)).await.unwrap_err();
    assert_eq!(before.kind(), std::io::ErrorKind::InvalidInput, "a seek before the start");
    assert_eq!(reader.seek(SeekFrom::Start(1)).await.unwrap(), 1);
    assert_eq!(reader.read_u8().await.unwrap(), data[1], "the reader goes on after a refused seek");
    assert_eq!(storage.reader("empty").await.unwrap().read(&mut small).await.unwrap(), 0, "an empty object");
    assert_eq!(kind("no object", storage.reader("no-such").await.map(drop)), ErrorKind::NotFound);
}

async fn read(body: Body) -> Result<Bytes> {
    let pieces: Vec<Bytes> = body.into_stream().try_collect().await?;
    Ok(pieces.concat().into())
}

async fn drain(storage: &Storage) -> Result<usize> {
    storage.stream("k").await?.try_fold(0, |sum, piece| std::future::ready(Ok(sum + piece.len()))).await
}

async fn download(storage: &Storage) -> Result<Vec<Bytes>> {
    let (_, stream) = storage.download("k", DownloadOptions::new().part_size(30_000)).await?;
    stream.try_collect().await
}
