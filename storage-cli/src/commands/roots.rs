//! `storage roots`: where each root lies, what put it there, whether it can be used, what it can do.

use serde_json::json;
use storage::settings::{Origin, STORAGE_BACKEND, Source};
use storage::{Capabilities, RootName, Support};

use crate::failure::{Failure, Failures};
use crate::output::Output;
use crate::session::Session;
use crate::state::State;

pub(super) async fn run(session: &Session, output: &mut Output) -> Result<(), Failure> {
    let mut failures = Failures::default();
    for name in RootName::ALL {
        let root = session.root(name)?;
        let opened = session.open_existing(&root).await?;
        let capabilities = opened.capabilities();
        let location = root.location.to_string();
        let found = State::of(&root, &opened).await;
        let state = *found.as_ref().unwrap_or(&State::Unusable);
        if output.is_json() {
            let (setting, source) = put_there_by(&root.origin);
            output.object(&json!({
                "root": name.as_str(),
                "location": location,
                "driver": root.driver,
                "setting": setting,
                "source": source.map(ToString::to_string),
                "state": state,
                "capabilities": capabilities,
            }))?;
        } else {
            output.line(&format!("{:<7} {location}", name.as_str()))?;
            output.line(&format!("        from {}", root.origin))?;
            output.line(&format!("        {}", state.in_words()))?;
            output.line(&format!("        {}: {}", root.driver, in_words(&capabilities)))?;
        }
        if let Err(error) = found {
            failures.add(&error, output.is_json());
        }
    }
    failures.end()
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
