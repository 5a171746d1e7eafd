//! Keys and prefixes: what is accepted, what is refused and why, and that nothing is ever rewritten (rules K01–K14).

use proptest::prelude::*;
use storage_core::{ErrorKind, Key, MAX_KEY_LEN, Prefix};

#[test]
fn keys_that_are_accepted_stay_as_they_are() {
    let longest = "x".repeat(MAX_KEY_LEN);
    let longest_umlauts = "é".repeat(MAX_KEY_LEN / 2);
    for text in [
        "a",
        "a/b/c",
        " a ",
        "a.",
        " lead/trail ",
        "...",
        "a/.../b",
        ".hidden",
        "..a",
        "a..",
        "100%25.txt",
        "%2F",
        "%2e%2e/x",
        "&amp;",
        "a#b?c",
        "r#0",
        "x.tmp",
        "x.attrs",
        ".DS_Store",
        "a\\b",
        "a:b*\"<>|~^[]{}',;@!$+=&",
        "é",
        "e\u{301}",
        "日本/語",
        "🦀/🦀",
        "\u{a0}",
        "\u{85}",
        "\u{feff}",
        "\u{fffd}",
        "\u{10ffff}",
        &longest,
        &longest_umlauts,
    ] {
        let key = Key::new(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(key.as_str(), text);
        assert_eq!(Prefix::new(text).unwrap().as_str(), text, "a key is a prefix too");
    }
}

#[test]
fn keys_that_break_a_rule_are_refused_with_the_reason() {
    let long = "x".repeat(MAX_KEY_LEN + 1);
    let long_umlauts = "é".repeat(MAX_KEY_LEN / 2 + 1);
    for (text, reason) in [
        ("", "empty"),
        ("/", "starts with"),
        ("/a", "starts with"),
        ("a/", "ends with"),
        ("a//b", "empty segment"),
        ("a///b", "empty segment"),
        (".", "'.' or '..'"),
        ("..", "'.' or '..'"),
        ("../x", "'.' or '..'"),
        ("a/./b", "'.' or '..'"),
        ("a/..", "'.' or '..'"),
        ("a\0b", "control"),
        ("a\nb", "control"),
        ("a\x1fb", "control"),
        ("a\x7fb", "control"),
        ("\u{fffe}", "U+FFFE"),
        ("a/\u{ffff}", "U+FFFE"),
        (&long, "1024"),
        (&long_umlauts, "1024"),
    ] {
        let error = Key::new(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey, "{text:?}");
        assert!(error.message().contains(reason), "{text:?}: {}", error.message());
        assert!(error.help().is_some() && error.key().is_some(), "{text:?}");
        assert!(error.to_string().len() < 1000, "a long key is shortened in its error");
    }
}

#[test]
fn prefixes_may_be_empty_or_unfinished() {
    for text in ["", "a", "a/", "a/b/", "a/.", "a/..", ".", "..", "o/a"] {
        assert_eq!(Prefix::new(text).unwrap().as_str(), text);
    }
    for text in ["/", "/a", "a//", "a/./", "a/../b", "./a", "../", "a\0", "\u{ffff}"] {
        assert_eq!(Prefix::new(text).unwrap_err().kind(), ErrorKind::InvalidKey, "{text:?}");
    }
}

#[test]
fn a_prefix_matches_as_text() {
    for (prefix, key, matches) in [
        ("", "a", true),
        ("o/a", "o/a", true),
        ("o/a", "o/a-b", true),
        ("o/a", "o/a/b", true),
        ("o/a", "o/b", false),
        ("a/.", "a/.git", true),
        ("a/", "a", false),
    ] {
        assert_eq!(Prefix::new(prefix).unwrap().matches(key), matches, "{prefix:?} on {key:?}");
    }
}

#[test]
fn a_level_is_empty_or_ends_in_a_slash() {
    for (prefix, level) in [("", true), ("a/", true), ("a/b/", true), ("a", false), ("a/b", false)] {
        assert_eq!(Prefix::new(prefix).unwrap().is_level(), level, "{prefix:?}");
    }
}

#[test]
fn lengths_count_together_behind_a_prefix() {
    let prefix = Prefix::new("tenant/").unwrap();
    let fits = Key::new("x".repeat(MAX_KEY_LEN - 7)).unwrap();
    assert_eq!(prefix.key(&fits).unwrap().as_str().len(), MAX_KEY_LEN);
    let over = Key::new("x".repeat(MAX_KEY_LEN - 6)).unwrap();
    assert_eq!(prefix.key(&over).unwrap_err().kind(), ErrorKind::InvalidKey);
}

#[test]
fn what_is_no_key_behind_a_prefix_is_not_stripped() {
    let key = Key::new("a/b").unwrap();
    let strip = |prefix: &str| key.strip_prefix(&Prefix::new(prefix).unwrap()).map(|key| key.to_string());
    assert_eq!(strip(""), Some("a/b".into()));
    assert_eq!(strip("a/"), Some("b".into()));
    assert_eq!(strip("a"), None, "what is left begins with '/'");
    assert_eq!(strip("a/b"), None, "nothing is left");
    assert_eq!(strip("b"), None);
}

#[test]
fn keys_order_by_their_bytes() {
    let mut keys: Vec<_> =
        ["b", "a/b", "a", "é", "a-b", "a0", "Z", "\u{ffee}", "🦀"].map(|k| Key::new(k).unwrap()).into();
    keys.sort();
    let sorted: Vec<_> = keys.iter().map(Key::as_str).collect();
    // U+FFEE before the crab: by bytes, where UTF-16 units would say the opposite.
    assert_eq!(sorted, ["Z", "a", "a-b", "a/b", "a0", "b", "é", "\u{ffee}", "🦀"]);
}

#[test]
fn keys_read_from_data_are_checked() {
    assert_eq!(serde_json::from_str::<Key>("\"a/b\"").unwrap().as_str(), "a/b");
    assert!(serde_json::from_str::<Key>("\"../b\"").is_err());
    assert!(serde_json::from_str::<Prefix>("\"a//\"").is_err());
    assert_eq!(serde_json::to_string(&Key::new("a/b").unwrap()).unwrap(), "\"a/b\"");
}

/// The rules as the contract words them, one by one.
fn is_key(text: &str) -> bool {
    let forbidden = |c: char| c < ' ' || c == '\u{7f}' || c == '\u{fffe}' || c == '\u{ffff}';
    (1..=1024).contains(&text.len())
        && !text.chars().any(forbidden)
        && text.split('/').all(|segment| !["", ".", ".."].contains(&segment))
}

/// Text in which every rule has a good chance to be broken.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => "[a-z .%é]{1,4}",
        4 => Just("/".to_owned()),
        1 => Just(".".to_owned()),
        1 => any::<char>().prop_map(String::from),
        1 => Just("y".repeat(300)),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_text_is_a_key_exactly_when_the_rules_say_so(text in texts()) {
        prop_assert_eq!(Key::new(text.as_str()).is_ok(), is_key(&text));
    }

    #[test]
    fn every_beginning_of_a_key_is_a_prefix_that_matches_it(text in texts().prop_filter("a key", |text| is_key(text))) {
        for (end, _) in text.char_indices() {
            prop_assert!(Prefix::new(&text[..end]).unwrap().matches(&text));
        }
    }

    #[test]
    fn what_a_prefix_puts_in_front_it_takes_away(level in "([a-z]{1,3}/){0,3}", text in texts().prop_filter("a key", |text| is_key(text))) {
        let (prefix, key) = (Prefix::new(level).unwrap(), Key::new(text).unwrap());
        if let Ok(full) = prefix.key(&key) {
            prop_assert!(prefix.matches(full.as_str()));
            prop_assert_eq!(full.strip_prefix(&prefix), Some(key));
        }
    }
}
