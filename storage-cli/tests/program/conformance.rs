//! `storage conformance`: what it finds, what it shows, and that it leaves everything as it was.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use s3_test_server::{Fault, FaultAction, S3Server, ServerOptions};
use serde_json::Value;

use crate::bench::{Bench, Run, files};

/// A directory with something in it that is none of the suite's.
fn used() -> Bench {
    let bench = Bench::new();
    bench.write("place/mine", "mine");
    bench.write("place/conformance-/mine too", "mine too");
    bench
}

/// The rules of a report, by how they ended.
fn ended<'a>(report: &'a Value, outcome: &str) -> Vec<&'a str> {
    let rules = report["rules"].as_array().unwrap().iter();
    rules.filter(|rule| rule["outcome"] == outcome).map(|rule| rule["id"].as_str().unwrap()).collect()
}

#[test]
fn a_directory_passes_and_is_left_as_it_was() {
    let bench = used();
    let before = files(&bench.path("place"));
    let run = bench.run(&["conformance", "place", "--rules", "K,D,C01,W01,W06,E03,S05", "--json", "--seed", "7"]).ok();
    let report = &run.json()[0];
    assert_eq!(ended(report, "fail"), Vec::<&str>::new());
    assert_eq!(ended(report, "not_asked"), Vec::<&str>::new(), "processes, links and missing roots are asked for");
    assert_eq!((&report["seed"], &report["backend"]["driver"]), (&7.into(), &"local".into()));
    let location = report["backend"]["location"].as_str().unwrap();
    assert!(location.ends_with("/place"), "the place and not a part of it: {location}");
    let left_out = report["rules"].as_array().unwrap().iter().filter_map(|rule| rule["left_out"].as_array()).flatten();
    let reasons: Vec<_> = left_out.map(|part| part["reason"].as_str().unwrap()).collect();
    assert!(reasons.iter().all(|reason| reason.starts_with("directory markers: ")), "{reasons:?}");
    assert_eq!(files(&bench.path("place")), before);
    assert_eq!(std::fs::read_dir(bench.path("place")).unwrap().count(), 2, "no directory is left either");
}

#[test]
fn memory_passes_all_rules_and_the_table_tells_them_by_group() {
    let run = Bench::new().run(&["conformance", "memory://place"]).ok();
    for told in
        ["memory://place (memory)", "\nKeys\n", "\nCopy and move\n", "pass      C02", "waived    V01", "elsewhere W16"]
    {
        assert!(run.out.contains(told), "{told:?} is in {}", run.out);
    }
    assert!(!run.out.contains('\u{1b}') && !run.out.contains("\nfail"), "no colour in a pipe: {}", run.out);
}

#[test]
fn what_is_not_there_or_not_known_is_refused() {
    let bench = used();
    bench.run(&["conformance", "no-such"]).refused(3, &["no-such", "--create"]);
    assert!(!bench.exists("no-such"));
    bench.run(&["conformance", "place/mine"]).refused(2, &["is a file"]);
    bench.run(&["conformance", "place", "--rules", "K01,Q"]).refused(2, &["\"q\""]);
    bench.run(&["conformance", "place", "--worker"]).refused(2, &["--worker"]);
    bench.run(&["conformance", "made/deep", "--create", "--rules", "D01"]).ok();
    assert!(bench.exists("made/deep"));
}

#[test]
fn the_page_holds_every_rule_and_needs_nothing_else() {
    let bench = used();
    let run = bench.run(&["conformance", "place", "memory://place", "--rules", "D,V,W16", "--html", "page.html"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let page = bench.read("page.html");
    for id in ["D01", "D02", "D03", "D04", "D05", "V01", "V02", "V03", "W16"] {
        assert!(page.contains(&format!("<td class=\"id\">{id}</td>")), "{id}");
    }
    assert!(page.contains("/place</th>") && page.contains("<th>memory://place</th>"), "a column for each place");
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside} is not in the page");
    }
}

#[test]
fn a_page_that_cannot_be_written_is_told_before_anything_is_asked() {
    let bench = used();
    let run = bench.run(&["conformance", "place", "--rules", "D01", "--html", "no-such/page.html"]);
    assert_eq!(run.out, "", "no rule was asked");
    run.refused(3, &["cannot write no-such/page.html"]);
    bench.write("page.html", "an old page");
    bench.run(&["conformance", "no-such", "--rules", "D01", "--html", "page.html"]).refused(3, &["no-such"]);
    assert_eq!(bench.read("page.html"), "an old page", "it stays until there is a new one");
    bench.run(&["conformance", "no-such", "--rules", "D01", "--html", "new.html"]).refused(3, &["no-such"]);
    assert!(!bench.exists("new.html"));
}

/// Runs the program against a server of this process that damages every read.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_rule_ends_it_with_1_and_is_told_in_full() {
    let server = S3Server::start(ServerOptions::new()).await.unwrap();
    server.create_bucket("bucket");
    server.inject(Fault::new(FaultAction::FlipByte).on("GetObject").times(u64::MAX));
    let bench = Bench::new();
    let endpoint = server.endpoint();
    let mut command =
        bench.command(&["conformance", "s3://bucket/below", "--rules", "L07,W15,R02", "--html", "page.html"]);
    command.env("AWS_ENDPOINT_URL", &endpoint).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", server.access_key()).env("AWS_SECRET_ACCESS_KEY", server.secret_key());
    let run = Run::of(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap());
    assert_eq!(run.code, Some(1), "{run:?}");
    for told in ["pass      L07", "fail      R02", "because:", "reads.rs:", "--rules ", "--seed 1"] {
        assert!(run.out.contains(told), "{told:?} is in {}", run.out);
    }
    let page = bench.read("page.html");
    assert!(page.contains("<details open>") && page.contains("breaks it"), "the script is unfolded");
    assert!(!format!("{run:?}{page}").contains(server.secret_key()), "no secret is shown");
}

#[test]
fn ctrl_c_leaves_nothing_of_the_suite() {
    ends_and_leaves_nothing("W", Signal::INT, 130);
}

/// These hold threads that nobody can stop.
#[test]
fn a_signal_amid_rules_that_block_leaves_nothing_of_the_suite() {
    ends_and_leaves_nothing("S01,S11", Signal::HUP, 143);
}

fn ends_and_leaves_nothing(rules: &str, signal: Signal, code: i32) {
    let bench = used();
    let before = files(&bench.path("place"));
    let mut child = bench
        .command(&["conformance", "place", "--rules", rules])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while files(&bench.path("place")).len() < before.len() + 2 {
        assert!(Instant::now() < deadline, "nothing was ever written");
        assert!(child.try_wait().unwrap().is_none(), "the program ended by itself");
        std::thread::sleep(Duration::from_millis(1));
    }
    kill_process(Pid::from_child(&child), signal).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert_eq!(files(&bench.path("place")), before);
    assert_eq!(std::fs::read_dir(bench.path("place")).unwrap().count(), 2, "{output:?}");
}
