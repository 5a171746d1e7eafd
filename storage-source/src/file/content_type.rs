//! The media type of content: by name, and by its first bytes.

use super::path::RelativePath;

/// How many of the first bytes tell what content is.
pub(super) const SNIFFED: u64 = 8 * 1024;

/// The type that the name's extension stands for; `None` where it stands for none.
pub(super) fn by_name(path: &RelativePath) -> Option<&'static str> {
    mime_guess::from_path(path.name()).first_raw()
}

/// The type that the first bytes show: a known signature, else text where they are text.
pub(super) fn by_content(start: &[u8]) -> &'static str {
    match infer::get(start) {
        Some(kind) => kind.mime_type(),
        None if is_text(start) => "text/plain",
        None => "application/octet-stream",
    }
}

/// Whether bytes are UTF-8 that may be cut within its last character, and hold no control characters but white space.
fn is_text(start: &[u8]) -> bool {
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or(""),
        Err(_) => return false,
    };
    !text.is_empty() && !text.chars().any(|c| c.is_control() && !c.is_whitespace() && c != '\u{1b}')
}
