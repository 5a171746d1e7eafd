//! The table of all rules, and the macros that make tests of it.

/// Calls the macro `$then` with the path of every rule, `group::function`, separated by commas.
#[macro_export]
macro_rules! for_each_rule {
    ($then:path) => {
        $then! {
            keys::k01_invalid_keys_do_no_io,
        }
    };
}

/// Makes a test of every rule for a harness, each under the rule's name.
///
/// The argument is an expression that makes the harness, evaluated anew for each rule. Call it once in a module of its
/// own: it also adds the test `conformance_worker`, which serves rules that need a second process.
#[macro_export]
macro_rules! conformance {
    ($harness:expr) => {
        fn conformance_harness() -> impl $crate::Harness {
            $harness
        }

        $crate::for_each_rule!($crate::rule_tests);

        #[test]
        fn conformance_worker() {
            $crate::run_worker(conformance_harness());
        }
    };
}

/// The tests of [`conformance!`].
#[doc(hidden)]
#[macro_export]
macro_rules! rule_tests {
    ($($group:ident :: $rule:ident),* $(,)?) => {
        $(
            #[test]
            fn $rule() {
                $crate::run_rule(conformance_harness(), module_path!(), |harness| {
                    Box::pin($crate::rules::$group::$rule(harness))
                });
            }
        )*
    };
}
