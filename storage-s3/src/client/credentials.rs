//! Who asks: keys that the caller gives, nobody, or whoever the machine says.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use reqsign_aws_v4::{
    AssumeRoleWithWebIdentityCredentialProvider, Credential, ECSCredentialProvider, IMDSv2CredentialProvider,
    ProfileCredentialProvider, SSOCredentialProvider,
};
use reqsign_core::{Context, ProvideCredentialDyn, StaticEnv};
use reqsign_file_read_tokio::TokioFileRead;
use storage_core::{Error, ErrorKind, Result};

use super::connect::Connector;
use super::failure::Cause;
use super::metadata::Sender;
use super::sign::Keys;
use crate::options::{ChainOptions, Credentials};

/// Keys are fetched anew when they are good for less than this.
const EARLY: Duration = Duration::from_secs(300);
/// Keys that could not be fetched anew are used up to this time before their end.
const LATE: Duration = Duration::from_secs(10);

/// Gives the keys of each attempt.
pub(crate) enum Provider {
    Anonymous,
    Keys(Arc<Keys>),
    Chain(Box<Chain>),
}

impl Provider {
    pub(crate) fn new(credentials: &Credentials, connector: &Arc<Connector>) -> Result<Self> {
        match credentials {
            Credentials::Anonymous => Ok(Self::Anonymous),
            Credentials::Chain(options) => Ok(Self::Chain(Box::new(Chain::new(options, connector)))),
            Credentials::Keys { access_key_id, secret_access_key, session_token } => {
                let keys = Keys::new(access_key_id.clone(), secret_access_key.clone(), session_token.as_deref());
                let bad = || {
                    Error::new(
                        ErrorKind::Configuration,
                        "the access key id or the session token holds control characters",
                    )
                    .with_help("correct AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN")
                };
                Ok(Self::Keys(Arc::new(keys.ok_or_else(bad)?)))
            }
        }
    }

    /// The keys, where nothing has to be fetched for them: `Some(None)` is nobody.
    pub(crate) fn at_hand(&self) -> Option<Option<Arc<Keys>>> {
        match self {
            Self::Anonymous => Some(None),
            Self::Keys(keys) => Some(Some(keys.clone())),
            Self::Chain(chain) => chain.cached(EARLY).map(Some),
        }
    }

    /// Who asks, once the keys are there; `None` is nobody.
    pub(crate) async fn identity(&self) -> Result<Option<Identity>, Cause> {
        let keys = match self.at_hand() {
            Some(keys) => keys,
            None => Some(self.load().await?),
        };
        let (source, end) = match self {
            Self::Chain(chain) => chain.origin(),
            _ => (None, None),
        };
        Ok(keys.map(|keys| Identity { access_key_id: keys.access_key_id().to_owned(), source, end }))
    }

    /// Fetches the keys.
    pub(crate) async fn load(&self) -> Result<Arc<Keys>, Cause> {
        match self {
            Self::Anonymous => Err(Cause::Credentials("there are none".into())),
            Self::Keys(keys) => Ok(keys.clone()),
            Self::Chain(chain) => chain.load().await,
        }
    }
}

/// Whose keys requests are signed with; no secret.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) access_key_id: String,
    /// Which source of the machine gave the keys; `None` where the caller did.
    pub(crate) source: Option<&'static str>,
    /// When they end, where that is known.
    pub(crate) end: Option<SystemTime>,
}

type Source = Box<dyn ProvideCredentialDyn<Credential = Credential>>;

/// The sources of a machine, asked one after the other until one has keys.
pub(crate) struct Chain {
    sources: Vec<(&'static str, Source)>,
    context: Context,
    cached: Mutex<Option<Cached>>,
    /// Held while keys are fetched: those who come meanwhile wait for the same ones.
    fetching: tokio::sync::Mutex<()>,
}

struct Cached {
    keys: Arc<Keys>,
    source: &'static str,
    end: Option<SystemTime>,
}

/// Why no source had keys.
#[derive(Debug)]
struct Nothing(Vec<String>);

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tried {}", self.0.join(", "))
    }
}

impl std::error::Error for Nothing {}

impl Chain {
    fn new(options: &ChainOptions, connector: &Arc<Connector>) -> Self {
        let envs: HashMap<String, String> = options.environment.iter().cloned().collect();
        let home_dir = envs.get("HOME").or_else(|| envs.get("USERPROFILE")).map(PathBuf::from);
        let context = Context::new()
            .with_file_read(TokioFileRead)
            .with_http_send(Sender::new(connector.clone()))
            .with_env(StaticEnv { home_dir, envs });
        let sources: Vec<(&'static str, Source)> = vec![
            ("the profile's file", Box::new(ProfileCredentialProvider::new())),
            ("single sign-on", Box::new(SSOCredentialProvider::new())),
            ("web identity", Box::new(AssumeRoleWithWebIdentityCredentialProvider::new())),
            ("the container's role", Box::new(ECSCredentialProvider::new())),
            ("the instance's role", Box::new(IMDSv2CredentialProvider::new())),
        ];
        Self { sources, context, cached: Mutex::default(), fetching: tokio::sync::Mutex::default() }
    }

    /// The keys that were fetched last, if they are good for so long.
    fn cached(&self, left: Duration) -> Option<Arc<Keys>> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let good = |cached: &&Cached| cached.end.is_none_or(|end| end > SystemTime::now() + left);
        cached.as_ref().filter(good).map(|cached| cached.keys.clone())
    }

    /// Which source gave the keys that were fetched last, and when they end.
    fn origin(&self) -> (Option<&'static str>, Option<SystemTime>) {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        cached.as_ref().map_or((None, None), |cached| (Some(cached.source), cached.end))
    }

    async fn load(&self) -> Result<Arc<Keys>, Cause> {
        let _fetching = self.fetching.lock().await;
        if let Some(keys) = self.cached(EARLY) {
            return Ok(keys);
        }
        match self.fetch().await {
            Ok(cached) => {
                let keys = cached.keys.clone();
                *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = Some(cached);
                Ok(keys)
            }
            Err(nothing) => self.cached(LATE).ok_or_else(|| Cause::Credentials(nothing.into())),
        }
    }

    async fn fetch(&self) -> Result<Cached, Nothing> {
        let mut tried = Vec::new();
        for (name, source) in &self.sources {
            match source.provide_credential_dyn(&self.context).await {
                Ok(Some(credential)) => match keys(credential, name) {
                    Some(cached) => return Ok(cached),
                    None => tried.push(format!("{name} (its keys are not complete)")),
                },
                Ok(None) => tried.push(format!("{name} (none)")),
                Err(error) => tried.push(format!("{name} ({error})")),
            }
        }
        Err(Nothing(tried))
    }
}

fn keys(credential: Credential, source: &'static str) -> Option<Cached> {
    if credential.access_key_id.is_empty() || credential.secret_access_key.is_empty() {
        return None;
    }
    let end = credential.expires_in.map(|end| end.as_system_time());
    let token = credential.session_token.as_deref();
    let keys = Keys::new(credential.access_key_id, credential.secret_access_key, token)?;
    Some(Cached { keys: Arc::new(keys), source, end })
}
