//! Writes of many small parts, which no service but the one for tests would take.

use s3_test_server::{Limits, S3Server, ServerOptions};
use storage_core::{ErrorKind, GetOptions, HeadOptions, StorageBackend};

use super::*;
use crate::options::{Credentials, S3Options};
use crate::s3::S3;

async fn server() -> (S3Server, Arc<Core>, S3) {
    let limits = Limits { min_part_size: 1, ..Limits::default() };
    let server = S3Server::start(ServerOptions::new().limits(limits)).await.unwrap();
    server.create_bucket("bucket");
    let mut options = S3Options::new("bucket");
    options.endpoint = Some(server.endpoint());
    options.credentials = Credentials::keys(server.access_key(), server.secret_key());
    let backend = S3::new(options.clone()).unwrap();
    (server, Arc::new(Core::new(options).unwrap()), backend)
}

fn writer(core: &Arc<Core>, key: &Key, part: u64) -> Box<S3Writer> {
    Box::new(S3Writer::new(core.clone(), key.clone(), PutOptions::new(), PartPlan::of_size(part, 8)))
}

/// W14: ten thousand parts are one object; one more is refused, and nothing is left of it.
#[tokio::test]
async fn w14_ten_thousand_parts() {
    let (server, core, backend) = server().await;
    let key = Key::new("many").unwrap();
    let content: Bytes = (0..20_000_u32).map(|number| number.to_le_bytes()[0]).collect();

    let mut whole = writer(&core, &key, 2);
    whole.write(content.clone()).await.unwrap();
    let written = whole.finish().await.unwrap();
    assert_eq!(written.size, 20_000);
    assert!(written.etag.as_str().ends_with("-10000\""), "{}", written.etag);
    assert_eq!(server.counts().of("UploadPart"), 10_000);

    let mut over = writer(&core, &key, 2);
    over.number = 10_000;
    let error = over.write(content.slice(..5)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(server.unfinished_uploads("bucket"), 0);
    let head = backend.head(&key, HeadOptions::new()).await.unwrap();
    assert_eq!(head.meta.etag, written.etag, "the object is the old one");
}

/// W08: however a write is cut up, and whatever the size of a part, the content is the same.
#[tokio::test]
async fn w08_chunks_never_change_content() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (_server, core, backend) = server().await;
    for _ in 0..60 {
        let content: Bytes = (0..random.usize(..200)).map(|_| random.u8(..)).collect();
        let part = random.u64(1..60);
        let key = Key::new(format!("k{}", random.u8(..4))).unwrap();
        let mut writer = writer(&core, &key, part);
        let mut rest = content.clone();
        while !rest.is_empty() {
            let piece = rest.split_to(random.usize(1..=rest.len()));
            writer.write(piece).await.unwrap();
        }
        let written = writer.finish().await.unwrap();
        let read = backend.get(&key, GetOptions::new().buffered()).await.unwrap();
        let parts = (content.len() as u64).div_ceil(part);
        let what = format!("{} bytes in parts of {part}, {parts} of them", content.len());
        assert_eq!((written.size, &written.etag), (read.meta.size, &read.meta.etag), "{what}");
        let body: Vec<Bytes> = futures::TryStreamExt::try_collect(read.body.into_stream()).await.unwrap();
        assert_eq!(body.concat(), content, "{what}");
        let suffix = format!("-{parts}\"");
        assert_eq!(written.etag.as_str().ends_with(&suffix), parts > 1, "{what}: {}", written.etag);
    }
}
