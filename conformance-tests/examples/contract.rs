//! Prints the contract as the page that `docs/contract.md` is.

use conformance_tests::{ELSEWHERE, GROUPS, rules};

const HEAD: &str = "\
# The contract

What every driver promises, through every wrapper and sub-root, from one task and from many. Each rule is a test of its own name in
[conformance-tests](../conformance-tests/src/rules), a line in the report of `storage conformance LOCATION`, and an entry of this page, which is
made from the same data (`python3 .ci/contract.py`).

The model is an object store: an ordered map from keys to immutable objects. `/` has no meaning but in delimited listings. A rule
that a medium cannot keep is waived only by a capability that its driver declares; the operation is then `Unsupported` and
changes nothing. The ids are stable.
";

/// A rule's place in the order of the page, and its lines.
type Entry = (&'static str, String);

fn main() {
    let asked = rules().iter().map(|rule| -> Entry {
        let proof = format!("[`{}`](../{})", rule.name, rule.file);
        (rule.id, entry(rule.id, rule.title, rule.text, rule.why, &proof))
    });
    let elsewhere = ELSEWHERE.iter().map(|rule| -> Entry {
        (rule.id, entry(rule.id, rule.title, rule.text, rule.why, &format!("proved by {}", rule.place)))
    });
    let mut entries: Vec<Entry> = asked.chain(elsewhere).collect();
    entries.sort_by_key(|(id, _)| *id);
    print!("{HEAD}");
    for (letter, title) in GROUPS {
        println!("\n## {letter}. {title}\n");
        entries.iter().filter(|(id, _)| id.starts_with(letter)).for_each(|(_, entry)| print!("{entry}"));
    }
}

fn entry(id: &str, title: &str, text: &str, why: &str, proof: &str) -> String {
    format!("- **{id} {title}.** {text} *{why}* ({proof})\n")
}
