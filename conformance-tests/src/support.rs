//! What several rules need: bytes from a seed, reads that compare every way of reading, races.

use bytes::Bytes;
use storage_core::{Entry, ErrorKind, ListOptions, Prefix, PutOptions, PutResult, Result, Storage};

/// So many bytes that look random and are the same for the same seed.
pub(crate) fn bytes(seed: u64, length: usize) -> Bytes {
    let mut random = Random::new(seed);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

/// Numbers that look random and are the same for the same seed (SplitMix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

/// The kind of the error that a call must give; fails with `what` where the call succeeded.
#[track_caller]
pub(crate) fn kind<T: std::fmt::Debug>(what: impl std::fmt::Display, result: Result<T>) -> ErrorKind {
    match result {
        Ok(value) => panic!("{what}: an error was due, but it succeeded with {value:?}"),
        Err(error) => error.kind(),
    }
}

/// All keys, in the order of the listing.
pub(crate) async fn keys(storage: &Storage) -> Vec<String> {
    storage.list_all("").await.unwrap().into_iter().map(|meta| meta.key.to_string()).collect()
}

/// All entries of one level, in the order of the listing.
pub(crate) async fn level(storage: &Storage, prefix: &str) -> Vec<String> {
    let options = ListOptions::new().prefix(Prefix::new(prefix).unwrap()).delimited();
    let mut pages = storage.pages(options).await.unwrap();
    let mut entries: Vec<Entry> = Vec::new();
    while let Some(page) = pages.next_page().await.unwrap() {
        entries.extend(page.entries);
    }
    entries.iter().map(|entry| entry.as_str().to_owned()).collect()
}

/// Writes through a writer, in one piece.
pub(crate) async fn write_streaming(
    storage: &Storage,
    key: &str,
    data: impl Into<Bytes>,
    options: PutOptions,
) -> Result<PutResult> {
    let mut writer = storage.writer_with(key, options).await?;
    writer.write(data).await?;
    writer.finish().await
}

/// Reads a text by get, head and list, which must agree on it.
pub(crate) async fn read_everywhere(storage: &Storage, key: &str) -> Result<String> {
    let got = storage.get(key, storage_core::GetOptions::new()).await?;
    let head = storage.head(key).await?;
    let listed = storage.list_all(key).await?.into_iter().find(|meta| meta.key.as_str() == key);
    assert_eq!(got.meta, head.meta, "get and head of {key:?}");
    assert_eq!(Some(head.meta), listed, "head and list of {key:?}");
    storage.text(key).await
}

/// Adds 1 so many times to a number that is stored as text, by compare-and-swap.
pub(crate) async fn increment(storage: &Storage, key: &str, times: u32) -> Result<()> {
    for _ in 0..times {
        loop {
            let read = storage.get(key, storage_core::GetOptions::new().buffered()).await?;
            let etag = read.meta.etag.clone();
            let number = storage_core::Body::into_stream(read.body);
            let number: Vec<Bytes> = futures::TryStreamExt::try_collect(number).await?;
            let number: u64 = String::from_utf8(number.concat()).unwrap().parse().unwrap();
            match storage.put_with(key, (number + 1).to_string(), PutOptions::new().if_match(etag)).await {
                Ok(_) => break,
                Err(error) if error.kind() == ErrorKind::PreconditionFailed => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}
