//! One run, one table: every row an operation, every column who does it, as the time of one operation and as the ratio
//! to plain system calls (local), to ours (memory) or to object_store (S3). Rounds alternate between the columns, and the
//! fastest round counts, so that a busy machine moves all of them alike.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml` runs all; `-- local`, `-- memory`, `-- s3` one part.

mod local;
mod measure;
mod memory;
mod s3;

use std::path::Path;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let part = args.first().map(String::as_str);
    if part == Some("null-server") {
        return s3::serve(args.get(1).map(Path::new));
    }
    let wanted = |name| part.is_none_or(|part| part == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if wanted("local") {
        runtime.block_on(async {
            local::read_cached(4 * 1024).await;
            local::read_cached(64 * 1024).await;
            local::write(4 * 1024).await;
            local::list(20_000).await;
        });
    }
    if wanted("memory") {
        runtime.block_on(memory::get(4 * 1024));
    }
    drop(runtime);
    if wanted("s3") {
        s3::run();
    }
}
