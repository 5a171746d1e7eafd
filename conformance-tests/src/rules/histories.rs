//! Rule S02: random histories against the reference model.

use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use proptest::strategy::{Strategy as _, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use storage_core::Storage;

use crate::Harness;
use crate::deep::effort::Effort;
use crate::deep::play::play;
use crate::deep::steps::{Step, histories, keys};
use crate::rule::rule;

/// How many histories a short run plays at most, and how long it goes on with them.
const HISTORIES: u64 = 200;
/// How many it plays however long they take, and how many writes must be among them: short histories prove little.
const LEAST: u64 = 10;
const WRITES: usize = 50;
const TIME: Duration = Duration::from_millis(900);

/// How many shorter histories are tried when one has failed.
const TRIES: u32 = 400;

rule! {
    /// Random sequences of operations agree with one reference model for all drivers. A failure shrinks to a minimal script,
    /// and is told with the seed that finds it again.
    S02, s02_histories_agree_with_the_model, "Random histories",
    why: "Each operation alone can be right and the next one wrong because of it: nobody thinks of all sequences."
}
async fn s02_histories_agree_with_the_model(harness: &dyn Harness) {
    let effort = Effort::begin();
    let longest = if effort.long { 80 } else { 30 };
    let fixture = harness.fresh().await;
    let root = &fixture.storage;
    // What is found out on the way counts for no history.
    root.probe().await.unwrap();
    let (mut tries, mut writes) = (effort.tries(HISTORIES, TIME), 0);
    while let Some(seed) = tries.next(tries.made >= LEAST && writes >= WRITES) {
        let strategy = histories(&keys(seed, root.max_key_len()), longest, effort.long);
        let tree = strategy.new_tree(&mut runner(seed));
        let mut tree = tree.unwrap_or_else(|reason| panic!("no history can be made: {reason}"));
        if outcome(root, &tree.current()).await.is_err() {
            let found = shrunk(harness, &mut tree).await;
            panic!("the driver differs from the model, which the seed {seed} finds at once:\n{found}");
        }
        writes += tree.current().iter().filter(|step| step.writes()).count();
    }
    tries.report(&format!("with {writes} writes"));
}

/// `proptest` with nothing but the seed to go by.
fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// At which step a history fails, and how; a panic is a failure of the step that nobody knows.
async fn outcome(root: &Storage, steps: &[Step]) -> Result<(), (usize, String)> {
    let played = AssertUnwindSafe(play(root, steps)).catch_unwind().await;
    played.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()));
        Err((steps.len(), format!("it panics: {}", said.unwrap_or_default())))
    })
}

/// The least history that still fails on a fresh root, in words.
async fn shrunk(harness: &dyn Harness, tree: &mut impl ValueTree<Value = Vec<Step>>) -> String {
    let first = harness.fresh().await;
    let Err(mut wrong) = outcome(&first.storage, &tree.current()).await else {
        return format!(
            "only on a root that was in use before; the last history was\n{}",
            script(&tree.current(), None)
        );
    };
    let mut least = tree.current();
    let mut simpler = tree.simplify();
    for _ in 0..TRIES {
        if !simpler {
            break;
        }
        let fixture = harness.fresh().await;
        simpler = match outcome(&fixture.storage, &tree.current()).await {
            Err(still) => {
                (least, wrong) = (tree.current(), still);
                tree.simplify()
            }
            Ok(()) => tree.complicate(),
        };
    }
    script(&least, Some(&wrong))
}

/// The steps in order, and what the last of them did otherwise.
fn script(steps: &[Step], wrong: Option<&(usize, String)>) -> String {
    let mut text = String::new();
    let shown = wrong.map_or(steps.len(), |(index, _)| steps.len().min(index + 1));
    for (index, step) in steps[..shown].iter().enumerate() {
        writeln!(text, "  {}. {step:?}", index + 1).expect("text");
    }
    if let Some((_, why)) = wrong {
        writeln!(text, "  -> {why}").expect("text");
    }
    text
}
