//! The progress of a transfer, on a terminal only.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::harmless;

/// Counts bytes and objects; silent where standard error is no terminal, or programs read the output.
#[derive(Clone)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(json: bool) -> Self {
        if json || !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        Self::with("{spinner} {binary_bytes} of {binary_total_bytes}  {binary_bytes_per_sec}  {msg}")
    }

    /// Counts what the message says, and is silent in the same places.
    pub(crate) fn counting(json: bool) -> Self {
        match json || !std::io::stderr().is_terminal() {
            true => Self(ProgressBar::hidden()),
            false => Self::with("{spinner} {msg}"),
        }
    }

    fn with(template: &str) -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// An object of so many bytes will be transferred.
    pub(crate) fn expect(&self, bytes: u64) {
        self.0.inc_length(bytes);
    }

    /// Bytes have arrived.
    pub(crate) fn add(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// What is transferred now.
    pub(crate) fn show(&self, key: &str) {
        self.0.set_message(harmless(key).into_owned());
    }

    /// Takes the bar away while `print` writes to the terminal.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}
