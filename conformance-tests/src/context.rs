//! What a rule says while it runs: which parts it had to leave out and why, and where it broke. Every thread of a rule's
//! runtime knows the context of its rule.

use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::{Arc, Mutex, Once, PoisonError};

use crate::report::{Note, Step};

/// The seed of a run that names none.
pub const DEFAULT_SEED: u64 = 1;

/// Names the seed of the named tests; [`DEFAULT_SEED`] when unset.
const SEED: &str = "CONFORMANCE_SEED";

/// Why rules on services that fail have nothing to ask.
pub(crate) const NO_SERVICE: &str = "the harness has no service that fails when it is told to";

/// Why rules on files beside the objects have nothing to ask.
pub(crate) const NO_DIRECTORY: &str = "the root is no directory, into which something foreign could be put";

/// One run of one rule.
#[derive(Debug, Default)]
pub(crate) struct Context {
    pub(crate) seed: u64,
    /// Panics are written down and not shown.
    silent: bool,
    said: Mutex<Said>,
}

/// What was said so far.
#[derive(Debug, Default, Clone)]
pub(crate) struct Said {
    /// The whole rule is left out, for this reason.
    pub(crate) whole: Option<Note>,
    /// Parts of it are.
    pub(crate) parts: Vec<Note>,
    /// The panics of its threads, in their order.
    pub(crate) panics: Vec<Step>,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Context>>> = const { RefCell::new(None) };
}

impl Context {
    /// Of a run that reports: panics are written down.
    pub(crate) fn silent(seed: u64) -> Arc<Self> {
        Arc::new(Self { seed, silent: true, ..Self::default() })
    }

    /// Of a test: panics are shown as ever.
    pub(crate) fn loud(seed: u64) -> Arc<Self> {
        Arc::new(Self { seed, ..Self::default() })
    }

    /// Makes this the context of the thread, for good.
    pub(crate) fn enter(self: &Arc<Self>) {
        CURRENT.set(Some(Arc::clone(self)));
    }

    pub(crate) fn said(&self) -> Said {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn say(&self, say: impl FnOnce(&mut Said)) {
        say(&mut self.said.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn current() -> Option<Arc<Context>> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// Has what runs on a thread of its own speak in this thread's context.
pub(crate) fn carried<T>(run: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let context = current();
    move || {
        if let Some(context) = context {
            context.enter();
        }
        run()
    }
}

fn say(say: impl FnOnce(&mut Said)) {
    if let Some(context) = current() {
        context.say(say);
    }
}

/// The seed of the named tests.
pub(crate) fn seed_of_tests() -> u64 {
    let named = std::env::var(SEED).ok();
    named.map_or(DEFAULT_SEED, |seed| seed.parse().unwrap_or_else(|_| panic!("{SEED} is {seed:?}, and no number")))
}

/// The seed of what this rule draws at random; a failure prints it.
pub(crate) fn seed() -> u64 {
    current().map_or(DEFAULT_SEED, |context| context.seed)
}

/// The rule does not bind this driver: it declares that it lacks what the rule is about, and has refused it.
pub(crate) fn waive(capability: &'static str, reason: &str) {
    say(|said| said.whole = Some(Note::waived(capability, reason)));
}

/// The same for a part of the rule, while the rest is asked.
pub(crate) fn waive_part(capability: &'static str, reason: &str) {
    say(|said| add(&mut said.parts, Note::waived(capability, reason)));
}

/// The harness gives nothing that the rule could ask.
pub(crate) fn nothing_to_ask(reason: &str) {
    say(|said| said.whole = Some(Note::not_asked(reason)));
}

/// The same for a part of the rule, while the rest is asked.
pub(crate) fn part_not_asked(reason: &str) {
    say(|said| add(&mut said.parts, Note::not_asked(reason)));
}

/// What ends a rule that can go no further because the harness gives nothing to ask.
pub(crate) struct LeftOut;

/// Ends the rule: the harness gives nothing that it could ask. For what a rule calls and cannot return from.
#[allow(dead_code, reason = "a run tells such an end from a panic, though no harness makes it now")]
pub(crate) fn leave_out(reason: &str) -> ! {
    nothing_to_ask(reason);
    std::panic::resume_unwind(Box::new(LeftOut))
}

fn add(notes: &mut Vec<Note>, note: Note) {
    if !notes.contains(&note) {
        notes.push(note);
    }
}

/// From now on panics of threads that have a context are written down there and not shown; all others go where they went.
pub(crate) fn silence_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| match current() {
            Some(context) if context.silent => context.say(|said| said.panics.push(step(info))),
            _ => others(info),
        }));
    });
}

fn step(info: &PanicHookInfo<'_>) -> Step {
    let message = info.payload_as_str().unwrap_or("a panic without a message").to_owned();
    Step { message, place: info.location().map(ToString::to_string).unwrap_or_default() }
}
