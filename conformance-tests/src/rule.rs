//! What a rule is: its id, what it says and why, and the function that holds a driver to it.

use futures::future::LocalBoxFuture;

use crate::harness::Harness;

/// The groups of the contract: the letter of their ids, and their titles, in the order of the contract.
pub const GROUPS: [(char, &str); 11] = [
    ('K', "Keys"),
    ('W', "Writes"),
    ('C', "Conditions"),
    ('R', "Reads"),
    ('M', "Metadata"),
    ('L', "Listing"),
    ('D', "Delete"),
    ('X', "Copy and move"),
    ('E', "Errors"),
    ('S', "Safety"),
    ('V', "Versions, checksums, watching"),
];

/// A rule of the contract and its proof. Several may share an id, each for a part of what it says.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The id, which never changes: `K01`.
    pub id: &'static str,
    /// The name of its test: `k01_invalid_keys_do_no_io`.
    pub name: &'static str,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// What every driver promises.
    pub text: &'static str,
    /// What goes wrong without it.
    pub why: &'static str,
    /// The source file of its proof, counted from the workspace.
    pub file: &'static str,
    /// Holds a driver to it: panics where it is broken.
    pub run: for<'a> fn(&'a dyn Harness) -> LocalBoxFuture<'a, ()>,
}

impl Rule {
    /// The letter of the group that it belongs to.
    pub fn group(&self) -> char {
        group(self.id)
    }
}

/// A rule that is proved outside the suite, since no call of the contract shows whether it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elsewhere {
    /// The id.
    pub id: &'static str,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// What every driver promises.
    pub text: &'static str,
    /// What goes wrong without it.
    pub why: &'static str,
    /// Where it is proved.
    pub place: &'static str,
}

impl Elsewhere {
    /// The letter of the group that it belongs to.
    pub fn group(&self) -> char {
        group(self.id)
    }
}

/// The rules that this suite reports without asking.
pub const ELSEWHERE: [Elsewhere; 2] = [
    Elsewhere {
        id: "S04",
        title: "Killed at any call",
        text: "A `kill -9` at any system call of a put, copy, move, delete, `finish` or sweep leaves every object old or new, \
               never torn, and what is left over is found by a sweep.",
        why: "Processes are killed at any moment, by an operator or for want of memory; a store that must be repaired \
              afterwards by hand is no store.",
        place: "a kill before each system call of the driver for directories (storage-local/tests/crash_points.rs)",
    },
    Elsewhere {
        id: "W16",
        title: "Ok means durable",
        text: "Where `durable` is declared, an Ok of a put, copy, move or delete means that the change survives a crash of \
               the machine: file, directory and every directory newly made are synced before it returns.",
        why: "A rename without a sync of the directory is gone after a power cut, long after the host was told Ok.",
        place: "the system calls of the driver for directories (storage-local/tests)",
    },
];

fn group(id: &str) -> char {
    id.chars().next().unwrap_or_default()
}

/// Says what the function of this name proves. It stands above the function; `table.rs` lists it.
///
/// ```text
/// rule! {
///     /// What every driver promises, in one or a few sentences.
///     K01, k01_name_of_the_function, "A title of a few words",
///     why: "What goes wrong without it."
/// }
/// async fn k01_name_of_the_function(harness: &dyn Harness) { … }
/// ```
macro_rules! rule {
    ($(#[doc = $line:literal])+ $id:ident, $name:ident, $title:literal, why: $why:literal) => {
        $(#[doc = $line])+
        pub mod $name {
            /// What it says, and the function that proves it.
            pub const RULE: $crate::Rule = $crate::Rule {
                id: stringify!($id),
                name: stringify!($name),
                title: $title,
                text: concat!($($line),+).trim_ascii(),
                why: $why,
                file: file!(),
                run: |harness| Box::pin(super::$name(harness)),
            };
        }
    };
}

pub(crate) use rule;
