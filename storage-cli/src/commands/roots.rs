//! `storage roots`: where each root lies, what put it there, whether it can be used, what it can do.

use futures::future::join_all;
use serde_json::json;
use storage::settings::{Origin, STORAGE_BACKEND, Source};
use storage::{Capabilities, Error, ErrorKind, Location, Root, RootName, Support};

use crate::failure::{Failure, Failures};
use crate::output::Output;
use crate::session::Session;
use crate::state::State;

pub(super) async fn run(session: &Session, output: &mut Output) -> Result<(), Failure> {
    let roots = RootName::ALL.into_iter().map(|name| session.root(name)).collect::<Result<Vec<_>, _>>()?;
    // At once, so that a service which does not answer is waited for but once.
    let found = join_all(roots.iter().map(|root| look(root, session))).await;
    let (mut failures, mut told) = (Failures::default(), Vec::new());
    for (root, found) in roots.iter().zip(found) {
        show(root, &found, output)?;
        if let Some(error) = found.error
            && !is_told(&mut told, root, &error)
        {
            failures.add(&root.blame(error), output.is_json());
        }
    }
    failures.end()
}

/// What a look at a root showed.
struct Found {
    state: State,
    /// `None` where it could not be opened.
    capabilities: Option<Capabilities>,
    error: Option<Error>,
}

async fn look(root: &Root, session: &Session) -> Found {
    let opened = match session.open_existing(root).await {
        Ok(opened) => opened,
        Err(error) => return Found { state: State::Unusable, capabilities: None, error: Some(error) },
    };
    let capabilities = Some(opened.capabilities());
    match State::of(&root.location, &opened).await {
        Ok(state) => Found { state, capabilities, error: None },
        Err(error) => Found { state: State::failed(&root.location, &error), capabilities, error: Some(error) },
    }
}

/// A failure that was told: the bucket it came from, its kind and its text.
type Told = (Option<(String, String)>, ErrorKind, String);

/// Whether an error was told of another root: the same text, or the same kind in the same bucket, whose answers differ by
/// the names of their requests.
fn is_told(told: &mut Vec<Told>, root: &Root, error: &Error) -> bool {
    let container = match &root.location {
        Location::Object(object) => Some((object.scheme.clone(), object.container.clone())),
        _ => None,
    };
    let this = (container, error.kind(), error.to_string());
    let same =
        told.iter().any(|other| other.2 == this.2 || (this.0.is_some() && (&other.0, other.1) == (&this.0, this.1)));
    told.push(this);
    same
}

fn show(root: &Root, found: &Found, output: &mut Output) -> Result<(), Failure> {
    let (name, location) = (root.name.as_str(), root.location.to_string());
    if output.is_json() {
        let (setting, source) = put_there_by(&root.origin);
        return output.object(&json!({
            "root": name,
            "location": location,
            "driver": root.driver,
            "setting": setting,
            "source": source.map(ToString::to_string),
            "state": found.state,
            "capabilities": found.capabilities,
        }));
    }
    output.line(&format!("{name:<7} {location}"))?;
    output.line(&format!("        from {}", root.origin))?;
    output.line(&format!("        {}", found.state.in_words()))?;
    match &found.capabilities {
        Some(capabilities) => output.line(&format!("        {}: {}", root.driver, in_words(capabilities))),
        None => output.line(&format!("        {}", root.driver)),
    }
}

/// The setting that put a root where it lies, and where that was set.
fn put_there_by(origin: &Origin) -> (Option<&str>, Option<&Source>) {
    match origin {
        Origin::Setting { name, source } => (Some(name), Some(source)),
        Origin::Default { backend: Some(source) } => (Some(STORAGE_BACKEND), Some(source)),
        _ => (None, None),
    }
}

fn in_words(capabilities: &Capabilities) -> String {
    let conditions = capabilities.conditions();
    let conditions = if conditions.iter().all(|support| *support == Support::Yes) {
        "all conditions"
    } else if conditions.contains(&Support::Unprobed) {
        "conditions not probed yet"
    } else if conditions.contains(&Support::Yes) {
        "some conditions"
    } else {
        "no conditions"
    };
    let yes_no = |has: bool, yes: &'static str, no: &'static str| if has { yes } else { no };
    [
        yes_no(capabilities.persistent, "persistent", "gone with the process"),
        yes_no(capabilities.durable, "durable", "not synced"),
        yes_no(capabilities.shared, "shared by processes", "seen by one process"),
        conditions,
        yes_no(capabilities.attributes, "attributes", "no attributes"),
        yes_no(capabilities.atomic_rename, "atomic moves", "moves in two steps"),
    ]
    .join(", ")
}
