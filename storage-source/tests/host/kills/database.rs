//! The databases that are committed: a list of labels, in a form in which nothing but a whole one can be read.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};

/// Which program keeps the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// Records with checksums, written one behind the other.
    Log,
    /// Python's SQLite, in a process of its own.
    Sqlite,
}

/// The program.
pub(super) enum Database {
    Log,
    Sqlite(Sqlite),
}

impl Database {
    /// Whether this machine has the program.
    pub(super) fn is_there(kind: Kind) -> bool {
        kind == Kind::Log || {
            let tried = Command::new("python3").args(["-c", "import sqlite3"]).stderr(Stdio::null()).status();
            tried.is_ok_and(|ended| ended.success())
        }
    }

    pub(super) fn start(kind: Kind) -> Self {
        match kind {
            Kind::Log => Self::Log,
            Kind::Sqlite => Self::Sqlite(Sqlite::start()),
        }
    }

    /// Brings the database in order, as its program does after a crash, and adds a label; so many bytes come with the first.
    pub(super) fn add(&mut self, file: &Path, label: &str, ballast: usize) {
        match self {
            Self::Log => add_record(file, label, ballast),
            Self::Sqlite(sqlite) => assert_eq!(sqlite.ask(&["add", file.to_str().unwrap(), label]), "ok"),
        }
    }

    /// The labels of a database that is whole, in order; it fails on any other.
    pub(super) fn labels(&mut self, content: &[u8]) -> Vec<String> {
        if content.is_empty() {
            return Vec::new();
        }
        match self {
            Self::Log => {
                let (labels, length) = records(content);
                assert_eq!(length, content.len(), "the log ends in a record that is not whole");
                labels
            }
            Self::Sqlite(sqlite) => {
                let file = tempfile::NamedTempFile::new().unwrap();
                std::fs::write(file.path(), content).unwrap();
                let answer = sqlite.ask(&["labels", file.path().to_str().unwrap()]);
                serde_json::from_str(&answer).unwrap_or_else(|_| panic!("the database is damaged: {answer}"))
            }
        }
    }
}

/// One record is its length, its checksum and its text, which is the label and what it is filled up with.
fn add_record(file: &Path, label: &str, ballast: usize) {
    let mut file = File::options().create(true).truncate(false).read(true).write(true).open(file).unwrap();
    let mut content = Vec::new();
    file.read_to_end(&mut content).unwrap();
    let (labels, length) = records(&content);
    file.set_len(length as u64).unwrap();
    file.seek(SeekFrom::End(0)).unwrap();
    let filling = if labels.is_empty() { ballast } else { fastrand::usize(..2000) };
    let text = format!("{label} {}", "x".repeat(filling));
    let head = [(text.len() as u32).to_le_bytes(), checksum(text.as_bytes()).to_le_bytes()].concat();
    // In two steps, between which it is not whole.
    file.write_all(&head).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// The labels of the whole records, and where these end.
fn records(content: &[u8]) -> (Vec<String>, usize) {
    let (mut labels, mut at) = (Vec::new(), 0);
    while let Some((head, rest)) = content[at..].split_first_chunk::<8>() {
        let [a, b, c, d, e, f, g, h] = *head;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        let Some(text) = rest.get(..length) else { break };
        if checksum(text) != u32::from_le_bytes([e, f, g, h]) {
            break;
        }
        let text = std::str::from_utf8(text).unwrap();
        labels.push(text.rsplit_once(' ').unwrap().0.to_owned());
        at += 8 + length;
    }
    (labels, at)
}

/// FNV-1a over words: enough to notice what is torn.
fn checksum(bytes: &[u8]) -> u32 {
    let mix = |sum: u32, word: u32| (sum ^ word).wrapping_mul(16_777_619);
    let (words, rest) = bytes.as_chunks::<4>();
    let sum = words.iter().map(|word| u32::from_le_bytes(*word)).fold(2_166_136_261, mix);
    rest.iter().map(|byte| u32::from(*byte)).fold(sum, mix)
}

/// Answers each line with one line. A label comes with several pages, so that a transaction is many writes.
const PROGRAM: &str = r#"
import json, os, sqlite3, sys
def add(path, label):
    db = sqlite3.connect(path, timeout=30)
    db.execute("create table if not exists labels(id integer primary key, label text, filling blob)")
    with db:
        db.execute("insert into labels(label, filling) values (?, ?)", (label, os.urandom(20000)))
        db.execute("update labels set filling = ? where id = (select min(id) from labels)", (os.urandom(20000),))
    db.close()
    return "ok"
def labels(path):
    db = sqlite3.connect(path)
    wrong = db.execute("pragma integrity_check").fetchall()
    if wrong != [("ok",)]:
        return str(wrong)
    return json.dumps([row[0] for row in db.execute("select label from labels order by id")])
for line in sys.stdin:
    name, *arguments = json.loads(line)
    try:
        answer = {"add": add, "labels": labels}[name](*arguments)
    except sqlite3.Error as error:
        answer = repr(error)
    print(answer.replace("\n", " "), flush=True)
"#;

/// Python's SQLite. It ends with its input.
pub(super) struct Sqlite {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Sqlite {
    fn start() -> Self {
        let mut process =
            Command::new("python3").args(["-c", PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
        Self { process, input, output }
    }

    fn ask(&mut self, question: &[&str]) -> String {
        writeln!(self.input.as_mut().unwrap(), "{}", serde_json::to_string(question).unwrap()).unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.wait();
    }
}
