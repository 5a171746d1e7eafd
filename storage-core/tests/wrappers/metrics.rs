//! The names, labels and values of what the metrics wrapper reports.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::{Counter, CounterFn, Gauge, Histogram, HistogramFn, Key as Name, KeyName, Metadata, SharedString, Unit};
use storage_core::wrappers::Metrics;
use storage_core::{Operation, Storage};

use crate::common::{Fault, Script};

/// What was reported: counters by name and labels, and the values of histograms.
#[derive(Clone, Default)]
struct Recorder {
    counters: Arc<Mutex<BTreeMap<String, u64>>>,
    values: Arc<Mutex<BTreeMap<String, Vec<f64>>>>,
    units: Arc<Mutex<BTreeMap<String, Option<Unit>>>>,
}

impl Recorder {
    fn counter(&self, name: &str) -> u64 {
        self.counters.lock().unwrap().get(name).copied().unwrap_or_default()
    }
}

/// `name{label=value,…}`, as the tests write it.
fn written(name: &Name) -> String {
    let labels: Vec<_> = name.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
    format!("{}{{{}}}", name.name(), labels.join(","))
}

struct One(Recorder, String);

impl CounterFn for One {
    fn increment(&self, value: u64) {
        *self.0.counters.lock().unwrap().entry(self.1.clone()).or_default() += value;
    }

    fn absolute(&self, value: u64) {
        self.0.counters.lock().unwrap().insert(self.1.clone(), value);
    }
}

impl HistogramFn for One {
    fn record(&self, value: f64) {
        self.0.values.lock().unwrap().entry(self.1.clone()).or_default().push(value);
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.units.lock().unwrap().insert(name.as_str().to_owned(), unit);
    }

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.units.lock().unwrap().insert(name.as_str().to_owned(), unit);
    }

    fn register_counter(&self, name: &Name, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::new(One(self.clone(), written(name))))
    }

    fn register_gauge(&self, _: &Name, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, name: &Name, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(One(self.clone(), written(name))))
    }
}

/// Runs a test with its own recorder, on one thread with paused time.
fn recorded(test: impl AsyncFnOnce(Script, Storage)) -> Recorder {
    let recorder = Recorder::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        let script = Script::new();
        let storage = Storage::new(Metrics::new(script.memory()));
        runtime.block_on(test(script, storage));
    });
    recorder
}

#[test]
fn calls_are_counted_by_backend_operation_and_outcome() {
    let recorder = recorded(async |_, storage| {
        storage.put("a", "hello").await.unwrap();
        storage.put("b", "you").await.unwrap();
        storage.bytes("a").await.unwrap();
        storage.head("missing").await.unwrap_err();
        storage.put_if_absent("a", "again").await.unwrap();
    });
    let calls = |labels: &str| recorder.counter(&format!("storage_calls_total{{backend=memory,{labels}}}"));
    assert_eq!(calls("operation=put,outcome=ok"), 2);
    assert_eq!(calls("operation=put,outcome=already exists"), 1);
    assert_eq!(calls("operation=get,outcome=ok"), 1);
    assert_eq!(calls("operation=head,outcome=not found"), 1);
}

#[test]
fn bytes_are_counted_both_ways_and_only_where_they_went() {
    let recorder = recorded(async |script, storage| {
        storage.put("a", "hello").await.unwrap();
        storage.put_if_absent("a", "again").await.unwrap();
        storage.range("a", 1..3).await.unwrap();
        let mut writer = storage.writer("w").await.unwrap();
        writer.write("0123456789").await.unwrap();
        writer.finish().await.unwrap();
        script.pieces(4);
        assert_eq!(storage.bytes("w").await.unwrap().len(), 10);
    });
    let bytes = |name: &str, operation: &str| {
        recorder.counter(&format!("storage_{name}_bytes_total{{backend=memory,operation={operation}}}"))
    };
    assert_eq!(bytes("written", "put"), 5, "the refused put does not count");
    assert_eq!(bytes("written", "write"), 10);
    assert_eq!(bytes("read", "get"), 2);
    assert_eq!(bytes("read", "read"), 10, "pieces of a streamed body");
}

#[test]
fn seconds_are_recorded_and_dropped_calls_count() {
    let recorder = recorded(async |script, storage| {
        script.takes(Duration::from_secs(2));
        storage.put("a", "x").await.unwrap();
        script.fault(Operation::Head, Fault::Hang);
        tokio::time::timeout(Duration::from_secs(5), storage.head("a")).await.unwrap_err();
    });
    let values = recorder.values.lock().unwrap();
    let seconds = |labels: &str| values[&format!("storage_call_seconds{{backend=memory,{labels}}}")].clone();
    assert!((seconds("operation=put,outcome=ok")[0] - 2.0).abs() < 0.01);
    assert!((seconds("operation=head,outcome=dropped")[0] - 5.0).abs() < 0.01);
    assert_eq!(recorder.counter("storage_calls_total{backend=memory,operation=head,outcome=dropped}"), 1);
    let units = recorder.units.lock().unwrap();
    assert_eq!(units["storage_call_seconds"], Some(Unit::Seconds));
    assert_eq!(units["storage_read_bytes_total"], Some(Unit::Bytes));
    assert_eq!(units["storage_written_bytes_total"], Some(Unit::Bytes));
    assert_eq!(units["storage_calls_total"], Some(Unit::Count));
}
