//! What need not be listed: out of the globs, as automata over the bytes of a path.
//!
//! After the bytes of a directory an automaton knows what may still come: nothing that an include takes, or nothing that
//! an exclude leaves. That is exact for whatever `globset` makes of a pattern, in both modes.

use std::collections::HashMap;

use globset::Glob;
use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, util::syntax};

/// An automaton that would take more bytes is not made; what it would have pruned is listed and filtered.
const SIZE_LIMIT: usize = 256 * 1024;

/// A glob is listed by so many prefixes at most.
const MOST_PREFIXES: usize = 16;

/// A filter is listed by so many prefixes at most; of more, only what they have in common counts.
const MOST_LISTINGS: usize = 1000;

/// What a filter's globs say of whole directories.
#[derive(Debug, Clone)]
pub(crate) struct Pruning {
    /// `None` where everything is included, or an include is too large to know.
    include: Option<Vec<Reach>>,
    exclude: Vec<Reach>,
    /// `None` where a rescue is too large to know what it rescues.
    rescue: Option<Vec<Reach>>,
    /// Directories that are left out whatever the globs say, each with its `/`.
    without: Vec<String>,
}

/// How the keys under a text are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Descent {
    /// Not at all: the filter takes none of them.
    Pruned,
    /// By levels: there may be directories among them that are pruned.
    Levels,
    /// Flat: pruning cannot pay.
    Flat,
}

impl Pruning {
    pub(crate) fn new(include: &[Glob], exclude: &[Glob], rescue: &[Glob]) -> Self {
        let all = |globs: &[Glob]| globs.iter().map(Reach::of).collect::<Option<Vec<_>>>();
        Self {
            include: all(include).filter(|include| !include.is_empty()),
            exclude: exclude.iter().filter_map(Reach::of).collect(),
            rescue: all(rescue),
            without: Vec::new(),
        }
    }

    /// Leaves these directories out, which end in `/`, whatever the globs say.
    pub(crate) fn without(&mut self, directories: Vec<String>) {
        self.without = directories;
    }

    /// What every path that is taken begins with, one of them, in order; no one begins with another.
    pub(crate) fn prefixes(&self) -> Vec<String> {
        let Some(include) = &self.include else {
            return vec![String::new()];
        };
        let mut prefixes: Vec<String> = include.iter().flat_map(Reach::prefixes).collect();
        prefixes.sort_unstable();
        prefixes.dedup_by(|next, kept| next.starts_with(kept.as_str()));
        if prefixes.len() > MOST_LISTINGS { vec![common_start(&prefixes)] } else { prefixes }
    }

    /// How the keys that begin with a text are listed.
    pub(crate) fn descent(&self, text: &str) -> Descent {
        if self.without.iter().any(|directory| text.starts_with(directory.as_str())) {
            return Descent::Pruned;
        }
        let holds_one = self.without.iter().any(|directory| directory.starts_with(text));
        match self.descent_by_globs(text) {
            Descent::Flat if holds_one => Descent::Levels,
            descent => descent,
        }
    }

    fn descent_by_globs(&self, text: &str) -> Descent {
        let include: Option<Vec<_>> = self.include.as_ref().map(|all| all.iter().map(|one| one.after(text)).collect());
        if include.as_ref().is_some_and(|include| include.iter().all(|state| state.is_dead)) {
            return Descent::Pruned;
        }
        let shallow = include.is_some_and(|include| include.iter().all(|state| state.is_shallow));
        let rescue = self.rescue.as_ref().map(|all| all.iter().map(|one| one.after(text)).collect::<Vec<_>>());
        let Some(rescue) = rescue else {
            return if shallow { Descent::Levels } else { Descent::Flat };
        };
        let exclude: Vec<_> = self.exclude.iter().map(|one| one.after(text)).collect();
        if rescue.iter().all(|state| state.is_dead) && exclude.iter().any(|state| state.is_everything) {
            return Descent::Pruned;
        }
        let pays = exclude.iter().any(|state| state.leads_to_everything) && rescue.iter().all(|state| state.can_die);
        if shallow || pays { Descent::Levels } else { Descent::Flat }
    }
}

/// What all of the sorted texts begin with.
fn common_start(sorted: &[String]) -> String {
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
        return String::new();
    };
    let common = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count();
    first[..first.floor_char_boundary(common)].to_owned()
}

/// What may come after some bytes of a path.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Nothing that matches can come.
    is_dead: bool,
    /// The path may end here.
    is_match: bool,
    /// Whatever comes, it matches.
    is_everything: bool,
    /// After some bytes more, everything matches.
    leads_to_everything: bool,
    /// There are bytes after which nothing matches any more.
    can_die: bool,
    /// Nothing that matches holds a further `/`.
    is_shallow: bool,
}

/// What a glob reaches: its automaton, with everything about its states found out beforehand.
#[derive(Debug, Clone)]
struct Reach {
    states: Vec<State>,
    /// The next state for each state and class of bytes.
    next: Vec<Vec<usize>>,
    /// The class of each byte.
    classes: Box<[u8; 256]>,
}

/// The bytes that a key can hold (rule K06).
fn bytes() -> impl Iterator<Item = u8> {
    (b' '..=0xf4).filter(|byte| *byte != 0x7f)
}

impl Reach {
    /// The automaton of a glob; `None` where it is too large.
    fn of(glob: &Glob) -> Option<Self> {
        let config = dense::Config::new()
            .start_kind(StartKind::Anchored)
            .dfa_size_limit(Some(SIZE_LIMIT))
            .determinize_size_limit(Some(4 * SIZE_LIMIT));
        // As `globset` compiles it.
        let syntax = syntax::Config::new().utf8(false).dot_matches_new_line(true);
        let thompson = regex_automata::nfa::thompson::Config::new().utf8(false);
        let dfa = dense::Builder::new().configure(config).syntax(syntax).thompson(thompson).build(glob.regex()).ok()?;
        let start = dfa.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()?;

        let (mut classes, mut samples) = (Box::new([0; 256]), Vec::new());
        for byte in bytes() {
            let class = dfa.byte_classes().get(byte);
            let known = samples.iter().position(|sample| dfa.byte_classes().get(*sample) == class);
            let class = known.unwrap_or_else(|| {
                samples.push(byte);
                samples.len() - 1
            });
            classes[usize::from(byte)] = u8::try_from(class).ok()?;
        }
        let (mut ids, mut known) = (vec![start], HashMap::from([(start, 0)]));
        let mut next: Vec<Vec<usize>> = Vec::new();
        while let Some(id) = ids.get(next.len()).copied() {
            let mut number = |next: StateID| {
                *known.entry(next).or_insert_with(|| {
                    ids.push(next);
                    ids.len() - 1
                })
            };
            next.push(samples.iter().map(|sample| number(dfa.next_state(id, *sample))).collect());
        }
        let is_match = ids.iter().map(|id| dfa.is_match_state(dfa.next_eoi_state(*id))).collect();
        Some(Self { states: states(is_match, &next, usize::from(classes[usize::from(b'/')])), next, classes })
    }

    fn step(&self, state: usize, byte: u8) -> usize {
        self.next[state][usize::from(self.classes[usize::from(byte)])]
    }

    fn after(&self, text: &str) -> State {
        self.states[text.bytes().fold(0, |state, byte| self.step(state, byte))]
    }

    /// What the glob's matches begin with: followed as long as few bytes can come next.
    fn prefixes(&self) -> Vec<String> {
        let (mut open, mut done) = (std::collections::VecDeque::from([(Vec::new(), 0)]), Vec::new());
        while let Some((text, state)) = open.pop_front() {
            let live: Vec<(u8, usize)> = bytes()
                .map(|byte| (byte, self.step(state, byte)))
                .filter(|(_, next)| !self.states[*next].is_dead)
                .collect();
            let room = MOST_PREFIXES.saturating_sub(open.len() + done.len());
            if self.states[state].is_match || live.len() > room || text.len() >= storage_core::MAX_KEY_LEN {
                done.push(text);
                continue;
            }
            open.extend(live.into_iter().map(|(byte, next)| ([&*text, &[byte]].concat(), next)));
        }
        done.into_iter().map(whole_characters).collect()
    }
}

/// Everything that is known of states, of which the first is the start, by whether a path may end in each.
fn states(is_match: Vec<bool>, next: &[Vec<usize>], slash: usize) -> Vec<State> {
    let all = 0..next.len();
    // States from which a good one is reached, by transitions that `by` lets pass.
    let reaching = |good: Vec<bool>, by: &dyn Fn(usize) -> bool| {
        let mut found = good;
        loop {
            let more: Vec<usize> = all
                .clone()
                .filter(|state| !found[*state])
                .filter(|state| next[*state].iter().enumerate().any(|(class, to)| by(class) && found[*to]))
                .collect();
            if more.is_empty() {
                return found;
            }
            more.into_iter().for_each(|state| found[state] = true);
        }
    };
    let negated = |states: &[bool]| states.iter().map(|state| !state).collect::<Vec<bool>>();
    let alive = reaching(is_match.clone(), &|_| true);
    let everything = negated(&reaching(negated(&is_match), &|_| true));
    let leads_to_everything = reaching(everything.clone(), &|_| true);
    let can_die = reaching(negated(&alive), &|_| true);
    let goes_deeper = all.clone().map(|state| alive[next[state][slash]]).collect();
    let deep = reaching(goes_deeper, &|class| class != slash);
    all.map(|state| State {
        is_dead: !alive[state],
        is_match: is_match[state],
        is_everything: everything[state],
        leads_to_everything: leads_to_everything[state],
        can_die: can_die[state],
        is_shallow: !deep[state],
    })
    .collect()
}

/// Text out of bytes that may end within a character.
fn whole_characters(bytes: Vec<u8>) -> String {
    let valid = match std::str::from_utf8(&bytes) {
        Ok(text) => text.len(),
        Err(error) => error.valid_up_to(),
    };
    String::from_utf8_lossy(&bytes[..valid]).into_owned()
}
