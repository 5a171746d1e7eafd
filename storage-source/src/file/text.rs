//! Bytes as text.

use std::borrow::Cow;

use encoding_rs::Encoding;
use storage_core::{Error, Result};

/// How bytes become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decoder {
    /// One of the encodings of the WHATWG's list.
    Known(&'static Encoding),
    /// UTF-32, which that list lacks.
    Utf32 { big_endian: bool },
}

const UTF_8: Decoder = Decoder::Known(encoding_rs::UTF_8);

/// Decodes text: a byte order mark of UTF-8, UTF-16 or UTF-32 decides and is taken off; without one it is the named
/// encoding, and without a name UTF-8. What is wrong becomes U+FFFD.
pub(super) fn decode(bytes: &[u8], encoding: Option<&str>) -> Result<String> {
    let chosen = encoding.map(named).transpose()?;
    let (decoder, bytes) = match marked(bytes) {
        Some((decoder, length)) => (decoder, &bytes[length..]),
        None => (chosen.unwrap_or(UTF_8), bytes),
    };
    Ok(match decoder {
        Decoder::Known(encoding) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
        Decoder::Utf32 { big_endian } => utf_32(bytes, big_endian),
    })
}

/// What a byte order mark says, and its length. Those of UTF-32 come first: the little-endian one begins like UTF-16's.
fn marked(bytes: &[u8]) -> Option<(Decoder, usize)> {
    let marks: [(&[u8], Decoder); 5] = [
        (&[0xff, 0xfe, 0, 0], Decoder::Utf32 { big_endian: false }),
        (&[0, 0, 0xfe, 0xff], Decoder::Utf32 { big_endian: true }),
        (&[0xef, 0xbb, 0xbf], UTF_8),
        (&[0xff, 0xfe], Decoder::Known(encoding_rs::UTF_16LE)),
        (&[0xfe, 0xff], Decoder::Known(encoding_rs::UTF_16BE)),
    ];
    marks.into_iter().find(|(mark, _)| bytes.starts_with(mark)).map(|(mark, decoder)| (decoder, mark.len()))
}

/// The encoding of a name, in the spellings of the WHATWG's list and in Python's: `latin-1`, `utf_8`.
fn named(name: &str) -> Result<Decoder> {
    let plain = name.trim().to_ascii_lowercase().replace('_', "-");
    match plain.as_str() {
        "utf-32" | "utf-32le" | "utf-32-le" | "utf32" => return Ok(Decoder::Utf32 { big_endian: false }),
        "utf-32be" | "utf-32-be" => return Ok(Decoder::Utf32 { big_endian: true }),
        _ => {}
    }
    let plain = plain.strip_suffix("-sig").unwrap_or(&plain);
    let spellings =
        [Cow::Borrowed(plain), plain.replace("-le", "le").replace("-be", "be").into(), plain.replace('-', "").into()];
    spellings.iter().find_map(|name| Encoding::for_label(name.as_bytes())).map(Decoder::Known).ok_or_else(|| {
        Error::invalid_input(format!("the encoding {name:?} is not known"))
            .with_help("write a name such as utf-8, utf-16le, utf-32be, windows-1252, shift_jis or gbk")
    })
}

fn utf_32(bytes: &[u8], big_endian: bool) -> String {
    let (units, rest) = bytes.as_chunks::<4>();
    let text = units.iter().map(|unit| {
        let unit = if big_endian { u32::from_be_bytes(*unit) } else { u32::from_le_bytes(*unit) };
        char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)
    });
    text.chain((!rest.is_empty()).then_some(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use super::decode;

    /// A byte order mark beats the encoding that was chosen; without one that is taken, and without that UTF-8.
    #[test]
    fn marks_decide_then_the_choice_then_utf_8() {
        let cases: [(&[u8], Option<&str>, &str); 19] = [
            (b"", None, ""),
            (b"\xef\xbb\xbfa\xc3\xa9", None, "aé"),
            (b"\xef\xbb\xbfa\xc3\xa9", Some("latin-1"), "aé"),
            (b"\xff\xfea\0\xe9\0", None, "aé"),
            (b"\xfe\xff\0a\0\xe9", Some("utf-8"), "aé"),
            (b"\xff\xfe\0\0a\0\0\0\xe9\0\0\0", None, "aé"),
            (b"\0\0\xfe\xff\0\0\0a\0\x01\xf6\0", Some("gbk"), "a😀"),
            (b"a\xc3\xa9", None, "aé"),
            (b"a\xe9z", None, "a\u{fffd}z"),
            (b"a\xe9z", Some("latin-1"), "aéz"),
            (b"a\xe9z", Some("windows-1252"), "aéz"),
            (b"a\xe9z", Some("ISO_8859-1"), "aéz"),
            (b"a\0b\0", Some("utf_16_le"), "ab"),
            (b"\0a\0b", Some("UTF-16BE"), "ab"),
            (b"a\0\0\0", Some("utf-32"), "a"),
            (b"\0\0\0a\0", Some("utf_32_be"), "a\u{fffd}"),
            (b"\0\0\xd8\0", Some("utf-32be"), "\u{fffd}"),
            (b"\x83e\x83X\x83g", Some("shift_jis"), "テスト"),
            (b"a", Some("utf-8-sig"), "a"),
        ];
        for (bytes, encoding, expected) in cases {
            assert_eq!(decode(bytes, encoding).unwrap(), expected, "{bytes:?} as {encoding:?}");
        }
    }

    #[test]
    fn an_encoding_that_nobody_knows_is_named() {
        let error = decode(b"\xef\xbb\xbfa", Some("klingon")).unwrap_err();
        assert!(error.to_string().contains("\"klingon\""), "{error}");
    }
}
