//! Asks rules.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use conformance_tests::{Harness, Outcome, Selection, rules, run};

/// How many questions are asked at once.
const AT_ONCE: usize = 4;

/// The names of all rules.
pub(crate) fn all_rules() -> Vec<&'static str> {
    rules().iter().map(|rule| rule.name).collect()
}

/// Why a driver breaks a rule; none where it holds.
pub(crate) fn broken(harness: Arc<dyn Harness>, rule: &str) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(run(harness, &Selection::of(rule).unwrap(), |_| ()));
    assert_eq!(report.rules.len(), 1, "{rule} is one rule");
    match &report.rules[0].outcome {
        Outcome::Fail { reason, .. } => Some(reason.clone()),
        _ => None,
    }
}

/// The answers to questions, in their order.
pub(crate) fn at_once<Q: Sync, A: Send>(questions: Vec<Q>, answer: impl Fn(&Q) -> A + Sync) -> Vec<A> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut answers = Vec::new();
        while let Some(question) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|index| *index < questions.len()) {
            answers.push((question, answer(&questions[question])));
        }
        answers
    };
    let mut answers: Vec<(usize, A)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// The beginning of a text, on one line.
pub(crate) fn one_line(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(90).collect()
}
