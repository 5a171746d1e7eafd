//! Alternating rounds of the same work done by different hands.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// Does an operation so many times.
pub type Work<'a> = Box<dyn FnMut(u32) -> Pin<Box<dyn Future<Output = ()> + 'a>> + 'a>;

const ROUNDS: usize = 15;

/// Measures all columns and prints them; the first is the one that the ratios are to.
pub async fn compare(title: &str, operations: u32, mut columns: Vec<(&str, Work<'_>)>) {
    let mut best = vec![Duration::MAX; columns.len()];
    for _ in 0..ROUNDS {
        for ((_, work), best) in columns.iter_mut().zip(&mut best) {
            let start = Instant::now();
            work(operations).await;
            *best = start.elapsed().min(*best);
        }
    }
    println!("{title}");
    for ((name, _), time) in columns.iter().zip(&best) {
        let each = time.as_secs_f64() * 1e6 / f64::from(operations);
        println!("  {name:<34} {each:>10.2} µs   {:>6.2} ×", time.as_secs_f64() / best[0].as_secs_f64());
    }
    println!();
}
