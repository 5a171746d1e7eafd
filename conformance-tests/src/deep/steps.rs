//! Random steps of a history, as `proptest` makes and shrinks them. Every step can be taken in every state, so that a
//! history with any step left out is one too.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any};
use proptest::prop_oneof;
use proptest::sample::select;
use storage_core::{Attributes, ByteRange, Key};

use crate::hostile::{CONTROL_NAMES, ENCODED, SPACES_AND_DOTS, SPECIAL};
use crate::support::Random;

/// How many writers may be open at once.
pub(crate) const SLOTS: usize = 2;

/// Bytes to write: so many, of one of a few fillings, so that the same content comes again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Data {
    pub(crate) filling: u8,
    pub(crate) size: usize,
}

/// An etag by what it is to a key, since nobody knows it before.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    /// The one that the key has.
    Current,
    /// One that the key once had, counted from the first.
    Former(usize),
    /// One that no object has.
    Foreign,
}

/// When a write takes place.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode {
    Overwrite,
    CreateOnly,
    IfMatch(Which),
}

/// A listing.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    pub(crate) prefix: String,
    pub(crate) delimited: bool,
    pub(crate) start_after: Option<String>,
    pub(crate) limit: Option<u64>,
    pub(crate) page_size: usize,
    /// Whether each page is asked for anew, by the token of the one before it.
    pub(crate) by_tokens: bool,
}

/// One step.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Put {
        key: Key,
        data: Data,
        mode: Mode,
        attributes: Attributes,
    },
    Get {
        key: Key,
        range: Option<ByteRange>,
        matches: Option<Which>,
        differs: Option<Which>,
    },
    Head {
        key: Key,
        matches: Option<Which>,
        differs: Option<Which>,
    },
    List(Listing),
    Copy {
        from: Key,
        to: Key,
        create_only: bool,
        source: Option<Which>,
    },
    Rename {
        from: Key,
        to: Key,
        create_only: bool,
        source: Option<Which>,
    },
    Delete {
        key: Key,
        if_match: Option<Which>,
    },
    DeleteMany(Vec<Key>),
    /// Everything under a prefix that ends in `/`, or all.
    DeletePrefix(String),
    /// Opens a writer in a slot that is free.
    Open {
        slot: usize,
        key: Key,
        mode: Mode,
        attributes: Attributes,
    },
    Write {
        slot: usize,
        data: Data,
    },
    Finish {
        slot: usize,
    },
    Abort {
        slot: usize,
    },
    /// Drops the writer as it is.
    Drop {
        slot: usize,
    },
    /// Removes what interrupted writes left an hour ago: nothing.
    Sweep,
}

impl Step {
    /// Whether it may make or change an object.
    pub(crate) fn writes(&self) -> bool {
        matches!(self, Self::Put { .. } | Self::Copy { .. } | Self::Rename { .. } | Self::Finish { .. })
    }
}

/// The keys of a history: related ones, and hostile ones out of a greater number.
pub(crate) fn keys(seed: u64, longest: usize) -> Vec<Key> {
    let hostile: Vec<&str> = [SPACES_AND_DOTS, SPECIAL, ENCODED, CONTROL_NAMES].concat();
    let mut random = Random::new(seed);
    let mut texts: Vec<String> = ["a", "a/b", "a/b/c", "ab", "a-b", "a0"].map(str::to_owned).into();
    for _ in 0..4 {
        let (one, other) = (hostile[random.below(hostile.len())], hostile[random.below(hostile.len())]);
        texts.extend([one.to_owned(), format!("a/{other}"), format!("{one}/{other}")]);
    }
    texts.push("x".repeat(longest));
    // A few, so that steps meet.
    while texts.len() > 8 {
        texts.swap_remove(random.below(texts.len()));
    }
    texts.into_iter().filter(|text| text.len() <= longest).filter_map(|text| Key::new(text).ok()).collect()
}

/// Histories of up to so many steps on these keys.
pub(crate) fn histories(keys: &[Key], longest: usize, large: bool) -> impl Strategy<Value = Vec<Step>> + use<> {
    vec(step(keys, large), 1..=longest)
}

fn step(keys: &[Key], large: bool) -> impl Strategy<Value = Step> + use<> {
    let key = select(keys.to_vec());
    let slot = 0..SLOTS;
    let two = || (select(keys.to_vec()), select(keys.to_vec()), any::<bool>(), option::weighted(0.2, which()));
    let read_if = || (option::weighted(0.2, which()), option::weighted(0.2, which()));
    let opening = (slot.clone(), key.clone(), mode(), attributes());
    prop_oneof![
        6 => (key.clone(), data(large), mode(), attributes())
            .prop_map(|(key, data, mode, attributes)| Step::Put { key, data, mode, attributes }),
        3 => (key.clone(), option::of(range()), read_if())
            .prop_map(|(key, range, (matches, differs))| Step::Get { key, range, matches, differs }),
        1 => (key.clone(), read_if()).prop_map(|(key, (matches, differs))| Step::Head { key, matches, differs }),
        4 => listing(keys).prop_map(Step::List),
        2 => two().prop_map(|(from, to, create_only, source)| Step::Copy { from, to, create_only, source }),
        2 => two().prop_map(|(from, to, create_only, source)| Step::Rename { from, to, create_only, source }),
        2 => (key.clone(), option::weighted(0.4, which()))
            .prop_map(|(key, if_match)| Step::Delete { key, if_match }),
        1 => vec(key, 0..5).prop_map(Step::DeleteMany),
        1 => select(levels(keys)).prop_map(Step::DeletePrefix),
        3 => opening
            .prop_map(|(slot, key, mode, attributes)| Step::Open { slot, key, mode, attributes }),
        4 => (slot.clone(), data(large)).prop_map(|(slot, data)| Step::Write { slot, data }),
        3 => slot.clone().prop_map(|slot| Step::Finish { slot }),
        1 => slot.clone().prop_map(|slot| Step::Abort { slot }),
        1 => slot.prop_map(|slot| Step::Drop { slot }),
        1 => Just(Step::Sweep),
    ]
}

fn data(large: bool) -> impl Strategy<Value = Data> {
    let size: BoxedStrategy<usize> = match large {
        true => prop_oneof![6 => 0..20_usize, 3 => 0..5000_usize, 1 => 60_000..70_000_usize, 1 => 8_000_000..9_000_000_usize].boxed(),
        false => prop_oneof![6 => 0..20_usize, 3 => 0..5000_usize, 1 => 60_000..70_000_usize].boxed(),
    };
    (0..3_u8, size).prop_map(|(filling, size)| Data { filling, size })
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![4 => Just(Mode::Overwrite), 2 => Just(Mode::CreateOnly), 2 => which().prop_map(Mode::IfMatch)]
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![3 => Just(Which::Current), 2 => (0..4_usize).prop_map(Which::Former), 1 => Just(Which::Foreign)]
}

fn attributes() -> impl Strategy<Value = Attributes> {
    let typed = || Attributes::new().content_type("text/plain; charset=utf-8");
    let mut full = typed().user("n", "1").user("name.of-a-kind", "Größe 😀 = 100 %");
    full.cache_control = Some("no-cache".to_owned());
    full.content_language = Some("de".to_owned());
    prop_oneof![4 => Just(Attributes::new()), 1 => Just(typed()), 1 => Just(full)]
}

fn range() -> impl Strategy<Value = ByteRange> {
    let offset = || prop_oneof![4 => 0..24_u64, 1 => 0..70_000_u64, 1 => Just(u64::MAX)];
    prop_oneof![
        (offset(), 1..5000_u64).prop_map(|(start, size)| ByteRange::Bounded {
            start: start.min(u64::MAX - size),
            end: start.saturating_add(size)
        }),
        offset().prop_map(ByteRange::From),
        offset().prop_map(|size| ByteRange::Suffix(size.max(1))),
    ]
}

fn listing(keys: &[Key]) -> impl Strategy<Value = Listing> + use<> {
    let texts = parts(keys);
    let pages = prop_oneof![3 => 1..4_usize, 1 => Just(1000)];
    let query = (select(texts.clone()), any::<bool>(), option::weighted(0.4, select(texts)));
    (query, option::weighted(0.3, 0..6_u64), pages, any::<bool>()).prop_map(
        |((prefix, delimited, start_after), limit, page_size, by_tokens)| Listing {
            prefix,
            delimited,
            start_after,
            limit,
            page_size,
            by_tokens,
        },
    )
}

/// Nothing, and every beginning of every key that ends with a character of some meaning.
fn parts(keys: &[Key]) -> Vec<String> {
    let mut parts = vec![String::new()];
    for key in keys {
        let text = key.as_str();
        let ends = text.char_indices().map(|(at, letter)| at + letter.len_utf8());
        parts.extend(ends.filter(|end| *end < 12 || *end == text.len()).map(|end| text[..end].to_owned()));
    }
    parts.sort();
    parts.dedup();
    parts
}

/// The prefixes of the keys that end in `/`, and the one that is empty.
fn levels(keys: &[Key]) -> Vec<String> {
    parts(keys).into_iter().filter(|part| part.is_empty() || part.ends_with('/')).collect()
}
