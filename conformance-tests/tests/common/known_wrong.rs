//! What services are known to do wrong: the rules that fail there, and why.

const SOURCE_CONDITION: &str = "it ignores x-amz-copy-source-if-match, so a stale source is copied all the same";

/// A service by the name of its profile, a rule by that of its test, and the reason.
const KNOWN_WRONG: [(&str, &str, &str); 9] = [
    ("ceph", "c04_failed_conditions_have_no_effect", SOURCE_CONDITION),
    ("ceph", "e01_errors_say_what_and_where", SOURCE_CONDITION),
    ("ceph", "x03_missing_source", SOURCE_CONDITION),
    ("ceph", "m06_user_metadata", "an underscore in the name of user metadata comes back as a hyphen"),
    ("moto", "c04_failed_conditions_have_no_effect", SOURCE_CONDITION),
    ("moto", "e01_errors_say_what_and_where", SOURCE_CONDITION),
    ("moto", "x03_missing_source", SOURCE_CONDITION),
    ("moto", "m06_user_metadata", "it answers 431 to more than a hundred headers"),
    ("moto", "v01_versions", "it gives no answer to GetBucketVersioning, so whether versions are kept stays unknown"),
];

/// Why a rule is known to fail on a service; none where it has to hold.
pub(crate) fn reason(service: &str, rule: &str) -> Option<&'static str> {
    KNOWN_WRONG.iter().find(|(known, broken, _)| *known == service && *broken == rule).map(|(_, _, reason)| *reason)
}
