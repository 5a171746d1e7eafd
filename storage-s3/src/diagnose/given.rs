//! Which settings have a part in it, and where each came from.

use storage_core::Settings;
use storage_core::diagnosis::{Examination, Given};
use storage_core::settings::{STORAGE_BACKEND, STORAGE_BUCKET_NAME, Setting};

use crate::client::endpoint_url;
use crate::options::{Credentials, S3Options};
use crate::service::Service;
use crate::settings::{ACCESS_KEY_ID, CHAIN, OWN, SECRET_ACCESS_KEY, SESSION_TOKEN};

/// What is read beside the driver's own names and those of the credential chain.
const OTHERS: [&str; 8] = [
    STORAGE_BACKEND,
    STORAGE_BUCKET_NAME,
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_CA_BUNDLE",
    ACCESS_KEY_ID,
    SECRET_ACCESS_KEY,
    SESSION_TOKEN,
];

/// Names of the chain whose values are nobody's business.
const HIDDEN: [&str; 3] =
    ["AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_EXTERNAL_ID", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];

/// Tells each setting that is there, and the defaults that matter most where it is not.
pub(super) fn tell(settings: &Settings, exam: &mut Examination<'_>) {
    let names = OTHERS.iter().chain(&OWN).chain(&CHAIN).filter(|name| **name != "HOME");
    for name in names {
        // One that cannot be read fails where it is used.
        if let Ok(Some(setting)) = settings.get(name) {
            exam.given(Given::shown(setting, shown(name, setting)));
        }
    }
    let unset = |names: &[&str]| names.iter().all(|name| matches!(settings.get(name), Ok(None)));
    if unset(&["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"]) {
        exam.given(Given::default("AWS_ENDPOINT_URL", "Amazon S3"));
    }
    if unset(&["AWS_REGION", "AWS_DEFAULT_REGION"]) {
        exam.given(Given::default("AWS_REGION", "found out from the service"));
    }
}

fn shown(name: &str, setting: &Setting) -> String {
    match name {
        ACCESS_KEY_ID => masked(setting.value()),
        SECRET_ACCESS_KEY | SESSION_TOKEN => setting.shown(),
        _ if HIDDEN.contains(&name) => setting.shown(),
        // An address that holds a user, a query or a fragment is refused; what it holds may be a secret.
        _ if setting.value().contains(['@', '?', '#']) => "(hidden)".to_owned(),
        _ => setting.public().shown(),
    }
}

/// The last four letters of what is long enough to keep the rest to itself.
pub(super) fn masked(id: &str) -> String {
    let letters: Vec<char> = id.chars().collect();
    match letters.len() {
        0..8 => "…".to_owned(),
        length => format!("…{}", letters[length - 4..].iter().collect::<String>()),
    }
}

/// What the settings come to, in a line.
pub(super) fn summary(options: &S3Options) -> String {
    let service = Service::of(options)
        .map_or_else(|| "a service of which nothing is known".to_owned(), |service| format!("the service {service}"));
    let who = match &options.credentials {
        Credentials::Keys { .. } => "with keys from settings",
        Credentials::Anonymous => "as nobody",
        Credentials::Chain(_) => "with the machine's credentials",
    };
    format!("{}, {service}, {who}", endpoint_url(options))
}
