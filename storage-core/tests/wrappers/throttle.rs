//! Rates of requests and bytes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use storage_core::wrappers::{Throttle, ThrottleOptions};
use storage_core::{Payload, PutOptions, Storage, StorageBackend};
use storage_memory::Memory;
use tokio::time::Instant;

use crate::common::Script;
use crate::{Backend, key};

/// Whether a time is this long, but for the timer's milliseconds.
fn about(time: Duration, seconds: f64) -> bool {
    (time.as_secs_f64() - seconds).abs() < 0.05
}

#[tokio::test(start_paused = true)]
async fn requests_are_spaced_to_their_rate() {
    let options = ThrottleOptions::new().requests(10).burst(Duration::ZERO);
    let backend: Backend = Arc::new(Throttle::new(Arc::new(Memory::new()), options));
    let started = Instant::now();
    for _ in 0..21 {
        backend.probe().await.unwrap();
    }
    assert!(about(started.elapsed(), 2.0), "{:?}", started.elapsed());

    let started = Instant::now();
    futures::future::try_join_all((0..20).map(|_| backend.probe())).await.unwrap();
    assert!(about(started.elapsed(), 2.0), "concurrent calls share the rate: {:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_burst_makes_up_for_idle_time_only() {
    let options = ThrottleOptions::new().requests(10).burst(Duration::from_secs(1));
    let backend = Throttle::new(Arc::new(Memory::new()), options);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let started = Instant::now();
    for _ in 0..11 {
        backend.probe().await.unwrap();
    }
    assert_eq!(started.elapsed(), Duration::ZERO);
    for _ in 0..10 {
        backend.probe().await.unwrap();
    }
    assert!(about(started.elapsed(), 1.0), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn bytes_in_and_out_keep_their_rate() {
    let script = Script::new();
    script.pieces(100);
    let options = ThrottleOptions::new().bytes(1000).burst(Duration::ZERO);
    let backend: Backend = Arc::new(Throttle::new(script.memory(), options));
    let payload = Payload::from(vec![7; 500]);
    let started = Instant::now();
    for _ in 0..4 {
        backend.put(&key("a"), payload.clone(), PutOptions::new()).await.unwrap();
    }
    // The last one's bytes are waited for by the next call.
    assert!(about(started.elapsed(), 1.5), "{:?}", started.elapsed());
    let mut writer = backend.writer(&key("a"), PutOptions::new()).await.unwrap();
    for _ in 0..4 {
        writer.write(Bytes::from(vec![7; 250])).await.unwrap();
    }
    writer.finish().await.unwrap();
    assert!(about(started.elapsed(), 3.0), "{:?}", started.elapsed());
    let read = Storage::from_arc(backend).bytes("a").await.unwrap();
    assert_eq!(read.len(), 1000);
    assert!(about(started.elapsed(), 4.0), "pieces of a body wait for those before: {:?}", started.elapsed());
}
