//! Who asks: keys that the caller gives, nobody, or whoever the machine says.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use reqsign_aws_v4::{
    AssumeRoleWithWebIdentityCredentialProvider, Credential, ECSCredentialProvider, IMDSv2CredentialProvider,
    ProfileCredentialProvider, SSOCredentialProvider,
};
use reqsign_core::{Context, ProvideCredentialDyn, StaticEnv};
use reqsign_file_read_tokio::TokioFileRead;
use storage_core::{Error, ErrorKind, Result};
use tokio::time::timeout;

use super::connect::Connector;
use super::failure::Cause;
use super::metadata::Sender;
use super::sign::Keys;
use crate::options::{ChainOptions, Credentials};

/// Keys are fetched anew when they are good for less than this.
const EARLY: Duration = Duration::from_secs(300);
/// Keys that could not be fetched anew are used up to this time before their end.
const LATE: Duration = Duration::from_secs(10);
/// While there are keys that can be used, they are fetched anew no more often than this.
const AGAIN: Duration = Duration::from_secs(30);
/// And a fetch is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(5);

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

    /// Gives up keys that the service takes no longer; `false` where there are no others to be had.
    pub(crate) fn renew(&self, refused: Option<&Arc<Keys>>) -> bool {
        match (self, refused) {
            (Self::Chain(chain), Some(refused)) => chain.forget(refused),
            _ => false,
        }
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
    /// The profile that somebody asked for by name: nobody else's keys are used in its place.
    profile: Option<String>,
    cached: Mutex<Option<Cached>>,
    /// Held while keys are fetched: those who come meanwhile wait for the same ones. Holds when the last fetch began.
    fetching: tokio::sync::Mutex<Option<Instant>>,
}

struct Cached {
    keys: Arc<Keys>,
    source: &'static str,
    end: Option<SystemTime>,
}

/// Why no source had keys.
#[derive(Debug)]
struct Nothing {
    tried: Vec<String>,
    profile: Option<String>,
}

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tried {}", self.tried.join(", "))?;
        match &self.profile {
            Some(profile) => write!(f, "; AWS_PROFILE names {profile:?}, so that nobody else's keys are used"),
            None => Ok(()),
        }
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
        let profile = options.environment.iter().find(|(name, value)| name == "AWS_PROFILE" && !value.is_empty());
        let profile = profile.map(|(_, value)| value.clone());
        let mut sources: Vec<(&'static str, Source)> = vec![
            ("the profile's file", Box::new(ProfileCredentialProvider::new())),
            ("single sign-on", Box::new(SSOCredentialProvider::new())),
        ];
        if profile.is_none() {
            sources.push(("web identity", Box::new(AssumeRoleWithWebIdentityCredentialProvider::new())));
            sources.push(("the container's role", Box::new(ECSCredentialProvider::new())));
            sources.push(("the instance's role", Box::new(IMDSv2CredentialProvider::new())));
        }
        Self { sources, context, profile, cached: Mutex::default(), fetching: tokio::sync::Mutex::default() }
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

    /// Forgets keys that the service has refused, unless others have been fetched since; `false` where it knows of none.
    fn forget(&self, refused: &Arc<Keys>) -> bool {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let known = cached.is_some();
        *cached = cached.take().filter(|cached| !Arc::ptr_eq(&cached.keys, refused));
        known
    }

    async fn load(&self) -> Result<Arc<Keys>, Cause> {
        match self.cached(LATE) {
            Some(usable) => Ok(self.freshen(usable).await),
            None => self.load_first().await,
        }
    }

    /// Newer keys than those that can still be used, if they are to be had at once. One caller sees to them; the source may
    /// be away, or have no newer ones.
    async fn freshen(&self, usable: Arc<Keys>) -> Arc<Keys> {
        let Ok(mut last) = self.fetching.try_lock() else {
            return usable;
        };
        if last.is_some_and(|last| last.elapsed() < AGAIN) {
            return self.cached(LATE).unwrap_or(usable);
        }
        *last = Some(Instant::now());
        match timeout(PATIENCE, self.fetch()).await {
            Ok(Ok(cached)) => self.keep(cached),
            _ => usable,
        }
    }

    async fn load_first(&self) -> Result<Arc<Keys>, Cause> {
        let mut last = self.fetching.lock().await;
        if let Some(keys) = self.cached(LATE) {
            return Ok(keys);
        }
        *last = Some(Instant::now());
        self.fetch().await.map(|cached| self.keep(cached)).map_err(|nothing| Cause::Credentials(nothing.into()))
    }

    fn keep(&self, cached: Cached) -> Arc<Keys> {
        let keys = cached.keys.clone();
        *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = Some(cached);
        keys
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
        Err(Nothing { tried, profile: self.profile.clone() })
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
