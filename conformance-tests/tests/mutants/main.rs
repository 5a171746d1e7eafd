//! The suite on trial: drivers that are each wrong in one thing, and the rule that has to notice it.
//!
//! `STORAGE_TEST_LONG=1` asks every rule of every mutant, prints which of them noticed it, and names the rules that notice
//! none.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

mod ask;
#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "each test file uses its part")]
mod common;
mod conditions;
mod keys;
mod lie;
mod listing;
#[path = "../common/local.rs"]
#[allow(dead_code, reason = "each test file uses its part")]
mod local_harness;
#[path = "../common/memory.rs"]
mod memory_harness;
mod moves;
mod reads;
#[path = "../common/s3_address.rs"]
#[allow(dead_code, reason = "each test file uses its part")]
mod s3_address;
#[path = "../common/s3.rs"]
#[allow(dead_code, reason = "each test file uses its part")]
mod s3_harness;
#[path = "../common/s3_service.rs"]
#[allow(dead_code, reason = "each test file uses its part")]
mod s3_service;
mod table;
mod watching;
mod writes;

use std::collections::BTreeSet;

use table::{Behind, MUTANTS, UNNOTICED, honest};

/// Every mutant is caught by the rule that names its fault, and the driver behind it is not.
#[test]
fn each_mutant_is_caught_by_the_rule_that_names_it() {
    let width = MUTANTS.iter().map(|mutant| mutant.name.len()).max().unwrap_or_default();
    let caught = ask::at_once(MUTANTS.iter().collect(), |mutant| ask::broken((mutant.make)(), mutant.rule));
    let mut missed = Vec::new();
    for (mutant, why) in MUTANTS.iter().zip(caught) {
        match why {
            Some(why) => println!("{:width$}  {:40}  {}", mutant.name, mutant.rule, ask::one_line(&why)),
            None => missed.push(format!("{} by {}", mutant.name, mutant.rule)),
        }
    }
    assert!(missed.is_empty(), "not caught:\n{}", missed.join("\n"));
    assert!(MUTANTS.len() >= 25);
}

/// The rules that catch mutants hold on the drivers behind them, so that it is the mutant which they catch.
#[test]
fn the_drivers_behind_the_mutants_hold_these_rules() {
    for behind in [Behind::Memory, Behind::Local, Behind::S3] {
        let rules: BTreeSet<_> =
            MUTANTS.iter().filter(|mutant| mutant.behind == behind).map(|mutant| mutant.rule).collect();
        let asked = ask::at_once(rules.iter().collect(), |rule| ask::broken(honest(behind), rule));
        for (rule, why) in rules.iter().zip(asked) {
            assert_eq!(why, None, "{rule} on {behind:?}, as it is");
        }
    }
}

/// In a long run: all rules of all mutants. A rule that notices none has to have its reason.
#[test]
fn every_rule_notices_a_mutant_or_says_what_else_it_notices() {
    if std::env::var("STORAGE_TEST_LONG").is_ok_and(|long| long == "1") {
        let rules = ask::all_rules();
        let noticed = ask::at_once(MUTANTS.iter().collect(), |mutant| {
            rules.iter().copied().filter(|rule| ask::broken((mutant.make)(), rule).is_some()).collect::<Vec<_>>()
        });
        for (mutant, rules) in MUTANTS.iter().zip(&noticed) {
            println!("{}: {}", mutant.name, rules.join(", "));
        }
        let noticing: BTreeSet<&str> = noticed.into_iter().flatten().collect();
        for rule in rules.iter().filter(|rule| !noticing.contains(*rule)) {
            println!("{rule} notices no mutant: {}", table::reason(rule).unwrap_or("?"));
        }
    }
    let named: BTreeSet<&str> = MUTANTS.iter().map(|mutant| mutant.rule).collect();
    let (mut unknown, mut both) = (Vec::new(), Vec::new());
    for rule in ask::all_rules() {
        match (named.contains(rule), table::reason(rule)) {
            (false, None) => unknown.push(rule),
            (true, Some(_)) => both.push(rule),
            _ => {}
        }
    }
    assert!(unknown.is_empty(), "rules that catch no mutant, and nobody says what else they catch: {unknown:#?}");
    assert!(both.is_empty(), "rules that catch a mutant after all: {both:#?}");
    let gone: Vec<_> = UNNOTICED.iter().filter(|(rule, _)| !ask::all_rules().contains(rule)).collect();
    assert!(gone.is_empty(), "there are no such rules: {gone:?}");
}
