//! The excerpts of the guide stand in the sources that it names.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::path::Path;

const HERE: &str = "](../examples/storage-redb/";

/// Each block of Rust in docs/writing-a-driver.md is found, line by line, in the file that was linked last before it.
#[test]
fn excerpts_are_what_the_sources_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_to_string(root.join("../../docs/writing-a-driver.md")).unwrap();
    let mut blocks = 0;
    for (place, _) in guide.match_indices("```rs\n") {
        let (before, after) = guide.split_at(place);
        let candidates = before.match_indices(HERE).map(|(at, _)| before[at + HERE.len()..].split(')').next().unwrap());
        let paragraph = &before[before[..before.len() - 1].rfind("```").unwrap_or(0)..];
        let named: Vec<&str> = candidates.filter(|file| paragraph.contains(file)).collect();
        assert!(!named.is_empty(), "no source is named before {}", after.lines().nth(1).unwrap());
        let sources: Vec<String> = named.iter().map(|file| std::fs::read_to_string(root.join(file)).unwrap()).collect();
        let block = after["```rs\n".len()..].split("```").next().unwrap();
        for part in block.split("…\n") {
            assert!(sources.iter().any(|source| source.contains(part)), "in none of {named:?}:\n{part}");
        }
        blocks += 1;
    }
    assert!(blocks >= 10, "{blocks} excerpts");
}
