//! An object as `AsyncRead + AsyncSeek`: right bytes at any position, and no more requests than windows.

use std::io::SeekFrom;

use storage_core::{Error, ErrorKind, Operation, Reader};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncSeekExt as _};

use crate::{pattern, storage, with_object};

const KIB: u64 = 1024;

async fn take(reader: &mut Reader, bytes: usize) -> Vec<u8> {
    let mut read = vec![0; bytes];
    reader.read_exact(&mut read).await.unwrap();
    read
}

#[tokio::test]
async fn opening_is_one_head_and_reads_nothing() {
    let (script, storage) = with_object(1_000_000).await;
    let mut reader = storage.reader("a").await.unwrap();
    reader.seek(SeekFrom::End(-10)).await.unwrap();
    assert_eq!((reader.size(), script.calls(Operation::Head), script.requests()), (1_000_000, 1, 1));
    assert_eq!(storage.reader("b").await.map(drop).unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_seek_fetches_only_the_window_that_is_read() {
    let (script, storage) = with_object(1_000_000).await;
    let all = pattern(1_000_000);
    let mut reader = storage.reader("a").await.unwrap();
    script.reset();

    reader.seek(SeekFrom::Start(500_000)).await.unwrap();
    assert_eq!(take(&mut reader, 10).await, all[500_000..500_010]);
    assert_eq!((script.requests(), script.count(Operation::Get).bytes_out), (1, 64 * KIB));

    reader.seek(SeekFrom::Current(1000)).await.unwrap();
    assert_eq!(take(&mut reader, 10).await, all[501_010..501_020]);
    assert_eq!(script.requests(), 1, "it was read ahead");

    reader.seek(SeekFrom::End(-5)).await.unwrap();
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, all[999_995..]);
    assert_eq!((script.requests(), script.count(Operation::Get).bytes_out), (2, 64 * KIB + 5));

    reader.seek(SeekFrom::Start(0)).await.unwrap();
    assert_eq!(take(&mut reader, 3).await, all[..3]);
    assert_eq!(script.requests(), 3);
}

#[tokio::test]
async fn windows_double_while_reading_goes_on() {
    let (script, storage) = with_object(1_000_000).await;
    let mut reader = storage.reader("a").await.unwrap();
    script.reset();
    let mut read = Vec::new();
    reader.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, pattern(1_000_000));
    // 64 + 128 + 256 + 512 KiB, and the rest.
    assert_eq!(script.requests(), 5);
    assert_eq!(script.count(Operation::Get).bytes_out, 1_000_000, "nothing is fetched twice");
}

#[tokio::test]
async fn the_end_and_beyond_are_no_request() {
    let (script, storage) = with_object(100).await;
    let mut reader = storage.reader("a").await.unwrap();
    script.reset();
    let mut read = Vec::new();
    for position in [100, 5000] {
        assert_eq!(reader.seek(SeekFrom::Start(position)).await.unwrap(), position);
        assert_eq!(reader.read_to_end(&mut read).await.unwrap(), 0);
    }
    assert_eq!(script.requests(), 0);
    reader.seek(SeekFrom::Start(0)).await.unwrap();
    for seek in [SeekFrom::Current(-1), SeekFrom::End(-101)] {
        assert_eq!(reader.seek(seek).await.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    }
    assert_eq!(take(&mut reader, 4).await, pattern(4), "a refused seek moves nothing");
}

#[tokio::test]
async fn lines_can_be_read() {
    let (_, storage) = storage();
    storage.put("a", "one\ntwo\nthree").await.unwrap();
    let mut lines = storage.reader("a").await.unwrap().lines();
    let mut read = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        read.push(line);
    }
    assert_eq!(read, ["one", "two", "three"]);
}

#[tokio::test]
async fn a_change_of_the_object_is_noticed() {
    let (_, storage) = with_object(1_000_000).await;
    let mut reader = storage.reader("a").await.unwrap();
    take(&mut reader, 10).await;
    storage.put("a", pattern(1_000_000)).await.unwrap();
    let error = reader.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(Error::from(error).kind(), ErrorKind::ObjectChanged);
}
