//! What is examined: the locations that the user names, else the roots.

use storage::{Location, Result, RootName};

use crate::session::Session;

/// A place, or why settings lead to none.
pub(super) struct Place {
    /// As the user names it.
    pub(super) name: String,
    pub(super) location: Result<Location>,
    /// The driver's name, where there is a location.
    pub(super) driver: Option<String>,
    /// What put it there.
    pub(super) origin: String,
}

impl Place {
    /// The places that these texts name, else the three roots. A text that is no location of a known scheme is an error.
    pub(super) fn all(texts: &[String], session: &Session) -> Result<Vec<Self>> {
        if texts.is_empty() {
            return Ok(RootName::ALL.map(|name| Self::root(name, "", session)).into());
        }
        texts.iter().map(|text| Self::named(text, session)).collect()
    }

    fn named(text: &str, session: &Session) -> Result<Self> {
        if let Some(rooted) = text.strip_prefix('@') {
            let (name, below) = rooted.split_once('/').unwrap_or((rooted, ""));
            if let Some(root) = RootName::ALL.into_iter().find(|root| root.as_str() == name) {
                return Ok(Self::root(root, below, session));
            }
        }
        let location = session.located_root(text)?;
        let driver = session.registry().driver(&location)?.name().to_owned();
        let origin = "the command line".to_owned();
        Ok(Self { name: text.to_owned(), location: Ok(location), driver: Some(driver), origin })
    }

    fn root(name: RootName, below: &str, session: &Session) -> Self {
        let written = if below.is_empty() { format!("@{name}") } else { format!("@{name}/{below}") };
        match session.root(name) {
            Ok(root) => {
                let location = if below.is_empty() { root.location } else { root.location.join(below) };
                Self {
                    name: written,
                    location: Ok(location),
                    driver: Some(root.driver),
                    origin: root.origin.to_string(),
                }
            }
            Err(error) => Self { name: written, location: Err(error), driver: None, origin: "settings".to_owned() },
        }
    }
}
