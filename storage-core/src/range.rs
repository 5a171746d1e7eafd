//! Byte ranges of an object (rules R01–R05).

use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// Which bytes of an object to read; offsets are 64-bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ByteRange {
    /// From `start` up to, not including, `end`; an `end` past the object is clamped.
    Bounded {
        /// The first byte.
        start: u64,
        /// One past the last byte.
        end: u64,
    },
    /// From an offset to the end of the object.
    From(u64),
    /// The last bytes of the object; all of it when it is shorter.
    Suffix(u64),
}

impl ByteRange {
    /// Refuses an inverted or empty range and a suffix of 0 with `InvalidInput` (rule R01).
    pub fn check(self) -> Result<()> {
        match self {
            Self::Bounded { start, end } if start >= end => Err(Error::invalid_input(format!(
                "the range {start}..{end} is {}",
                if start == end { "empty" } else { "inverted" }
            ))
            .with_help("a range holds at least one byte, its start before its end")),
            Self::Suffix(0) => {
                Err(Error::invalid_input("a suffix of 0 bytes is empty").with_help("a suffix holds at least one byte"))
            }
            _ => Ok(()),
        }
    }

    /// The bytes that this range means in an object of `size` bytes (rules R02–R04).
    ///
    /// Fails with `RangeNotSatisfiable` where it starts at or past the end.
    pub fn resolve(self, size: u64) -> Result<Range<u64>> {
        self.check()?;
        let start = match self {
            Self::Suffix(n) => return Ok(size.saturating_sub(n)..size),
            Self::Bounded { start, .. } | Self::From(start) => start,
        };
        if start >= size {
            return Err(Error::new(
                ErrorKind::RangeNotSatisfiable { size },
                format!("the range starts at {start}, the object has {size} bytes"),
            )
            .with_help("a range starts before the end of the object"));
        }
        match self {
            Self::Bounded { end, .. } => Ok(start..end.min(size)),
            _ => Ok(start..size),
        }
    }
}

impl From<Range<u64>> for ByteRange {
    fn from(range: Range<u64>) -> Self {
        Self::Bounded { start: range.start, end: range.end }
    }
}

impl From<RangeInclusive<u64>> for ByteRange {
    fn from(range: RangeInclusive<u64>) -> Self {
        Self::Bounded { start: *range.start(), end: range.end().saturating_add(1) }
    }
}

impl From<RangeTo<u64>> for ByteRange {
    fn from(range: RangeTo<u64>) -> Self {
        Self::Bounded { start: 0, end: range.end }
    }
}

impl From<RangeFrom<u64>> for ByteRange {
    fn from(range: RangeFrom<u64>) -> Self {
        Self::From(range.start)
    }
}

impl From<RangeFull> for ByteRange {
    fn from(_: RangeFull) -> Self {
        Self::From(0)
    }
}
