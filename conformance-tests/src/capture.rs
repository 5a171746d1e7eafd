//! Everything that a thread writes to traces and logs.

use std::cell::RefCell;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, Once};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// What has been written so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<String>>);

impl Captured {
    fn add(&self, line: &str) {
        let mut text = self.0.lock().unwrap();
        text.push_str(line);
        text.push('\n');
    }

    /// All of it.
    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

thread_local! {
    /// Where the logs of this thread go, while they are captured.
    static LOGS: RefCell<Option<Captured>> = const { RefCell::new(None) };
}

/// Captures what the call writes on this thread, at every level.
pub(crate) fn captured<T>(call: impl FnOnce() -> T) -> (T, String) {
    static LOGGER: Once = Once::new();
    // Another logger of the process stays; then logs are not captured, and traces are all the same.
    LOGGER.call_once(|| {
        if log::set_logger(&ThreadLogger).is_ok() {
            log::set_max_level(log::LevelFilter::Trace);
        }
    });
    let captured = Captured::default();
    LOGS.set(Some(captured.clone()));
    let result = tracing::subscriber::with_default(Traces(captured.clone()), call);
    LOGS.set(None);
    (result, captured.text())
}

struct ThreadLogger;

impl log::Log for ThreadLogger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        LOGS.with_borrow(Option::is_some)
    }

    fn log(&self, record: &log::Record<'_>) {
        LOGS.with_borrow(|logs| {
            logs.iter().for_each(|logs| logs.add(&format!("{} {}", record.target(), record.args())))
        });
    }

    fn flush(&self) {}
}

struct Traces(Captured);

impl Subscriber for Traces {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line(span.metadata().name().to_owned());
        span.record(&mut line);
        self.0.add(&line.0);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut line = Line(String::new());
        values.record(&mut line);
        self.0.add(&line.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().target().to_owned());
        event.record(&mut line);
        self.0.add(&line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Names and values of a span or an event.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").expect("text");
    }
}
