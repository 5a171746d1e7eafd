//! What a person sees while it lasts, and a pipe does not.

use std::process::Command;
use std::time::Duration;

use s3_test_server::{Fault, FaultAction};

use super::place::Place;

/// A place with a file of 20 MiB, which takes the server a moment.
fn place() -> Place {
    let s3 = Place::new();
    std::fs::File::create(s3.path("large")).unwrap().set_len(20 << 20).unwrap();
    s3.server.inject(Fault::new(FaultAction::Delay(Duration::from_millis(300))).on("UploadPart"));
    s3
}

#[test]
fn a_pipe_is_told_nothing() {
    let s3 = place();
    assert_eq!(s3.run(&["cp", "large", "@data/x"]).ok().out, "");
    assert_eq!(s3.run(&["cp", "--json", "large", "@data/y"]).ok().out.lines().count(), 1);
}

/// `script` gives the program a terminal of its own.
#[test]
fn a_terminal_shows_how_far_it_is() {
    let s3 = place();
    let program = s3.command(&["cp", "large", "@data/x"]);
    let line = format!("{} cp large @data/x", program.get_program().to_str().unwrap());
    let mut script = Command::new("script");
    script.args(["-qefc", &line, "/dev/null"]).current_dir(s3.path(""));
    script.env_clear().env("PATH", "/usr/bin:/bin").env("TERM", "xterm").env("SHELL", "/bin/sh");
    script.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = script.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(shown.contains("of 20.00 MiB") && shown.contains("MiB/s") && shown.contains("large"), "{shown}");
    assert_eq!(s3.run(&["stat", "--json", "@data/x"]).ok().json()[0]["size"], 20 << 20);
}
