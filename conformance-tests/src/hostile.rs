//! Keys that are valid and that a driver is tempted to change, merge, reserve or hide.

use storage_core::Key;

use crate::support::Random;

/// Spaces and dots at the ends of segments (rule K07).
pub(crate) const SPACES_AND_DOTS: &[&str] = &[
    "a", " a", "a ", " a ", "  a", " ", "  ", "a.", "a..", ".a", "..a", "...", "....", ". .", " .", ". ", " ..", ".. ",
    "a /b", " a/b", " a / b ", "a./b", "a../b.", ".a/.b", "..a/..b", ".../...", " / ", "d/ ", "d/. ", "d/a. .",
];

/// Characters with a meaning in URLs, shells, XML, file names or patterns (rule K08).
pub(crate) const SPECIAL: &[&str] = &[
    "%",
    "+",
    "?",
    "#",
    "&",
    "=",
    "\\",
    "*",
    ":",
    "\"",
    "<",
    ">",
    "|",
    "~",
    "^",
    "[",
    "]",
    "{",
    "}",
    "'",
    ",",
    ";",
    "@",
    "!",
    "$",
    "(",
    ")",
    "`",
    "-",
    "_",
    "😀",
    "👩‍👩‍👧",
    "é",
    "中",
    "\u{80}",
    "\u{a0}",
    "\u{2028}",
    "\u{fffd}",
    "\u{feff}",
    "\u{10ffff}",
];

/// Text that looks encoded (rule K09), beside what it would decode to.
pub(crate) const ENCODED: &[&str] = &[
    "a/b",
    "a%2Fb",
    "a%2fb",
    "a%252Fb",
    "%2F",
    "%2e%2e",
    "%2e%2e/x",
    "%2E",
    "%00",
    "%",
    "%%",
    "%2",
    "%zz",
    "a b",
    "a%20b",
    "a+b",
    "a%2Bb",
    "&amp;",
    "&",
    "&#47;",
    "&lt;x&gt;",
    "\\x2f",
    "\\u002f",
    "=2F",
    "%C3%A9",
    "é",
    "%23",
    "#",
    "%3F",
    "?",
    "%25",
    "%2525",
    "a?b=c",
    "a#b",
    "a?versionId=1",
    "=?UTF-8?B?YQ==?=",
];

/// Names that are control names somewhere: of file systems, of other storage libraries, of drivers of this contract
/// (rule K12).
pub(crate) const CONTROL_NAMES: &[&str] = &[
    ".tmp",
    "x.tmp",
    "x.attrs",
    "x.meta",
    "x.part",
    ".DS_Store",
    "Thumbs.db",
    "a#1",
    "a~",
    ".#a",
    ".nfs0001",
    ".lock",
    "lock",
    ".trash",
    ".git",
    "lost+found",
    "con",
    "NUL",
    "CON.txt",
    "index.html",
    "_SUCCESS",
    ".%self",
    ".%ctl",
    ".%ctl/tmp",
    ".%ctl/tmp/x",
    ".%-a",
    ".%+a",
    ".%=a",
    ".%",
    ".%%",
    ".%.%self",
    "%self",
    "%ctl",
    "~x",
    "~",
    "-",
    "--help",
    "*",
    "d/.%self",
    "d/.%ctl/tmp/x",
    "d/.%-a",
    "SELF",
    "CTL/tmp/x",
    ".storage",
    ".storage/tmp",
];

/// Random valid keys of up to four short segments, out of letters that mean something somewhere.
pub(crate) fn random_keys(seed: u64, count: usize) -> Vec<Key> {
    let letters: Vec<&str> = SPECIAL.iter().copied().chain([".", " ", "/", "a", "B", "0", "23", "25", "3F"]).collect();
    let mut random = Random::new(seed);
    let mut keys = Vec::with_capacity(count);
    while keys.len() < count {
        let text: String = (0..=random.below(16)).map(|_| letters[random.below(letters.len())]).collect();
        // Random text may break a rule, as with '//'.
        keys.extend(Key::new(text));
    }
    keys
}
