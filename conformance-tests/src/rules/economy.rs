//! Rules S13 and R09: how many requests an operation takes, and ranges that a service ignores.

use storage_core::{
    ByteRange, CopyOptions, DeleteOptions, DownloadOptions, ErrorKind, GetOptions, HeadOptions, ListOptions, Prefix,
    PutOptions, Result, Storage, Support,
};

use crate::Harness;
use crate::context::{NO_SERVICE, nothing_to_ask};
use crate::rule::rule;
use crate::service::{Fault, Hits, Request, Requests, Service};
use crate::support::{bytes, write_streaming};

/// What a call sends, and what it is due to send.
struct Bill<'a> {
    service: &'a dyn Service,
    wrong: Vec<String>,
}

impl Bill<'_> {
    /// Makes a call and compares its requests.
    async fn of<T>(&mut self, what: &str, due: &[(Request, u64)], call: impl Future<Output = Result<T>>) -> Option<T> {
        self.service.take_requests();
        let result = call.await;
        let (sent, due) = (self.service.take_requests(), Requests::from_iter(due.iter().copied()));
        if sent != due {
            self.wrong.push(format!("{what} sends {sent:?}, due are {due:?}"));
        }
        result.map_err(|error| self.wrong.push(format!("{what}: {error}"))).ok()
    }
}

rule! {
    /// On success a get, a ranged get, a head, a put, a small streaming write, a copy and a delete are one request
    /// each, under a condition too once it is known which of them the service keeps; a listing and a bulk delete are
    /// one for each page. There is none beside them.
    S13, s13_request_economy, "Request economy",
    why: "A hidden HEAD doubles latency and bill of every read, and nobody notices."
}
async fn s13_request_economy(harness: &dyn Harness) {
    let Some(service) = harness.service().await else { return nothing_to_ask(NO_SERVICE) };
    let root = service.fresh().await;
    let storage = &root.storage;
    let mut bill = Bill { service: &*service, wrong: Vec::new() };
    found_out_once(&mut bill, storage).await;
    storage.probe().await.unwrap();
    single_objects(&mut bill, storage).await;
    conditional_writes(&mut bill, storage).await;
    streams(&mut bill, storage).await;
    many_objects(&mut bill, storage, &root.address).await;
    assert!(bill.wrong.is_empty(), "{}", bill.wrong.join("\n"));
}

/// What is not known of the service is found out before the first conditional write, and not again.
async fn found_out_once(bill: &mut Bill<'_>, storage: &Storage) {
    let create = |key: &'static str| storage.put_if_absent(key, "x");
    if let Err(error) = create("first").await {
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
    bill.service.take_requests();
    let second = create("second").await;
    let sent = bill.service.take_requests();
    let due = Requests::from_iter(second.is_ok().then_some((Request::Put, 1)));
    if sent != due {
        bill.wrong.push(format!("the second create-only put ({second:?}) sends {sent:?}, due are {due:?}"));
    }
}

async fn single_objects(bill: &mut Bill<'_>, storage: &Storage) {
    let (get, head) = ([(Request::Get, 1)], [(Request::Head, 1)]);
    let etag = bill.of("put", &[(Request::Put, 1)], storage.put("k", bytes(1, 5000))).await.map(|put| put.etag);
    bill.of("put of nothing", &[(Request::Put, 1)], storage.put("empty", "")).await;
    bill.of("bytes", &get, storage.bytes("k")).await;
    bill.of("get with a condition", &get, storage.get("k", GetOptions::new().if_match(etag.unwrap()))).await;
    bill.of("a range", &get, storage.range("k", 10..20)).await;
    bill.of("a suffix", &get, storage.range("k", ByteRange::Suffix(10))).await;
    bill.of("a suffix longer than the object", &get, storage.range("k", ByteRange::Suffix(50_000))).await;
    bill.of("near ranges", &get, storage.ranges("k", &[(0..10).into(), (20..30).into()])).await;
    bill.of("a small download", &get, async {
        let (_, stream) = storage.download("k", DownloadOptions::new()).await?;
        futures::TryStreamExt::try_collect::<Vec<_>>(stream).await
    })
    .await;
    bill.of("head", &head, storage.head("k")).await;
    bill.of("exists", &head, storage.exists("k")).await;
    bill.of("head with conditions", &head, storage.head_with("k", HeadOptions::new())).await;
    bill.of("copy", &[(Request::Copy, 1)], storage.copy("k", "copy")).await;
    bill.of("delete", &[(Request::Delete, 1)], storage.delete("copy")).await;
    bill.of("delete of nothing", &[(Request::Delete, 1)], storage.delete("no-such")).await;
}

async fn conditional_writes(bill: &mut Bill<'_>, storage: &Storage) {
    let can = storage.capabilities();
    let etag = storage.head("k").await.unwrap().meta.etag;
    if can.put_create_only == Support::Yes {
        let only = PutOptions::new().create_only();
        bill.of("create-only put", &[(Request::Put, 1)], storage.put_with("new", "x", only)).await;
        bill.of("put_if_absent of an object", &[(Request::Put, 1)], storage.put_if_absent("new", "y")).await;
    }
    if can.put_if_match == Support::Yes {
        let swap = PutOptions::new().if_match(etag.clone());
        bill.of("put if-match", &[(Request::Put, 1)], storage.put_with("k", bytes(1, 5000), swap)).await;
    }
    if can.copy_create_only == Support::Yes {
        let only = CopyOptions::new().create_only();
        bill.of("create-only copy", &[(Request::Copy, 1)], storage.copy_with("k", "copied", only)).await;
    }
    if can.delete_if_match == Support::Yes {
        let etag = storage.head("k").await.unwrap().meta.etag;
        let options = DeleteOptions::new().if_match(etag);
        bill.of("delete if-match", &[(Request::Delete, 1)], storage.delete_with("k", options)).await;
    }
}

async fn streams(bill: &mut Bill<'_>, storage: &Storage) {
    let part = bill.service.patience().part_size;
    let options = PutOptions::new;
    bill.of("a small write", &[(Request::Put, 1)], write_streaming(storage, "w", "small", options())).await;
    bill.of("a write of nothing", &[(Request::Put, 1)], async { storage.writer("w").await?.finish().await }).await;
    bill.of("an aborted small write", &[], async {
        let mut writer = storage.writer("w").await?;
        writer.write("small").await?;
        writer.abort().await
    })
    .await;
    let three = [(Request::StartUpload, 1), (Request::UploadPart, 3), (Request::FinishUpload, 1)];
    let data = bytes(2, 2 * part + 1);
    let declared = options().length(data.len() as u64);
    bill.of("a write of three parts", &three, write_streaming(storage, "w", data.clone(), options())).await;
    bill.of("the same with its length declared", &three, write_streaming(storage, "w", data, declared)).await;
}

async fn many_objects(bill: &mut Bill<'_>, storage: &Storage, address: &str) {
    let page = bill.service.patience().page_size as u64;
    bill.of("a listing of nothing", &[(Request::List, 1)], storage.list_all("nothing/")).await;
    for objects in [1, page, page + 1, 2 * page + 500] {
        let prefix = format!("{objects}/");
        bill.service.fill(address, &prefix, objects).await;
        let pages = objects.div_ceil(page);
        let what = format!("a listing of {objects}");
        let listed = bill.of(&what, &[(Request::List, pages)], storage.list_all(prefix.as_str())).await;
        assert_eq!(listed.map(|listed| listed.len() as u64), Some(objects), "{what}");
        let keys: Vec<String> = (0..objects).map(|i| format!("no-such/{i}")).collect();
        let deleted = storage.delete_many(&keys);
        bill.of(&format!("a bulk delete of {objects}"), &[(Request::DeleteMany, pages)], deleted).await;
    }
    bill.of("a bulk delete of nothing", &[], storage.delete_many(Vec::<String>::new())).await;
    let delimited = ListOptions::new().prefix(Prefix::root()).delimited();
    bill.of("one level", &[(Request::List, 1)], async { storage.pages(delimited).await?.next_page().await }).await;
}

rule! {
    /// A service that ignores the range and sends the whole object is noticed: the answer is sliced to the range, or
    /// refused; no other bytes pass as those that were asked for.
    R09, r09_ignored_ranges, "Ignored ranges",
    why: "Proxies and simple servers ignore the range and send it all; whoever takes that for the range reads wrong \
          bytes."
}
async fn r09_ignored_ranges(harness: &dyn Harness) {
    let Some(service) = harness.service().await else { return nothing_to_ask(NO_SERVICE) };
    let root = service.hasty().await;
    let storage = &root.storage;
    let data = bytes(9, 300_000);
    storage.put("k", data.clone()).await.unwrap();
    service.inject(Fault::IgnoreRange, Hits::all(Request::Get));
    let ranges = [
        (ByteRange::from(0..10), 0..10),
        ((100_000..100_010).into(), 100_000..100_010),
        ((299_990..400_000).into(), 299_990..300_000),
        ((299_999..).into(), 299_999..300_000),
        (ByteRange::Suffix(7), 299_993..300_000),
        (ByteRange::Suffix(400_000), 0..300_000),
    ];
    let whole = data.len() as u64;
    for (range, due) in ranges {
        let Ok(got) = storage.get("k", GetOptions::new().range(range)).await else { continue };
        assert_eq!((got.range.clone(), got.meta.size), (due.start as u64..due.end as u64, whole), "{range:?}");
        let pieces: Result<Vec<bytes::Bytes>> = futures::TryStreamExt::try_collect(got.body.into_stream()).await;
        if let Ok(pieces) = pieces {
            assert!(pieces.concat() == data[due.clone()], "{range:?} is {due:?} of the object");
        }
    }
    let far = [ByteRange::from(0..10), (200_000..200_010).into()];
    if let Ok(got) = storage.ranges("k", &far).await {
        assert!(got[0] == data[..10] && got[1] == data[200_000..200_010], "each range in its place");
    }
    assert!(storage.range("k", whole..).await.is_err(), "a range past the end");
    let (_, stream) = match storage.download("k", DownloadOptions::new().part_size(100_000)).await {
        Ok(download) => download,
        Err(_) => return,
    };
    let pieces: Result<Vec<bytes::Bytes>> = futures::TryStreamExt::try_collect(stream).await;
    assert!(pieces.map_or(true, |pieces| pieces.concat() == data), "a download in parts");
}
