//! What services are known to do wrong: the rules that fail there, and why.

/// A service by the name of its profile, a rule by that of its test, and the reason.
const KNOWN_WRONG: [(&str, &str, &str); 2] = [
    ("ceph", "m06_user_metadata", "an underscore in the name of user metadata comes back as a hyphen"),
    ("moto", "m06_user_metadata", "it answers 431 to more than a hundred headers"),
];

/// Why a rule is known to fail on a service; none where it has to hold.
pub(crate) fn reason(service: &str, rule: &str) -> Option<&'static str> {
    KNOWN_WRONG.iter().find(|(known, broken, _)| *known == service && *broken == rule).map(|(_, _, reason)| *reason)
}
