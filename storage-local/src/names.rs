//! How a key becomes a path, and a file name a segment again.
//!
//! A segment is a file name as it stands, but for two cases, both under a marker that no plain name begins with:
//! - a segment that begins with the marker is written `.%-segment`;
//! - a segment over 255 bytes, the longest name that file systems take, is cut into directories: `.%+piece` for all
//!   but the last, `.%=piece` for the last.
//!
//! `.%self` holds the object `a` where `a/` is a directory, and `.%ctl` is the driver's own directory. The mapping is
//! one to one: a name that no segment maps to is foreign, is never listed as a key, and is never touched.

use std::borrow::Cow;

/// Begins every name that is not a plain segment.
const MARKER: &str = ".%";

/// The file that holds an object whose key is also a directory.
pub(crate) const SELF: &str = ".%self";

/// The driver's own directory in a root.
pub(crate) const CONTROL: &str = ".%ctl";

/// Begins the name of a file that is being made a directory, where names cannot be exchanged.
pub(crate) const OLD: &str = ".%old-";

/// The longest file name, in bytes.
const NAME_MAX: usize = 255;

/// The longest piece of a cut segment; with its marker it is a file name.
const PIECE_MAX: usize = NAME_MAX - 3;

/// The path of a key, or of the finished segments of a prefix, relative to the root.
pub(crate) fn path(key: &str) -> Cow<'_, str> {
    if key.split('/').all(is_plain) {
        return Cow::Borrowed(key);
    }
    let mut path = String::with_capacity(key.len() + 16);
    for segment in key.split('/') {
        if !path.is_empty() {
            path.push('/');
        }
        push_segment(&mut path, segment);
    }
    Cow::Owned(path)
}

/// A path's directory and last name; the directory of a single name is the root, `""`.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// What a name found in a directory stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Name<'a> {
    /// A segment, after the pieces of the directories above it.
    Segment(Cow<'a, str>),
    /// A piece of a longer segment, whose rest lies in this directory.
    Piece(&'a str),
    /// One of the driver's own names.
    Own,
    /// A name that no key maps to.
    Foreign(&'static str),
}

/// Reads a file name; `cut` holds the pieces of the directories above it that belong to the same segment.
pub(crate) fn read<'a>(name: &'a str, cut: &str) -> Name<'a> {
    let Some(marked) = name.strip_prefix(MARKER) else {
        return if cut.is_empty() { Name::Segment(Cow::Borrowed(name)) } else { FOREIGN_MARKED };
    };
    let segment: Cow<'a, str> = match (marked.as_bytes().first(), marked.get(1..)) {
        _ if name == SELF || name == CONTROL || name.starts_with(OLD) => return Name::Own,
        (Some(b'+'), Some(piece)) => return Name::Piece(piece),
        (Some(b'-'), Some(rest)) if cut.is_empty() => Cow::Borrowed(rest),
        (Some(b'='), Some(piece)) if !cut.is_empty() => Cow::Owned(format!("{cut}{piece}")),
        _ => return FOREIGN_MARKED,
    };
    // A segment has one spelling only; any other that reads as the same segment is not ours.
    let mut spelled = String::new();
    push_segment(&mut spelled, &segment);
    let last = split(&spelled).1;
    if last == name { Name::Segment(segment) } else { FOREIGN_MARKED }
}

const FOREIGN_MARKED: Name<'static> = Name::Foreign("the name begins with .%, which is kept for escaped names");

fn is_plain(segment: &str) -> bool {
    segment.len() <= NAME_MAX && !segment.starts_with(MARKER)
}

fn push_segment(path: &mut String, segment: &str) {
    if is_plain(segment) {
        path.push_str(segment);
        return;
    }
    if segment.len() <= PIECE_MAX {
        path.push_str(".%-");
        path.push_str(segment);
        return;
    }
    let mut rest = segment;
    while rest.len() > PIECE_MAX {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE_MAX));
        path.push_str(".%+");
        path.push_str(piece);
        path.push('/');
        rest = after;
    }
    path.push_str(".%=");
    path.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The segment that a path of one segment reads as.
    fn segment_of(path: &str) -> Option<String> {
        let mut cut = String::new();
        for name in path.split('/') {
            match read(name, &cut) {
                Name::Segment(segment) => return Some(segment.into_owned()),
                Name::Piece(piece) => cut.push_str(piece),
                _ => return None,
            }
        }
        None
    }

    #[test]
    fn k11_k12_every_segment_comes_back_from_its_path() {
        let long = "é".repeat(512);
        let marked = format!(".%{}", "x".repeat(260));
        for length in [1, 251, 252, 253, 254, 255, 256, 504, 505, 1024] {
            let segment = "n".repeat(length);
            assert_eq!(segment_of(&path(&segment)), Some(segment), "{length} bytes");
        }
        for segment in ["a", ".%self", ".%ctl", ".%-a", ".%+a", ".%=a", ".%", ".", " x ", &long, &marked] {
            let spelled = path(segment);
            assert!(spelled.split('/').all(|name| name.len() <= NAME_MAX), "{spelled}");
            assert_eq!(segment_of(&spelled).as_deref(), Some(segment), "{spelled}");
        }
    }

    #[test]
    fn k12_names_that_no_segment_maps_to_are_foreign() {
        for name in [".%", ".%x", ".%=a", ".%-plain", ".%selfish", ".%older"] {
            assert!(matches!(read(name, ""), Name::Foreign(_)), "{name}");
        }
        assert_eq!(read(SELF, ""), Name::Own);
        assert_eq!(read(CONTROL, ""), Name::Own);
    }
}
