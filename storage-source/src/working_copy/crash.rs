//! Places at which a test may end the process, as a crash would.

/// Ends the process where the test that started it asks for it.
#[cfg(test)]
pub(super) fn point(name: &str) {
    if std::env::var("STORAGE_TEST_CRASH_AT").is_ok_and(|wanted| wanted == name) {
        std::process::abort();
    }
}

#[cfg(not(test))]
pub(super) fn point(_: &str) {}
