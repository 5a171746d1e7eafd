//! Random changes and random crashes: what the host sees ends as the listing.

use std::time::Duration;

use fastrand::Rng;
use storage_core::{Key, Storage};
use storage_source::{Filter, WatchMode, WatchState, Watched, Watching};

use crate::support::{Root, View, follow, listing, next, roots, work};

const PREFIX: &str = "in";

/// How the host keeps its state.
#[derive(Debug, Clone, Copy)]
enum Keeping {
    /// Whenever it was told something, before it does its work.
    BeforeWork,
    /// Not at all: it makes it of its records.
    Records,
}

fn filter() -> Filter {
    Filter::new().exclude("**/skip/**").exclude("*.tmp").max_size(20)
}

async fn change(storage: &Storage, random: &mut Rng) {
    let folder = ["", "a/", "a/skip/", "b/c/"][random.usize(0..4)];
    let key = format!("{PREFIX}/{folder}{}{}", random.u8(0..4), ["", ".md", ".tmp"][random.usize(0..3)]);
    match random.u8(0..10) {
        0..5 => drop(storage.put(&key, vec![b'x'; random.usize(0..30)]).await.unwrap()),
        5..8 => storage.delete(&key).await.unwrap(),
        8 => drop(storage.delete_prefix(format!("{PREFIX}/a/")).await.unwrap()),
        _ => {
            let to = format!("{PREFIX}/b/c/{}", random.u8(0..4));
            drop(storage.rename(&key, &to).await);
        }
    }
}

/// A host that dies now and then, and what outlives it: its records, and the state as it was saved last.
struct Host {
    view: View,
    saved: WatchState,
    keeping: Keeping,
    mode: WatchMode,
}

impl Host {
    fn start(&self, root: &Root) -> Watching {
        let state = match self.keeping {
            Keeping::BeforeWork => self.saved.clone(),
            Keeping::Records => {
                let known =
                    self.view.iter().map(|(path, fingerprint)| (Key::new(&**path).unwrap(), fingerprint.clone()));
                known.collect()
            }
        };
        root.watch().prefix(PREFIX).filter(filter()).mode(self.mode).state(state).start().unwrap()
    }

    /// Lives until it dies; where it does is random.
    async fn live(&mut self, root: &Root, random: &mut Rng) {
        let mut watching = self.start(root);
        for _ in 0..random.usize(0..25) {
            if random.u8(0..4) > 0 {
                change(&root.storage, random).await;
            }
            let Ok(told) = tokio::time::timeout(Duration::from_millis(3), next(&mut watching)).await else { continue };
            let Watched::Event(event) = told.unwrap() else { continue };
            self.saved = watching.progress().state();
            if random.u8(0..8) == 0 {
                return; // before its work
            }
            work(&mut self.view, &event).await;
            if random.u8(0..8) == 0 {
                return; // before it has acknowledged
            }
            if random.u8(0..8) > 0 {
                event.ack();
            }
        }
    }
}

/// Whatever changes and whenever the host dies, its view becomes the listing.
#[tokio::test]
async fn the_host_s_view_becomes_the_listing() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed} (set SEED to repeat it)");
    let mut random = Rng::with_seed(seed);
    let roots = roots().await;
    for run in 0..24 {
        let root = &roots[run % roots.len()];
        let keeping = [Keeping::BeforeWork, Keeping::Records][random.usize(0..2)];
        let mode = [WatchMode::Auto, WatchMode::Poll][random.usize(0..2)];
        root.storage.delete_prefix("in/").await.unwrap();
        let mut host = Host { view: View::new(), saved: WatchState::new(), keeping, mode };
        for _ in 0..random.usize(1..5) {
            for _ in 0..random.usize(0..10) {
                change(&root.storage, &mut random).await;
            }
            host.live(root, &mut random).await;
        }
        println!("run {run}: {} {keeping:?} {mode:?}", root.name);
        let expected = listing(&root.storage, PREFIX, &filter()).await;
        let mut watching = host.start(root);
        follow(&mut watching, &mut host.view, &expected).await;
    }
}
