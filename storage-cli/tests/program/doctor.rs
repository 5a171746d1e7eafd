//! `storage doctor` on directories and in memory, and what its document is read with.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;

use serde_json::Value;

use crate::bench::{Bench, Run, files};

/// What an examination of one place told.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) code: Option<i32>,
    checks: Vec<Value>,
    settings: Vec<Value>,
}

/// The document that a run with `--json` printed.
#[track_caller]
pub(crate) fn examined(run: &Run) -> Sheet {
    assert_eq!(run.out.lines().count(), 1, "one document: {run:?}");
    let document: Value = serde_json::from_str(&run.out).unwrap();
    let place = &document["places"][0];
    let all = |name: &str| place[name].as_array().unwrap().clone();
    assert_eq!(document["well"], run.code == Some(0), "{document}");
    Sheet { code: run.code, checks: all("checks"), settings: all("settings") }
}

impl Sheet {
    /// The checks that ended so, in their order.
    pub(crate) fn of(&self, verdict: &str) -> Vec<&str> {
        let those = self.checks.iter().filter(|check| check["verdict"] == verdict);
        those.map(|check| check["check"].as_str().unwrap()).collect()
    }

    pub(crate) fn failed(&self) -> Vec<&str> {
        self.of("failed")
    }

    #[track_caller]
    pub(crate) fn is(&self, check: &str, verdict: &str) {
        self.tells(check, verdict, "", "");
    }

    /// A check ended so, with these words in what was seen and in what to do; every check is told once.
    #[track_caller]
    pub(crate) fn tells(&self, check: &str, verdict: &str, seen: &str, fix: &str) {
        let found: Vec<_> = self.checks.iter().filter(|found| found["check"] == check).collect();
        let [found] = found[..] else { panic!("{check} is told {} times: {self:?}", found.len()) };
        assert_eq!(found["verdict"], verdict, "{found}");
        assert!(found["seen"].as_str().unwrap().contains(seen), "{seen:?} is not in {found}");
        assert!(found["fix"].as_str().unwrap_or_default().contains(fix), "{fix:?} is not in {found}");
    }

    /// A setting's value and source.
    #[track_caller]
    pub(crate) fn setting(&self, name: &str) -> (&str, &str) {
        let found = self.settings.iter().find(|setting| setting["name"] == name);
        let found = found.unwrap_or_else(|| panic!("{name} is not told: {self:?}"));
        (found["value"].as_str().unwrap(), found["source"].as_str().unwrap())
    }
}

#[track_caller]
fn examine(bench: &Bench, environment: &[(&str, &str)], args: &[&str]) -> Sheet {
    examined(&bench.run_with(environment, &[&["doctor", "--json"], args].concat()))
}

#[test]
fn a_directory_that_is_well_is_left_as_it_was() {
    let bench = Bench::with_files();
    let before = files(&bench.path(""));
    let sheet = examine(&bench, &[("STORAGE_LOCAL_DURABILITY", "fast")], &["docs"]);
    assert_eq!((sheet.code, sheet.failed(), sheet.of("not_tried")), (Some(0), vec![], vec![]), "{sheet:?}");
    for check in ["directory", "owner", "space", "names", "list", "write", "read", "create-only put", "delete"] {
        sheet.is(check, "good");
    }
    sheet.tells("leftovers", "good", "none", "");
    sheet.tells("latency", "good", "median", "");
    assert_eq!(sheet.setting("STORAGE_LOCAL_DURABILITY"), ("fast", "the environment"));
    assert_eq!(files(&bench.path("")), before);
    assert_eq!(std::fs::read_dir(bench.path("docs")).unwrap().count(), 2, "no directory is left either");
}

#[test]
fn in_words_each_check_has_a_line() {
    let bench = Bench::with_files();
    let run = bench.run(&["doctor", "docs", "memory://place"]).ok();
    for told in ["docs file:///", "\nok        write              allowed\n", "\nmemory://place, from", "0 failed"] {
        assert!(run.out.contains(told), "{told:?} is not in {}", run.out);
    }
    assert!(!run.out.contains('\u{1b}'), "no colour in a pipe: {}", run.out);
}

#[test]
fn memory_is_well() {
    let sheet = examine(&Bench::new(), &[], &["memory://place"]);
    assert_eq!((sheet.code, sheet.failed(), sheet.of("not_tried")), (Some(0), vec![], vec![]), "{sheet:?}");
}

#[test]
fn what_is_not_there_is_not_made() {
    let bench = Bench::with_files();
    let sheet = examine(&bench, &[], &["no/such"]);
    sheet.tells("directory", "note", "the first write makes it", "");
    sheet.is("write", "not_tried");
    assert_eq!(sheet.code, Some(0), "{sheet:?}");
    assert!(!bench.exists("no"));
    let sheet = examine(&bench, &[], &["README.md"]);
    sheet.tells("directory", "failed", "README.md is a file", "name a directory");
    sheet.is("owner", "not_tried");
    assert_eq!(sheet.code, Some(1), "{sheet:?}");
    let roots = bench.run(&["doctor", "--json"]);
    assert_eq!(roots.json()[0]["places"].as_array().unwrap().len(), 3, "{roots:?}");
    assert!(roots.code == Some(0) && !bench.exists(".storage"), "{roots:?}");
    bench.run(&["doctor", "s4://place"]).refused(2, &["\"s4\""]);
    bench.run(&["doctor", "@no-root"]).refused(2, &["@no-root"]);
}

#[test]
fn settings_that_contradict_each_other_are_a_finding() {
    let wrong = [("DATA_ROOT_DIRECTORY", "/srv/x"), ("STORAGE_BACKEND", "memory")];
    let sheet = examine(&Bench::new(), &wrong, &["@data"]);
    sheet.tells("settings", "failed", "DATA_ROOT_DIRECTORY, set in the environment", "change one of the two");
    assert_eq!(sheet.code, Some(1), "{sheet:?}");
}

#[test]
fn leftovers_of_a_crash_are_told_and_stay() {
    let bench = Bench::with_files();
    bench.write("docs/.%ctl/tmp/1-2-3", "half");
    let sheet = examine(&bench, &[], &["docs", "--read-only"]);
    sheet.tells("leftovers", "note", "1 temporary files with 4 bytes", "sweep");
    sheet.tells("write", "not_tried", "--read-only", "");
    sheet.tells("read", "good", "\"a.txt\"", "");
    assert_eq!(bench.read("docs/.%ctl/tmp/1-2-3"), "half");
}

/// As a user who has no right to the directory: the superuser has every right.
#[test]
fn a_directory_that_this_user_may_not_write() {
    let bench = Bench::with_files();
    let mode = |path: &str, mode| {
        std::fs::set_permissions(bench.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("", 0o755);
    mode("docs", 0o555);
    let mut command = bench.command(&["doctor", "--json", "docs"]);
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let sheet = examined(&Run::of(command.output().unwrap()));
    sheet.tells("owner", "note", "may not write", "chown");
    sheet.tells("write", "failed", "permission denied", "check owner and mode");
    sheet.tells("read", "good", "\"a.txt\"", "");
    sheet.tells("delete", "not_tried", "nothing can be written", "");
    assert_eq!((sheet.code, sheet.failed()), (Some(1), vec!["write"]), "{sheet:?}");
    mode("docs", 0o755);
}
