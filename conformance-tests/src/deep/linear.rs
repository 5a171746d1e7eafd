//! Whether a history of calls on one key, made by several clients at once, can be put into one order (rule S01).
//!
//! The object is a register with compare-and-swap. A history is linearizable when each call can be given one moment
//! between its beginning and its end so that, one after another, all of them answer as they did (Herlihy and Wing, 1990).
//! The search is that of Wing and Gong with Lowe's memory of what has been tried: a set of calls that are done, together
//! with the value that they leave, is looked at once.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};
use std::fmt;

/// What a client asks of the key. Every write writes a number that no other write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Reads.
    Get,
    /// Writes, whatever is there.
    Put(u64),
    /// Writes only if nothing is there.
    Create(u64),
    /// Writes only if what is there is what was read.
    Swap {
        /// The number that was read.
        was: u64,
        /// The number to write.
        new: u64,
    },
    /// Deletes, whether something is there or not.
    Delete,
    /// Deletes only what was read.
    Take {
        /// The number that was read.
        was: u64,
    },
}

/// What a client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Told {
    /// A write or a delete took effect.
    Done,
    /// A condition did not hold.
    Refused,
    /// A read found this number, or nothing.
    Found(Option<u64>),
}

/// One call of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Who made it.
    pub client: usize,
    /// What was asked.
    pub ask: Ask,
    /// What was told; `None` where nobody knows, so that it took effect at some time after it began, or never.
    pub told: Option<Told>,
    /// A time before it was made.
    pub began: u64,
    /// A time after it had answered.
    pub ended: u64,
}

impl Call {
    /// By when it has taken effect, if it does.
    fn settled(&self) -> u64 {
        if self.told.is_some() { self.ended } else { u64::MAX }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{} client {}: {:?} -> ", self.began, self.ended, self.client, self.ask)?;
        match self.told {
            Some(told) => write!(f, "{told:?}"),
            None => f.write_str("nobody knows"),
        }
    }
}

/// A history that no order explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonlinear {
    /// The longest order that explains a part of it.
    pub explained: Vec<Call>,
    /// The number that this order leaves.
    pub value: Option<u64>,
    /// The calls of which one would have to come next, and none can.
    pub stuck: Vec<Call>,
}

impl fmt::Display for Nonlinear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "no order explains the history; {} calls can be put into order", self.explained.len())?;
        let skipped = self.explained.len().saturating_sub(12);
        if skipped > 0 {
            writeln!(f, "  ({skipped} before)")?;
        }
        for call in &self.explained[skipped..] {
            writeln!(f, "  {call}")?;
        }
        writeln!(f, "which leaves {:?}, and then one of these is due, and none fits:", self.value)?;
        for call in &self.stuck {
            writeln!(f, "  {call}")?;
        }
        Ok(())
    }
}

/// What a call does to the number that is there, and what it answers.
fn apply(value: Option<u64>, ask: Ask) -> (Option<u64>, Told) {
    match ask {
        Ask::Get => (value, Told::Found(value)),
        Ask::Put(new) => (Some(new), Told::Done),
        Ask::Create(new) if value.is_none() => (Some(new), Told::Done),
        Ask::Swap { was, new } if value == Some(was) => (Some(new), Told::Done),
        Ask::Take { was } if value == Some(was) => (None, Told::Done),
        Ask::Create(_) | Ask::Swap { .. } | Ask::Take { .. } => (value, Told::Refused),
        Ask::Delete => (None, Told::Done),
    }
}

/// Finds an order of the calls that explains every answer, beginning with this number.
pub fn check(start: Option<u64>, calls: &[Call]) -> Result<(), Box<Nonlinear>> {
    let mut calls = calls.to_vec();
    calls.sort_by_key(|call| call.began);
    let answered = calls.iter().filter(|call| call.told.is_some()).count();
    let done = Done { all_before: 0, later: BTreeSet::new() };
    Search { calls: &calls, done, answered, seen: HashSet::new(), path: Vec::new() }.run(start).map_err(Box::new)
}

/// Which calls are in the order already. Since few are made at once, those are nearly all that began before some call.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Done {
    all_before: usize,
    later: BTreeSet<usize>,
}

impl Done {
    fn has(&self, index: usize) -> bool {
        index < self.all_before || self.later.contains(&index)
    }

    fn add(&mut self, index: usize) {
        self.later.insert(index);
        while self.later.remove(&self.all_before) {
            self.all_before += 1;
        }
    }

    fn remove(&mut self, index: usize) {
        if !self.later.remove(&index) {
            self.later.extend(index + 1..self.all_before);
            self.all_before = index;
        }
    }
}

struct Search<'a> {
    /// In the order in which they began.
    calls: &'a [Call],
    done: Done,
    /// How many calls were answered and are not in the order yet.
    answered: usize,
    seen: HashSet<(Done, Option<u64>)>,
    /// The order so far: each call, the number before it, and what else can be tried in its place.
    path: Vec<(usize, Option<u64>, Vec<usize>)>,
}

impl Search<'_> {
    fn run(mut self, start: Option<u64>) -> Result<(), Nonlinear> {
        let (mut value, mut next) = (start, self.next());
        let mut best: Option<Nonlinear> = None;
        while self.answered > 0 {
            if let Some(index) = next.pop() {
                let (after, told) = apply(value, self.calls[index].ask);
                // What nobody knows and changes nothing here may as well never have been.
                let fits = self.calls[index].told.map_or(after != value, |was| was == told);
                if fits && self.take(index, after) {
                    self.path.push((index, value, next));
                    (value, next) = (after, self.next());
                }
                continue;
            }
            if best.as_ref().is_none_or(|best| best.explained.len() < self.path.len()) {
                best = Some(self.stuck(value));
            }
            match self.path.pop() {
                Some((index, before, others)) => {
                    self.give_back(index);
                    (value, next) = (before, others);
                }
                None => return Err(best.unwrap_or_else(|| self.stuck(start))),
            }
        }
        Ok(())
    }

    /// Puts a call into the order, unless that has been tried.
    fn take(&mut self, index: usize, after: Option<u64>) -> bool {
        self.done.add(index);
        self.answered -= usize::from(self.calls[index].told.is_some());
        let fresh = self.seen.insert((self.done.clone(), after));
        if !fresh {
            self.give_back(index);
        }
        fresh
    }

    fn give_back(&mut self, index: usize) {
        self.done.remove(index);
        self.answered += usize::from(self.calls[index].told.is_some());
    }

    /// The calls that may be next: those that began before any of the others has ended. The last is tried first: calls
    /// of which nobody knows come when nothing else helps.
    fn next(&self) -> Vec<usize> {
        let (mut due, mut next) = (u64::MAX, Vec::new());
        for (index, call) in self.calls.iter().enumerate().skip(self.done.all_before) {
            if call.began > due {
                break;
            }
            if !self.done.has(index) {
                due = due.min(call.settled());
                next.push(index);
            }
        }
        next.retain(|index| self.calls[*index].began <= due);
        next.sort_by_key(|index| (self.calls[*index].told.is_some(), Reverse(self.calls[*index].ended)));
        next
    }

    fn stuck(&self, value: Option<u64>) -> Nonlinear {
        let explained = self.path.iter().map(|(index, ..)| self.calls[*index]).collect();
        Nonlinear { explained, value, stuck: self.next().into_iter().map(|index| self.calls[index]).collect() }
    }
}
