//! Percent-encoding in SigV4's canonical form, so that what is signed is what is sent ("Create a canonical request" in the
//! S3 API reference): every byte but `A-Z a-z 0-9 - . _ ~` is `%XX`.

const fn unreserved() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(byte as u8, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~');
        byte += 1;
    }
    table
}

const UNRESERVED: [bool; 256] = unreserved();

/// Appends a path; its slashes stay.
pub(crate) fn path(out: &mut String, text: &str) {
    encode(out, text, true);
}

/// Appends a name or a value of a query.
pub(crate) fn component(out: &mut String, text: &str) {
    encode(out, text, false);
}

fn encode(out: &mut String, text: &str, slash: bool) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut start = 0;
    for (at, &byte) in text.as_bytes().iter().enumerate() {
        if UNRESERVED[usize::from(byte)] || (slash && byte == b'/') {
            continue;
        }
        out.push_str(text.get(start..at).unwrap_or_default());
        out.push('%');
        out.push(char::from(HEX[usize::from(byte >> 4)]));
        out.push(char::from(HEX[usize::from(byte & 15)]));
        start = at + 1;
    }
    out.push_str(text.get(start..).unwrap_or_default());
}

/// A query, encoded and in the order in which it is signed: by the encoded name, then the encoded value.
pub(crate) fn query<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut encoded: Vec<(String, String)> = pairs
        .map(|(name, value)| {
            let (mut out, mut text) = (String::with_capacity(name.len()), String::with_capacity(value.len()));
            component(&mut out, name);
            component(&mut text, value);
            (out, text)
        })
        .collect();
    encoded.sort_unstable();
    let mut out = String::new();
    for (name, value) in &encoded {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        out.push_str(value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str) -> (String, String) {
        let (mut as_path, mut as_component) = (String::new(), String::new());
        path(&mut as_path, text);
        component(&mut as_component, text);
        (as_path, as_component)
    }

    /// Rules K05 and K08: no byte is dropped, collapsed or left to a library.
    #[test]
    fn every_byte_but_the_unreserved_is_escaped() {
        for (text, as_path, as_component) in [
            ("a-._~Z9", "a-._~Z9", "a-._~Z9"),
            ("a/b", "a/b", "a%2Fb"),
            ("../a//b/", "../a//b/", "..%2Fa%2F%2Fb%2F"),
            ("a b+c%2F", "a%20b%2Bc%252F", "a%20b%2Bc%252F"),
            ("!*'()", "%21%2A%27%28%29", "%21%2A%27%28%29"),
            ("é€😀x", "%C3%A9%E2%82%AC%F0%9F%98%80x", "%C3%A9%E2%82%AC%F0%9F%98%80x"),
        ] {
            assert_eq!(encoded(text), (as_path.to_owned(), as_component.to_owned()), "{text:?}");
        }
    }

    /// The order is that of the encoded names: `%C3` stands before `a`, whatever the names' own order.
    #[test]
    fn a_query_is_in_the_order_in_which_it_is_signed() {
        let pairs = [("prefix", "a/b"), ("é", "1"), ("delimiter", ""), ("Z", "2")];
        assert_eq!(query(pairs.into_iter()), "%C3%A9=1&Z=2&delimiter=&prefix=a%2Fb");
        assert_eq!(query([].into_iter()), "");
    }
}
