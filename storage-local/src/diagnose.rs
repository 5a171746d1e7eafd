//! Why a directory does not work: what an operator would look at by hand, each with what was seen and what to do.
//!
//! Nothing is written, nothing of the content is read. Whether this user may list, read, write and delete shows when a host
//! tries it through a handle.

mod medium;

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, Dir, FileType, Mode, OFlags, access, open, openat, stat, statat};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid};
use storage_core::diagnosis::{Examination, Finding};
use storage_core::{Error, ErrorKind, Result};

use crate::blocking;
use crate::errors::failed;
use crate::folding::FoldingProbe;
use crate::names::CONTROL;
use crate::root::DIRECTORY;
use crate::stat::size;
use crate::sys::Sys;
use crate::{attributes, errors};

/// The checks of a directory that is there, in their order.
const CHECKS: [&str; 7] = ["owner", "file system", "space", "attributes", "names", "way", "leftovers"];

/// What a directory was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It is there and can be entered.
    Here,
    /// It is not there, and the first write makes it.
    Unmade,
    /// It can be neither used nor made.
    Nothing,
}

/// Looks at a directory and what it lies on, and tells each step. Each may take up to ten seconds, for the sake of network
/// file systems that hang.
pub async fn diagnose(path: &Path, exam: &mut Examination<'_>) -> Found {
    let path = match std::path::absolute(path) {
        Ok(path) => path,
        Err(error) => {
            exam.add(Finding::failed("directory", &Error::from(error).with_help("name a path")));
            return Found::Nothing;
        }
    };
    let looked = exam.run("directory", LONGEST, off_thread(&path, look)).await;
    let found = match looked {
        None => Found::Nothing,
        Some(Looked::Unmade(seen)) => {
            exam.add(Finding::note(
                "directory",
                seen,
                "nothing, if the first write is to make it; else mount or make it",
            ));
            Found::Unmade
        }
        Some(Looked::Here(seen)) => {
            exam.add(Finding::good("directory", seen));
            Found::Here
        }
    };
    match found {
        Found::Here => examine(&path, exam).await,
        Found::Unmade => exam.skip(&CHECKS, "the directory is not there yet"),
        Found::Nothing => exam.skip(&CHECKS, "directory has failed"),
    }
    found
}

/// The longest that one look may take.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(10);

async fn examine(path: &Path, exam: &mut Examination<'_>) {
    let looks: [fn(&Path) -> Result<Finding>; 7] = [owner, medium::kind, medium::space, kept, names, way, leftovers];
    for (check, look) in CHECKS.into_iter().zip(looks) {
        if let Some(finding) = exam.run(check, LONGEST, off_thread(path, look)).await {
            exam.add(finding);
        }
    }
}

async fn off_thread<T: Send + 'static>(path: &Path, look: fn(&Path) -> Result<T>) -> Result<T> {
    let path = path.to_owned();
    blocking::read(move || look(&path)).await
}

/// Whether there is a directory.
enum Looked {
    Here(String),
    Unmade(String),
}

fn look(path: &Path) -> Result<Looked> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            let real = std::fs::canonicalize(path)?;
            let told = if real == path {
                real.display().to_string()
            } else {
                format!("{} is {}", path.display(), real.display())
            };
            Ok(Looked::Here(told))
        }
        Ok(_) => Err(Error::configuration(format!("{} is a file", path.display())).with_help("name a directory")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => unmade(path),
        Err(error) => Err(match Errno::from_io_error(&error) {
            Some(errno) => failed(&format!("cannot look at {}", path.display()), errno),
            None => error.into(),
        }),
    }
}

fn unmade(path: &Path) -> Result<Looked> {
    let above: PathBuf = path.ancestors().skip(1).find(|above| above.exists()).unwrap_or(Path::new("/")).to_owned();
    if access(&above, Access::WRITE_OK | Access::EXEC_OK).is_ok() {
        return Ok(Looked::Unmade(format!(
            "{} is not there; the first write makes it under {}",
            path.display(),
            above.display()
        )));
    }
    let message =
        format!("{} is not there, and user {} may not make it under {}", path.display(), us(), above.display());
    let help = format!("make it and give it to this user: mkdir -p {0} && chown {1} {0}", path.display(), us());
    Err(Error::new(ErrorKind::PermissionDenied, message).with_help(help))
}

/// This process's user, as `chown` takes it.
fn us() -> String {
    format!("{}:{}", geteuid().as_raw(), getegid().as_raw())
}

fn owner(path: &Path) -> Result<Finding> {
    let stat = stat(path).map_err(errors::doing("cannot look at the directory"))?;
    let mode = Mode::from_raw_mode(stat.st_mode).bits() & 0o7777;
    let seen = format!("{}:{}, mode {mode:04o}; this process runs as {}", stat.st_uid, stat.st_gid, us());
    let fix = |right: &str| format!("give this user the right to {right}: chown {} {}, or chmod", us(), path.display());
    let may = |right| access(path, right | Access::EXEC_OK).is_ok();
    Ok(match (may(Access::READ_OK), may(Access::WRITE_OK)) {
        (true, true) => Finding::good("owner", seen),
        (true, false) => Finding::note("owner", format!("{seen}, and may not write"), fix("write")),
        (false, _) => Finding::note("owner", format!("{seen}, and may not read"), fix("read")),
    })
}

fn opened(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    open(path, flags, Mode::empty()).map_err(errors::doing("cannot open the directory"))
}

fn kept(path: &Path) -> Result<Finding> {
    Ok(match attributes::are_kept(opened(path)?.as_fd()) {
        true => Finding::good("attributes", "kept with a file (user extended attributes)"),
        false => Finding::note(
            "attributes",
            "the file system keeps none with a file: a write with attributes is refused as unsupported",
            "mount it with user_xattr, or choose another file system, if content types or metadata are needed",
        ),
    })
}

fn names(path: &Path) -> Result<Finding> {
    Ok(match FoldingProbe::default().folds(opened(path)?.as_fd())? {
        false => Finding::good("names", "kept apart, as far as can be seen without writing"),
        true => Finding::failed(
            "names",
            &Error::configuration("the file system takes names that differ in case for one, and keys would merge")
                .with_help("choose a directory on a file system that keeps names apart"),
        ),
    })
}

fn way(path: &Path) -> Result<Finding> {
    Ok(match Sys::obstacle(opened(path)?.as_fd()) {
        None => Finding::good("way", "fast: the system's own calls (openat2, renameat2)"),
        Some(why) => {
            Finding::note("way", format!("portable: {why}"), "nothing; every process has to take the same way")
        }
    })
}

/// What interrupted writes left in the control directory, or living ones still use.
fn leftovers(path: &Path) -> Result<Finding> {
    let root = opened(path)?;
    let Ok(control) = openat(&root, CONTROL, DIRECTORY, Mode::empty()) else {
        return Ok(Finding::good("leftovers", "none"));
    };
    let Ok(temporaries) = openat(control, "tmp", DIRECTORY, Mode::empty()) else {
        return Ok(Finding::good("leftovers", "none"));
    };
    let (mut files, mut bytes) = (0_u64, 0_u64);
    for entry in Dir::read_from(&temporaries).map_err(errors::doing("cannot read the control directory"))?.flatten() {
        if entry.file_type() == FileType::Directory {
            continue;
        }
        files += 1;
        bytes += statat(&temporaries, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW).map_or(0, |stat| size(&stat));
    }
    Ok(match files {
        0 => Finding::good("leftovers", "none"),
        _ => Finding::note(
            "leftovers",
            format!("{files} temporary files with {bytes} bytes, of writes under way or interrupted"),
            "a sweep removes those that no living process uses (Storage::sweep)",
        ),
    })
}
