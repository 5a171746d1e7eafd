//! One run, one table: every row an operation, every column who does it, as the time of one operation and as the ratio
//! to plain system calls (local) or to ours (memory). Rounds alternate between the columns, and the fastest round
//! counts, so that a busy machine moves all of them alike.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml`

mod local;
mod measure;
mod memory;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    local::read_cached(4 * 1024).await;
    local::read_cached(64 * 1024).await;
    local::write(4 * 1024).await;
    local::list(20_000).await;
    memory::get(4 * 1024).await;
}
