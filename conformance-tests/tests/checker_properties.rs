//! Properties of the checker of rule S01. A failure is shrunk, and told with its seed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

use conformance_tests::linear::{Ask, Call, Told, check};
use proptest::prelude::*;

use Ask::{Create, Delete, Get, Put, Swap, Take};
use Told::{Done, Found, Refused};

/// What a register does, written down once more: the number that is there, and the answer.
fn answered(value: Option<u64>, ask: Ask) -> (Option<u64>, Told) {
    match (ask, value) {
        (Get, _) => (value, Found(value)),
        (Put(new), _) | (Create(new), None) => (Some(new), Done),
        (Swap { was, new }, Some(now)) if was == now => (Some(new), Done),
        (Take { was }, Some(now)) if was == now => (None, Done),
        (Delete, _) => (None, Done),
        (Create(_) | Swap { .. } | Take { .. }, _) => (value, Refused),
    }
}

/// Any call on few numbers, so that conditions hold often.
fn asks() -> impl Strategy<Value = Ask> {
    let number = || 1..4_u64;
    prop_oneof![
        3 => Just(Get),
        2 => number().prop_map(Put),
        2 => number().prop_map(Create),
        3 => (number(), number()).prop_map(|(was, new)| Swap { was, new }),
        1 => number().prop_map(|was| Take { was }),
        1 => Just(Delete),
    ]
}

/// Any answer that such a call may get.
fn told(ask: Ask) -> BoxedStrategy<Option<Told>> {
    match ask {
        Get => prop_oneof![Just(Some(Found(None))), (1..4_u64).prop_map(|number| Some(Found(Some(number))))].boxed(),
        Put(_) | Delete => prop_oneof![3 => Just(Some(Done)), 1 => Just(None)].boxed(),
        _ => prop_oneof![2 => Just(Some(Done)), 2 => Just(Some(Refused)), 1 => Just(None)].boxed(),
    }
}

/// Calls one after another, as a register answers them; the moment of each is ten times its place.
fn sequential(asks: &[Ask]) -> Vec<Call> {
    let mut value = None;
    let call = |(place, ask): (usize, &Ask)| {
        let (after, told) = answered(value, *ask);
        value = after;
        let moment = 10 * (place as u64 + 10);
        Call { client: place, ask: *ask, told: Some(told), began: moment, ended: moment + 1 }
    };
    asks.iter().enumerate().map(call).collect()
}

/// Every order of some of the calls that has all answered ones and no call before one that ended before it began.
fn explained(value: Option<u64>, left: &[Call]) -> bool {
    let due = |call: &Call| call.told.is_some();
    if !left.iter().any(due) {
        return true;
    }
    (0..left.len()).any(|next| {
        let mut others = left.to_vec();
        let call = others.remove(next);
        let first = others.iter().filter(|other| due(other)).all(|other| other.ended >= call.began);
        let (after, answer) = answered(value, call.ask);
        first && call.told.is_none_or(|told| told == answer) && explained(after, &others)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    /// Calls that are stretched around their moments, and answers that are forgotten, leave a history right.
    #[test]
    fn what_a_register_answered_is_right(
        asks in prop::collection::vec(asks(), 1..60),
        stretched in prop::collection::vec((0..60_u64, 0..60_u64, 0..8_u8), 60),
    ) {
        let mut calls = sequential(&asks);
        for (call, (before, after, forgotten)) in calls.iter_mut().zip(stretched) {
            call.began -= before;
            call.ended += after;
            if forgotten == 0 && call.ask != Get {
                call.told = None;
            }
        }
        let judged = check(None, &calls);
        prop_assert!(judged.is_ok(), "{}", judged.unwrap_err());
    }

    /// Of calls one after another no answer can be another one.
    #[test]
    fn another_answer_is_wrong(
        asks in prop::collection::vec(asks(), 1..60),
        which in any::<prop::sample::Index>(),
        other in 1..5_u64,
    ) {
        let mut calls = sequential(&asks);
        let call = &mut calls[which.index(asks.len())];
        call.told = match (call.ask, call.told) {
            (_, Some(Found(Some(number)))) if number == other => Some(Found(None)),
            (_, Some(Found(_))) => Some(Found(Some(other))),
            (Create(_) | Swap { .. } | Take { .. }, Some(Refused)) => Some(Done),
            _ => Some(Refused),
        };
        prop_assert!(check(None, &calls).is_err(), "{calls:#?}");
    }

    /// The search finds an order exactly where one of all orders is one.
    #[test]
    fn the_search_agrees_with_trying_all_orders(
        calls in prop::collection::vec(
            asks().prop_flat_map(|ask| (Just(ask), told(ask), 0..20_u64, 0..12_u64)),
            0..7,
        ),
    ) {
        // Times are each taken once, as a clock gives them out that is counted up by every look at it.
        let call = |(client, (ask, told, began, took)): (usize, (Ask, Option<Told>, u64, u64))| {
            let (began, ended) = (16 * began + client as u64, 16 * (began + took) + 8 + client as u64);
            Call { client, ask, told, began, ended }
        };
        let calls: Vec<Call> = calls.into_iter().enumerate().map(call).collect();
        prop_assert_eq!(check(None, &calls).is_ok(), explained(None, &calls), "{:#?}", calls);
    }
}
