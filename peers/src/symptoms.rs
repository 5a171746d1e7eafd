//! What is seen where a rule fails, in our words; each was looked at by hand.

/// The peers it is seen on, the rule, and what is seen.
const SYMPTOMS: &[(&[&str], &str, &str)] = &[];

/// What is seen on this peer where this rule fails.
pub fn symptom(peer: &str, rule: &str) -> Option<&'static str> {
    let known = SYMPTOMS.iter().find(|(peers, known, _)| peers.contains(&peer) && *known == rule);
    known.map(|(.., words)| *words)
}
