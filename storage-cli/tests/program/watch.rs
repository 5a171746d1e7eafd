//! `storage watch`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::bench::{Bench, Run};

fn bench() -> Bench {
    let bench = Bench::new();
    for name in ["a.md", "sub/b.md", "c.txt"] {
        bench.write(&format!("tree/{name}"), name);
    }
    bench
}

/// The program under way, which is killed when this goes.
pub(crate) struct Watcher {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Watcher {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next line, which came while the program goes on.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the program ended: {:?}", self.child.wait());
        line.trim_end().to_owned()
    }

    /// The event and the key of the next line.
    pub(crate) fn event(&mut self) -> (String, String) {
        let line = self.json();
        (line["event"].as_str().unwrap().to_owned(), line["key"].as_str().unwrap().to_owned())
    }

    fn json(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// Ends it by a signal.
    pub(crate) fn end(mut self, signal: Signal) -> Run {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let (mut out, mut err) = (String::new(), String::new());
        std::io::Read::read_to_string(&mut self.lines, &mut out).unwrap();
        std::io::Read::read_to_string(&mut self.child.stderr.take().unwrap(), &mut err).unwrap();
        Run { code: self.child.wait().unwrap().code(), out, err }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn put(key: &str) -> (String, String) {
    ("put".to_owned(), key.to_owned())
}

fn removed(key: &str) -> (String, String) {
    ("removed".to_owned(), key.to_owned())
}

/// Lines come while the program runs: what there is, the report, and each change; Ctrl-C ends it with 130 and the state kept, by
/// which the next run tells only what differs.
#[test]
fn watch_tells_what_differs_and_then_what_changes() {
    for mode in [&[][..], &["--poll", "--interval", "10ms"]] {
        let bench = bench();
        let args = [&["watch", "--json", "tree", "--ext", "md", "--state", "state.json"], mode].concat();
        let mut watcher = Watcher::start(bench.command(&args));
        let first = watcher.json();
        assert_eq!((&first["event"], &first["key"], &first["size"]), (&"put".into(), &"a.md".into(), &4.into()));
        assert_eq!(first["fingerprint"], format!("etag:{}", first["etag"].as_str().unwrap()));
        assert!(first["uri"].as_str().unwrap().ends_with("/tree/a.md") && first["modified"].is_string());
        assert_eq!(watcher.event(), put("sub/b.md"));
        let report = &watcher.json()["report"];
        assert_eq!((&report["first"], &report["complete"], &report["put"]), (&true.into(), &true.into(), &2.into()));
        bench.write("tree/other.txt", "x");
        bench.write("tree/new.md", "x");
        assert_eq!(watcher.event(), put("new.md"), "{mode:?}");
        std::fs::remove_file(bench.path("tree/a.md")).unwrap();
        assert_eq!(watcher.event(), removed("a.md"), "{mode:?}");
        let run = watcher.end(Signal::INT);
        assert_eq!((run.code, run.out.as_str()), (Some(130), ""), "{run:?}");
        assert!(run.err.contains("interrupted"), "{run:?}");

        bench.write("tree/sub/b.md", "another text");
        std::fs::remove_file(bench.path("tree/new.md")).unwrap();
        let mut watcher = Watcher::start(bench.command(&args));
        assert_eq!(watcher.event(), put("sub/b.md"), "{mode:?}");
        assert_eq!(watcher.event(), removed("new.md"), "{mode:?}");
        assert_eq!(watcher.json()["report"]["unchanged"], 0);
        assert_eq!(watcher.end(Signal::TERM).code, Some(143));
    }
}

/// In a pipe without `--json` a line has its columns parted by tabs, and is there at once.
#[test]
fn watch_prints_a_line_for_each_event() {
    let bench = bench();
    let mut watcher = Watcher::start(bench.command(&["watch", "tree", "--include", "*.md"]));
    let line = watcher.line();
    let cells: Vec<&str> = line.split('\t').collect();
    assert_eq!((cells[0], cells[1], cells[3], cells.len()), ("put", "4", "a.md", 4), "{line}");
    std::fs::remove_file(bench.path("tree/a.md")).unwrap();
    assert_eq!(watcher.line(), "removed\t-\t-\ta.md");
    assert_eq!(watcher.end(Signal::INT).err.lines().count(), 1);
}

/// With `--once` it tells the difference and ends; without a state that is everything.
#[test]
fn watch_once_is_a_difference() {
    let bench = bench();
    let once = |more: &[&str]| bench.run(&[&["watch", "tree", "--once"], more].concat());
    for _ in 0..2 {
        assert_eq!(once(&[]).ok().names(), ["a.md", "c.txt", "sub/b.md"]);
    }
    assert_eq!(once(&["--state", "state.json"]).ok().names().len(), 3);
    assert_eq!(once(&["--state", "state.json"]).ok().out, "");
    std::fs::remove_dir_all(bench.path("tree/sub")).unwrap();
    let events = once(&["--state", "state.json", "--json"]).ok().json();
    assert_eq!((events.len(), &events[0]["event"], &events[0]["key"]), (2, &"removed".into(), &"sub/b.md".into()));
    let kept: Value = serde_json::from_str(&bench.read("state.json")).unwrap();
    assert_eq!(kept["objects"].as_object().unwrap().len(), 2);
}

/// The state may be an object under a root; within what is watched it is refused, and so is one of another place.
#[test]
fn a_state_has_its_place() {
    let bench = bench();
    bench.run(&["watch", "tree", "--once", "--state", "@data/states/tree.json"]).ok();
    assert_eq!(bench.run(&["watch", "tree", "--once", "--state", "@data/states/tree.json"]).ok().out, "");
    bench.run(&["watch", "tree", "--once", "--state", "tree/state.json"]).refused(2, &["tree/state.json", "elsewhere"]);
    bench.run(&["watch", "tree", "--once", "--state", "tree2.json"]).ok();
    bench.write("other/x", "x");
    let other = bench.run(&["watch", "other", "--once", "--state", "tree2.json"]);
    other.refused(2, &["tree", "other", "a state of its own"]);
    bench.write("broken.json", "{");
    bench.run(&["watch", "tree", "--once", "--state", "broken.json"]).refused(1, &["no state of a watch"]);
}

/// What cannot be watched is told before anything is printed.
#[test]
fn watch_refuses_what_is_wrong() {
    let bench = bench();
    bench.run(&["watch", "tree", "--include", "src/[a"]).refused(2, &["\"src/[a\"", "character 5"]);
    bench.run(&["watch", "tree", "--limit", "3"]).refused(2, &["limit"]);
    bench.run(&["watch", "tree", "--interval", "0s"]).refused(2, &["interval"]);
    let missing = bench.run(&["watch", "nowhere/", "--once"]);
    assert!(missing.code == Some(3) && missing.err.contains("nowhere"), "{missing:?}");
    bench.run(&["cp", "tree/a.md", "@data/object"]).ok();
    bench.run(&["watch", "@data/object"]).refused(2, &["object"]);
    let run = bench.run(&["watch", "tree", "--interval", "soon"]);
    assert!(run.code == Some(2) && run.err.contains("soon"), "{run:?}");
}

/// `script` gives the program a terminal of its own: rows are aligned, with a coloured word in front, and a note says what comes.
#[test]
fn a_terminal_shows_rows() {
    let bench = bench();
    let command = bench.command(&[]);
    let line = format!("{} watch tree", command.get_program().to_str().unwrap());
    let shown = bench.path("shown");
    let mut script = Command::new("script");
    script.args(["-qefc", &line, shown.to_str().unwrap()]).current_dir(bench.path("")).stdout(Stdio::null());
    script.env_clear().env("PATH", "/usr/bin:/bin").env("TERM", "xterm").env("SHELL", "/bin/sh");
    let mut child = script.stdin(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let text = loop {
        let text = std::fs::read(&shown).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        if text.contains("3 objects, 3 of them told") {
            break text;
        }
        assert!(Instant::now() < deadline, "{text}");
        std::thread::sleep(Duration::from_millis(5));
    };
    let _ = child.kill();
    child.wait().unwrap();
    assert!(text.contains("\u{1b}[1m\u{1b}[32mput    \u{1b}[0m") && text.contains("  a.md"), "{text:?}");
}
