//! Directories whose file system can be filled or be made read-only, and directories that nobody can write to.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a harness that cannot make a root is a failed test")]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use conformance_tests::Shortage;
use tempfile::TempDir;

/// How much a file system of its own holds.
const SIZE: &str = "size=32m";

/// A directory, `root`, that can be made short of something. It is as it was, and gone, when this is dropped.
pub(crate) struct Cramping {
    shortage: Shortage,
    directory: TempDir,
    mounted: bool,
}

impl Cramping {
    /// Else why this machine, or this user, has no such directory.
    pub(crate) fn new(shortage: Shortage, parent: &Path) -> Result<Self, String> {
        let mut cramping = Self { shortage, directory: TempDir::new_in(parent).unwrap(), mounted: false };
        if shortage != Shortage::Permission {
            let at = cramping.directory.path();
            run("mount", ["-t", "tmpfs", "-o", SIZE, "tmpfs"].map(Path::new), at)
                .map_err(|reason| format!("no file system can be mounted: {reason}"))?;
            cramping.mounted = true;
        }
        fs::create_dir(cramping.root()).unwrap();
        if shortage == Shortage::Permission {
            cramping
                .close(true)
                .and_then(|()| cramping.close(false))
                .map_err(|reason| format!("no directory can be closed to this user: {reason}"))?;
        }
        Ok(cramping)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// Begins the shortage, or ends it.
    pub(crate) fn set(&self, short: bool) {
        let done = match self.shortage {
            Shortage::Space => self.fill(short),
            Shortage::ReadOnly => {
                let options = if short { "remount,ro" } else { "remount,rw" };
                run("mount", ["-o", options].map(Path::new), self.directory.path())
            }
            Shortage::Permission => self.close(short),
        };
        done.unwrap_or_else(|reason| panic!("{:?} ({short}) cannot be had: {reason}", self.shortage));
    }

    /// Fills the file system to its last byte by a file beside the root.
    fn fill(&self, full: bool) -> Result<(), String> {
        let filler = self.directory.path().join("filler");
        if !full {
            return fs::remove_file(filler).map_err(|error| error.to_string());
        }
        let mut file = File::create(filler).map_err(|error| error.to_string())?;
        for size in [1 << 20, 1 << 12, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        Ok(())
    }

    /// Takes the right to change anything from this user: by the mode, which does not bind root, whom the flag binds that
    /// makes files immutable.
    fn close(&self, closed: bool) -> Result<(), String> {
        let (program, change) = match (rustix::process::geteuid().is_root(), closed) {
            (true, true) => ("chattr", "+i"),
            (true, false) => ("chattr", "-i"),
            (false, true) => ("chmod", "a-w"),
            (false, false) => ("chmod", "u+w"),
        };
        run(program, ["-R", change].map(Path::new), &self.root())
    }
}

impl Drop for Cramping {
    fn drop(&mut self) {
        if self.mounted {
            let _ = run("umount", ["-l"].map(Path::new), self.directory.path());
        } else if self.shortage == Shortage::Permission {
            let _ = self.close(false);
        }
    }
}

/// Runs a program on a path; else what it says.
fn run<const N: usize>(program: &str, arguments: [&Path; N], path: &Path) -> Result<(), String> {
    let output = Command::new(program).args(arguments).arg(path).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim_end().to_owned()),
    }
}
