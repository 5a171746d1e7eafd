//! The integration tests that object_store publishes for its implementers, run over our drivers through an adapter:
//! every one that takes an `ObjectStore` alone.

mod adapter;

use std::any::Any;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use object_store::integration;
use s3_test_server::{S3Server, ServerOptions};
use storage_core::Storage;
use storage_local::{Durability, Local, LocalOptions};
use storage_s3::{Addressing, ConditionPolicy, Credentials, S3, S3Options};

use crate::adapter::Adapter;

/// A fresh root, and what keeps it alive.
type Root = (Storage, Box<dyn Any>);

fn memory() -> Root {
    (Storage::new(storage_memory::Memory::new()), Box::new(()))
}

#[allow(clippy::expect_used, reason = "without a directory there is nothing to test")]
fn local(portable: bool) -> Root {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let options = LocalOptions::new().durability(Durability::Fast).portable(portable);
    let local = Local::open(directory.path(), options).expect("the directory opens");
    (Storage::new(local), Box::new(directory))
}

/// A bucket of its own on a server that runs as long as the process.
#[allow(clippy::expect_used, reason = "without a server there is nothing to test")]
fn s3() -> Root {
    static SERVER: OnceLock<S3Server> = OnceLock::new();
    static BUCKETS: AtomicUsize = AtomicUsize::new(0);
    let server = SERVER.get_or_init(|| {
        let (send, receive) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let server = S3Server::start(ServerOptions::new()).await.expect("a free port");
                send.send(server).expect("the test waits");
                std::future::pending::<()>().await;
            });
        });
        receive.recv().expect("the server starts")
    });
    let bucket = format!("bucket-{}", BUCKETS.fetch_add(1, Ordering::Relaxed));
    server.create_bucket(&bucket);
    let mut options = S3Options::new(bucket);
    options.endpoint = Some(server.endpoint());
    options.region = Some("us-east-1".to_owned());
    options.addressing = Addressing::Path;
    options.credentials = Credentials::keys(server.access_key(), server.secret_key());
    options.conditions = ConditionPolicy::All;
    (Storage::new(S3::new(options).expect("options that are right")), Box::new(()))
}

/// A test for each integration function, on a root of its own.
macro_rules! object_store_tests {
    ($driver:ident, $root:expr, { $($function:ident ( $($argument:expr),* );)* }) => {
        mod $driver {
            use super::*;

            $(
                #[tokio::test]
                async fn $function() {
                    let (storage, _guard) = $root;
                    integration::$function(&Adapter(storage), $($argument),*).await;
                }
            )*

            #[tokio::test]
            async fn get_nonexistent_object() {
                let (storage, _guard) = $root;
                let error = integration::get_nonexistent_object(&Adapter(storage), None).await.unwrap_err();
                assert!(matches!(error, object_store::Error::NotFound { .. }), "{error}");
            }
        }
    };
    ($driver:ident, $root:expr) => {
        object_store_tests!($driver, $root, {
            put_get_delete_list();
            put_get_attributes();
            get_opts();
            put_opts(true);
            stream_get();
            list_uses_directories_correctly();
            list_with_delimiter();
            rename_and_copy();
            copy_if_not_exists();
            copy_rename_nonexistent_object();
            multipart_race_condition(true);
            multipart_out_of_order();
            list_with_offset_exclusivity();
        });
    };
}

object_store_tests!(memory, memory());
object_store_tests!(local, local(false));
object_store_tests!(local_portable, local(true));
object_store_tests!(s3, s3());
