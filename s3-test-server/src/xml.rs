//! The little XML that S3 speaks: documents are written in order, and read into a tree without trimming.

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::error::Failure;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// An element while it is written; its children come in the order in which they are added.
pub(crate) struct Element {
    name: &'static str,
    content: String,
}

impl Element {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, content: String::new() }
    }

    /// An element that is a text and has no children.
    pub(crate) fn leaf(name: &'static str, value: &str) -> Self {
        let mut content = String::new();
        escape(value, &mut content);
        Self { name, content }
    }

    /// A child with a text.
    pub(crate) fn text(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.open(name);
        escape(&value.to_string(), &mut self.content);
        self.close(name);
        self
    }

    /// A child with a text, if there is one.
    pub(crate) fn maybe(self, name: &str, value: Option<impl std::fmt::Display>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    pub(crate) fn child(mut self, child: Element) -> Self {
        self.push(child);
        self
    }

    pub(crate) fn push(&mut self, child: Element) {
        self.open(child.name);
        self.content.push_str(&child.content);
        self.close(child.name);
    }

    /// The element as a whole document, in no namespace (as error documents are).
    pub(crate) fn document(self) -> String {
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{0}>{1}</{0}>", self.name, self.content)
    }

    /// The element as a whole document, in the namespace of S3.
    pub(crate) fn s3_document(self) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{0} xmlns=\"{NAMESPACE}\">{1}</{0}>",
            self.name, self.content
        )
    }

    fn open(&mut self, name: &str) {
        self.content.push('<');
        self.content.push_str(name);
        self.content.push('>');
    }

    fn close(&mut self, name: &str) {
        self.content.push_str("</");
        self.content.push_str(name);
        self.content.push('>');
    }
}

/// Escapes markup, and, as S3 does, control characters as references (which XML 1.0 parsers may refuse; clients ask for
/// `encoding-type=url` to get around that).
fn escape(text: &str, into: &mut String) {
    for c in text.chars() {
        match c {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '"' => into.push_str("&quot;"),
            c if c.is_control() => into.push_str(&format!("&#x{:x};", u32::from(c))),
            c => into.push(c),
        }
    }
}

/// An element that was read: the text of a leaf, or children.
#[derive(Debug, Default)]
pub(crate) struct Node {
    name: String,
    text: String,
    children: Vec<Node>,
}

impl Node {
    /// Reads a document whose root has this name, in whatever namespace.
    pub(crate) fn parse(document: &[u8], root: &str) -> Result<Self, Failure> {
        let document = std::str::from_utf8(document).map_err(|_| Failure::malformed_xml())?;
        let node = read(document).ok_or_else(Failure::malformed_xml)?;
        if node.name == root { Ok(node) } else { Err(Failure::malformed_xml()) }
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Node> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first child with this name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.children.iter().find(|child| child.name == name).map(|child| child.text.as_str())
    }
}

fn read(document: &str) -> Option<Node> {
    let mut reader = Reader::from_str(document);
    let mut open = vec![Node::default()];
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => open.push(named(tag.local_name().as_ref())),
            Event::Empty(tag) => open.last_mut()?.children.push(named(tag.local_name().as_ref())),
            Event::End(_) => {
                let node = open.pop()?;
                open.last_mut()?.children.push(node);
            }
            Event::Text(text) => open.last_mut()?.text.push_str(&text),
            Event::CData(text) => open.last_mut()?.text.push_str(&text),
            Event::GeneralRef(reference) => {
                let c = match reference.resolve_char_ref().ok()? {
                    Some(c) => c,
                    None => predefined(&reference)?,
                };
                open.last_mut()?.text.push(c);
            }
            Event::Eof => break,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::DocType(_) => {}
        }
    }
    let mut outside = open.pop()?;
    if open.is_empty() && outside.children.len() == 1 { outside.children.pop() } else { None }
}

fn named(name: &str) -> Node {
    Node { name: name.to_owned(), ..Node::default() }
}

fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_as_it_went_in() {
        for text in [" a ", "a&b<c>\"'", "line\r\nline\tend", "\u{1}", "…é🦀", ""] {
            let document = Element::new("Root").text("Key", text).s3_document();
            let node = Node::parse(document.as_bytes(), "Root").unwrap();
            assert_eq!(node.get("Key"), Some(text), "{document}");
        }
    }

    #[test]
    fn what_is_no_document_is_malformed() {
        for document in ["", "text", "<Root>", "<Root><a></Root>", "<Other/>", "<Root/><Root/>", "<Root>&what;</Root>"]
        {
            assert!(Node::parse(document.as_bytes(), "Root").is_err(), "{document}");
        }
    }
}
