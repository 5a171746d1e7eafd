//! `Range`, as S3 takes it (RFC 9110 section 14; one range of bytes, everything else is ignored).

use crate::error::Failure;

/// What a range header asks of an object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// No range, or one that is not understood: all of it, with 200.
    Whole,
    /// These bytes, with 206: first, and one past the last.
    Bytes(u64, u64),
    /// 416.
    Nothing,
}

/// Reads a range header for an object of this size.
pub(crate) fn asked(header: Option<&str>, size: u64) -> Asked {
    let Some(spec) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else { return Asked::Whole };
    let Some((first, last)) = spec.trim().split_once('-') else { return Asked::Whole };
    let (first, last) = (first.trim(), last.trim());
    match (number(first), number(last)) {
        (None, Some(suffix)) if first.is_empty() => match suffix.min(size) {
            0 => Asked::Nothing,
            length => Asked::Bytes(size - length, size),
        },
        (Some(first), None) if last.is_empty() && first >= size => Asked::Nothing,
        (Some(first), None) if last.is_empty() => Asked::Bytes(first, size),
        (Some(first), Some(last)) if first > last => Asked::Whole,
        (Some(first), Some(_)) if first >= size => Asked::Nothing,
        (Some(first), Some(last)) => Asked::Bytes(first, last.saturating_add(1).min(size)),
        _ => Asked::Whole,
    }
}

/// `InvalidRange`, with the size there is.
pub(crate) fn not_satisfiable(header: &str, size: u64) -> Failure {
    Failure::new(416, "InvalidRange", "The requested range is not satisfiable")
        .detail("RangeRequested", header)
        .detail("ActualObjectSize", size)
        .header("content-range", format!("bytes */{size}"))
}

/// `x-amz-copy-source-range`: both ends, within the source.
pub(crate) fn of_copy(header: &str, size: u64) -> Result<(u64, u64), Failure> {
    let invalid = |message: String| Failure::invalid_argument(message, "x-amz-copy-source-range", header);
    let (first, last) = header
        .strip_prefix("bytes=")
        .and_then(|spec| spec.split_once('-'))
        .and_then(|(first, last)| Some((number(first)?, number(last)?)))
        .filter(|(first, last)| first <= last)
        .ok_or_else(|| {
            let message = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and \
                           last are the zero-based offsets of the first and last bytes to copy";
            invalid(message.to_owned())
        })?;
    if last < size {
        Ok((first, last + 1))
    } else {
        Err(invalid(format!("Range specified is not valid for source object of size: {size}")))
    }
}

fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_understood_and_others_are_ignored() {
        for (header, expected) in [
            ("bytes=0-3", Asked::Bytes(0, 4)),
            ("bytes=4-", Asked::Bytes(4, 10)),
            ("bytes=-4", Asked::Bytes(6, 10)),
            ("bytes=-40", Asked::Bytes(0, 10)),
            ("bytes=9-99999999999999999999999", Asked::Bytes(9, 10)),
            ("bytes=10-", Asked::Nothing),
            ("bytes=10-11", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=3-2", Asked::Whole),
            ("bytes=0-1,3-4", Asked::Whole),
            ("bytes=a-b", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("items=0-1", Asked::Whole),
        ] {
            assert_eq!(asked(Some(header), 10), expected, "{header}");
        }
        assert_eq!(asked(Some("bytes=0-0"), 0), Asked::Nothing);
        assert_eq!(asked(None, 0), Asked::Whole);
    }
}
