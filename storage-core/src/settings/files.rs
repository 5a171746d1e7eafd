//! Settings files and `.env`, read without ever repeating their content in a message.

use std::collections::BTreeMap;
use std::path::Path;

use config::{FileFormat, Format as _};

use crate::error::{Error, Result};

/// The top level of a TOML, YAML or JSON file; `None` for a value that is a list, a table or nothing.
pub(super) fn read_file(path: &Path) -> Result<BTreeMap<String, Option<String>>> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let format = match extension.to_ascii_lowercase().as_str() {
        "toml" => FileFormat::Toml,
        "yaml" | "yml" => FileFormat::Yaml,
        "json" => FileFormat::Json,
        _ => {
            return Err(Error::configuration(format!("the settings file {} has no known format", path.display()))
                .with_help("its name ends in .toml, .yaml, .yml or .json"));
        }
    };
    let text = read(path)?;
    let values = format.parse(None, &text).map_err(|error| {
        let place = position(&error.to_string());
        Error::configuration(format!("the settings file {} cannot be read as {format:?}{place}", path.display()))
            .with_help("it holds names with one value each")
    })?;
    Ok(values.into_iter().map(|(name, value)| (name, value.into_string().ok())).collect())
}

/// The lines of a `.env` file in order. The environment of the process stays as it is.
pub(super) fn read_dotenv(path: &Path) -> Result<Vec<(String, String)>> {
    let text = read(path)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let broken = |error: dotenvy::Error| {
        let place = match error {
            dotenvy::Error::LineParse(line, _) => {
                let before = text.find(line.as_str()).map_or("", |at| &text[..at]);
                format!(": line {}", before.matches('\n').count() + 1)
            }
            _ => String::new(),
        };
        Error::configuration(format!("the file {} cannot be read{place}", path.display()))
            .with_help("each line is NAME=value; a value with spaces or '#' stands in quotes")
    };
    dotenvy::from_read_iter(text.as_bytes()).collect::<std::result::Result<_, _>>().map_err(broken)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        Error::configuration(format!("the settings file {} cannot be read: {error}", path.display())).with_source(error)
    })
}

/// Line and column out of a parser's message; the rest of it may quote the file, and with it a secret.
fn position(message: &str) -> String {
    let number = |word: &str| {
        let (_, rest) = message.split_once(word)?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        (digits > 0).then(|| rest[..digits].to_owned())
    };
    match (number("line "), number("column ")) {
        (Some(line), Some(column)) => format!(": line {line}, column {column}"),
        (Some(line), None) => format!(": line {line}"),
        _ => String::new(),
    }
}
