//! The checker of rule S01 on histories that are right and on histories that are wrong.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

use conformance_tests::linear::{Ask, Call, Told, check};

use Ask::{Create, Delete, Get, Put, Swap, Take};
use Told::{Done, Found, Refused};

/// A call of a client from one time to another.
fn call(client: usize, (began, ended): (u64, u64), ask: Ask, told: Told) -> Call {
    Call { client, ask, told: Some(told), began, ended }
}

/// The same where nobody knows what became of it.
fn unknown(client: usize, (began, ended): (u64, u64), ask: Ask) -> Call {
    Call { client, ask, told: None, began, ended }
}

#[track_caller]
fn right(calls: &[Call]) {
    if let Err(wrong) = check(None, calls) {
        panic!("{wrong}");
    }
}

#[track_caller]
fn wrong(calls: &[Call]) {
    assert!(check(None, calls).is_err(), "there is an order: {calls:#?}");
}

#[test]
fn an_empty_history_and_one_client_are_right() {
    right(&[]);
    right(&[
        call(0, (0, 1), Get, Found(None)),
        call(0, (2, 3), Create(1), Done),
        call(0, (4, 5), Create(2), Refused),
        call(0, (6, 7), Swap { was: 1, new: 3 }, Done),
        call(0, (8, 9), Swap { was: 1, new: 4 }, Refused),
        call(0, (10, 11), Get, Found(Some(3))),
        call(0, (12, 13), Take { was: 1 }, Refused),
        call(0, (14, 15), Take { was: 3 }, Done),
        call(0, (16, 17), Delete, Done),
        call(0, (18, 19), Get, Found(None)),
    ]);
}

#[test]
fn calls_at_once_may_come_in_any_order() {
    for found in [1, 2] {
        right(&[
            call(0, (0, 10), Put(1), Done),
            call(1, (1, 9), Put(2), Done),
            call(2, (11, 12), Get, Found(Some(found))),
        ]);
    }
    right(&[call(0, (0, 10), Put(1), Done), call(1, (1, 2), Get, Found(None)), call(1, (3, 4), Get, Found(Some(1)))]);
}

#[test]
fn a_read_that_is_behind_is_wrong() {
    wrong(&[call(0, (0, 1), Put(1), Done), call(0, (2, 3), Put(2), Done), call(1, (4, 5), Get, Found(Some(1)))]);
    wrong(&[call(0, (0, 1), Put(1), Done), call(1, (2, 3), Get, Found(None))]);
}

#[test]
fn a_read_that_goes_back_is_wrong() {
    // Each read alone could be explained, since the write goes on through both.
    wrong(&[
        call(0, (0, 1), Put(1), Done),
        call(0, (2, 20), Put(2), Done),
        call(1, (3, 4), Get, Found(Some(2))),
        call(2, (5, 6), Get, Found(Some(1))),
    ]);
}

#[test]
fn two_readers_that_see_two_orders_are_wrong() {
    let puts = [call(0, (0, 20), Put(1), Done), call(1, (0, 20), Put(2), Done)];
    let reads = |client, first, then| {
        [call(client, (1, 2), Get, Found(Some(first))), call(client, (3, 4), Get, Found(Some(then)))]
    };
    right(&[&puts[..], &reads(2, 1, 2), &reads(3, 1, 2)].concat());
    wrong(&[&puts[..], &reads(2, 1, 2), &reads(3, 2, 1)].concat());
}

#[test]
fn a_read_of_what_nobody_wrote_is_wrong() {
    wrong(&[call(0, (0, 1), Put(1), Done), call(1, (2, 3), Get, Found(Some(7)))]);
}

#[test]
fn two_winners_are_wrong() {
    wrong(&[call(0, (0, 10), Create(1), Done), call(1, (0, 10), Create(2), Done)]);
    right(&[call(0, (0, 10), Create(1), Done), call(1, (0, 10), Create(2), Refused)]);
    let swap = |client, new, told| call(client, (2, 10), Swap { was: 1, new }, told);
    wrong(&[call(0, (0, 1), Put(1), Done), swap(1, 2, Done), swap(2, 3, Done)]);
    right(&[call(0, (0, 1), Put(1), Done), swap(1, 2, Done), swap(2, 3, Refused)]);
    right(&[call(0, (0, 1), Put(1), Done), swap(1, 2, Done), call(2, (2, 10), Take { was: 1 }, Refused)]);
}

#[test]
fn a_refusal_without_a_reason_is_wrong() {
    wrong(&[call(0, (0, 1), Create(1), Refused)]);
    wrong(&[call(0, (0, 1), Put(1), Done), call(0, (2, 3), Swap { was: 1, new: 2 }, Refused)]);
}

#[test]
fn a_write_that_is_lost_to_a_swap_is_wrong() {
    // Rule C02: the swap had read before the put, and wins all the same.
    wrong(&[
        call(0, (0, 1), Put(1), Done),
        call(1, (2, 3), Put(2), Done),
        call(0, (4, 5), Swap { was: 1, new: 3 }, Done),
    ]);
}

#[test]
fn what_nobody_knows_took_place_late_or_never() {
    let lost = unknown(0, (0, 1), Put(1));
    right(&[lost, call(1, (2, 3), Get, Found(None)), call(1, (4, 5), Get, Found(None))]);
    right(&[lost, call(1, (2, 3), Get, Found(None)), call(1, (90, 91), Get, Found(Some(1)))]);
    wrong(&[lost, call(1, (2, 3), Get, Found(Some(1))), call(1, (4, 5), Get, Found(None))]);
    // Not before it was asked for.
    wrong(&[call(1, (0, 1), Get, Found(Some(1))), unknown(0, (2, 3), Put(1))]);
    // Nor twice.
    wrong(&[
        lost,
        call(1, (2, 3), Get, Found(Some(1))),
        call(1, (4, 5), Put(2), Done),
        call(1, (6, 7), Get, Found(Some(1))),
    ]);
}

#[test]
fn a_wrong_history_is_told_with_what_can_be_explained() {
    let wrong = check(
        None,
        &[call(0, (0, 1), Put(1), Done), call(1, (2, 3), Get, Found(Some(1))), call(2, (4, 5), Get, Found(Some(9)))],
    )
    .unwrap_err();
    assert_eq!((wrong.explained.len(), wrong.value, wrong.stuck.len()), (2, Some(1), 1));
    let told = wrong.to_string();
    assert!(told.contains("client 2: Get -> Found(Some(9))") && told.contains("leaves Some(1)"), "{told}");
}

/// A refused swap of which nobody knows changes nothing, wherever it is put; so it is put nowhere.
#[test]
fn many_calls_of_which_nobody_knows_are_judged_in_no_time() {
    let lost = (0..200).map(|number| unknown(1, (2, 3), Swap { was: 1_000 + number, new: 2_000 + number }));
    let written = [call(0, (0, 1), Put(1), Done)].into_iter().chain(lost);
    let history: Vec<Call> = written.chain([call(0, (4, 5), Get, Found(Some(1)))]).collect();
    right(&history);
    wrong(&[&history[..], &[call(0, (6, 7), Get, Found(None))]].concat());
}

/// Histories made from a real order are right, and cost little whatever their length; with one answer changed to a number
/// that had gone before, they are wrong.
#[test]
fn long_histories_are_judged_in_no_time() {
    for seed in 1..8_u64 {
        let mut random = seed;
        let mut below = |bound: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % bound
        };
        let (mut calls, mut value) = (Vec::new(), None);
        for at in 0..500_u64 {
            let ask = match below(5) {
                0 => Put(at),
                1 => Create(at),
                2 => Swap { was: at.saturating_sub(below(4)), new: at },
                3 => Delete,
                _ => Get,
            };
            let (after, told) = match (ask, value) {
                (Put(new), _) | (Create(new), None) => (Some(new), Done),
                (Swap { was, new }, Some(now)) if was == now => (Some(new), Done),
                (Delete, _) => (None, Done),
                (Get, value) => (value, Found(value)),
                (_, value) => (value, Refused),
            };
            value = after;
            // Eight calls at once: each begins before and ends after its moment.
            let (began, ended) = (10 * at + 100 - below(40), 10 * at + 105 + below(40));
            calls.push(call(at as usize, (began, ended), ask, told));
        }
        right(&calls);
        let changed = calls.iter().rposition(|call| matches!(call.told, Some(Found(Some(_))))).unwrap();
        calls[changed].told = Some(Found(Some(1_000_000)));
        wrong(&calls);
    }
}
