//! What is known of a service: by its profile, by settings, and by what a probe found.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use storage_core::{Error, ErrorKind, Result, Support};
use tokio::sync::OnceCell;

use crate::checksum::Checksum;
use crate::options::{ChecksumPolicy, ConditionPolicy, S3Options};
use crate::service::{Profile, Service};

/// A conditional write, each of which a service may keep or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    PutCreateOnly,
    PutIfMatch,
    CompleteCreateOnly,
    CompleteIfMatch,
    CopyCreateOnly,
    DeleteIfMatch,
}

impl Condition {
    pub(crate) const ALL: [Self; 6] = [
        Self::PutCreateOnly,
        Self::PutIfMatch,
        Self::CompleteCreateOnly,
        Self::CompleteIfMatch,
        Self::CopyCreateOnly,
        Self::DeleteIfMatch,
    ];

    /// In words, as it stands in messages.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::PutCreateOnly => "create-only puts",
            Self::PutIfMatch => "puts with if-match",
            Self::CompleteCreateOnly => "create-only streaming writes in parts",
            Self::CompleteIfMatch => "streaming writes in parts with if-match",
            Self::CopyCreateOnly => "create-only copies",
            Self::DeleteIfMatch => "deletes with if-match",
        }
    }
}

/// What a probe showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The service keeps the condition.
    Kept,
    /// It does what it should refuse: what was seen.
    Ignored(String),
    /// It refuses what it should do, or does not know the condition: what was seen.
    Refused(String),
}

/// What asking showed of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen<'a> {
    Kept,
    /// The service does what it should refuse.
    Ignored(&'a str),
    /// It refuses what it should do, or does not know the condition.
    Refused(&'a str),
    /// These credentials may not try it in this place.
    Denied(&'a str),
}

/// Why a probe showed nothing.
#[derive(Debug)]
pub(super) enum Stopped {
    /// These credentials may not try it in this place: what was answered.
    Denied(String),
    /// It failed in a way that may pass, or that settings can mend.
    Failed(Error),
}

/// What is known of a service.
pub(crate) struct Known {
    profile: Profile,
    /// What settings and profile say of each condition.
    given: [Support; 6],
    /// Why a given no is one.
    why_not: String,
    checksum_policy: ChecksumPolicy,
    found: Arc<Found>,
    /// What could not be tried here. Another prefix of the bucket may allow it, so that it is not shared.
    denied: [OnceLock<String>; 6],
}

/// What was found out by asking; the same for every prefix of a bucket.
#[derive(Default)]
struct Found {
    conditions: [OnceCell<Verdict>; 6],
    /// How the last probe of each failed, and how many did.
    failures: [Mutex<(usize, Option<Failed>)>; 6],
    checksum: OnceLock<Option<Checksum>>,
    versions: OnceLock<bool>,
    /// Whether content is kept under a name that ends in `/`.
    slash_is_ordinary: OnceLock<bool>,
    /// Whether names of listings are encoded where the answer says so.
    names_encoded: OnceLock<bool>,
}

impl Found {
    fn failed(&self, place: usize) -> (usize, Option<Failed>) {
        self.failures[place].lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, place: usize, stopped: &Stopped) {
        if let Stopped::Failed(error) = stopped {
            let mut failures = self.failures[place].lock().unwrap_or_else(PoisonError::into_inner);
            *failures = (failures.0 + 1, Some(Failed::of(error)));
        }
    }
}

/// The error of a probe, for everyone who waited for it.
#[derive(Clone)]
struct Failed {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
}

impl Failed {
    fn of(error: &Error) -> Self {
        Self { kind: error.kind(), message: error.message().to_owned(), help: error.help().map(str::to_owned) }
    }

    fn error(self) -> Error {
        let error = Error::new(self.kind, self.message);
        match self.help {
            Some(help) => error.with_help(help),
            None => error,
        }
    }
}

impl Known {
    pub(crate) fn new(options: &S3Options) -> Self {
        let service = Service::of(options);
        let profile = Profile::of(service);
        let (given, why_not) = match options.conditions {
            ConditionPolicy::All => ([Support::Yes; 6], String::new()),
            ConditionPolicy::None => ([Support::No; 6], "STORAGE_S3_CONDITIONS is none".to_owned()),
            ConditionPolicy::Probe => ([Support::Unprobed; 6], String::new()),
            ConditionPolicy::Service => {
                let why_not = service.map(|service| format!("the service is {service}, of which this is known"));
                (profile.conditions, why_not.unwrap_or_default())
            }
        };
        Self {
            profile,
            given,
            why_not,
            checksum_policy: options.checksum,
            found: Arc::new(Found {
                // Only a service of which nothing is known may say so and not do it.
                names_encoded: service.map_or_else(OnceLock::new, |_| OnceLock::from(true)),
                ..Found::default()
            }),
            denied: Default::default(),
        }
    }

    /// The same knowledge for another prefix of the same bucket.
    pub(crate) fn share(&self) -> Self {
        Self {
            profile: self.profile.clone(),
            given: self.given,
            why_not: self.why_not.clone(),
            checksum_policy: self.checksum_policy,
            found: Arc::clone(&self.found),
            denied: Default::default(),
        }
    }

    pub(crate) fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Whether the service keeps the condition, as far as it is known.
    pub(crate) fn support(&self, condition: Condition) -> Support {
        let place = condition as usize;
        match (self.given[place], self.found.conditions[place].get()) {
            (Support::Unprobed, Some(Verdict::Kept)) => Support::Yes,
            (Support::Unprobed, Some(Verdict::Ignored(_) | Verdict::Refused(_))) => Support::No,
            (Support::Unprobed, None) if self.denied[place].get().is_some() => Support::No,
            (given, _) => given,
        }
    }

    /// Whether a streaming write keeps a condition: it may end as one put or as an upload in parts, so that it takes both.
    pub(super) fn writer(&self, put: Condition, complete: Condition) -> Support {
        match (self.support(put), self.support(complete)) {
            (Support::Yes, Support::Yes) => Support::Yes,
            (Support::No, _) | (_, Support::No) => Support::No,
            _ => Support::Unprobed,
        }
    }

    /// What asking showed; `None` where nobody has asked.
    pub(crate) fn seen(&self, condition: Condition) -> Option<Seen<'_>> {
        let place = condition as usize;
        match (self.found.conditions[place].get(), self.denied[place].get()) {
            (Some(Verdict::Kept), _) => Some(Seen::Kept),
            (Some(Verdict::Ignored(seen)), _) => Some(Seen::Ignored(seen)),
            (Some(Verdict::Refused(seen)), _) => Some(Seen::Refused(seen)),
            (None, Some(answer)) => Some(Seen::Denied(answer)),
            (None, None) => None,
        }
    }

    /// Lets a probe find out, unless one has; callers at the same time wait for one, and share its failure.
    pub(super) async fn find<F>(&self, condition: Condition, probe: impl FnOnce() -> F) -> Result<()>
    where
        F: Future<Output = Result<Verdict, Stopped>>,
    {
        let place = condition as usize;
        let before = self.found.failed(place).0;
        let first = async || match self.found.failed(place) {
            (now, Some(failed)) if now != before => Err(Stopped::Failed(failed.error())),
            _ => probe().await.inspect_err(|stopped| self.found.note(place, stopped)),
        };
        match self.found.conditions[place].get_or_try_init(first).await {
            Ok(_) => Ok(()),
            Err(Stopped::Failed(error)) => Err(super::passing(error, condition.as_str())),
            Err(Stopped::Denied(answer)) => {
                self.denied[place].get_or_init(|| answer);
                Ok(())
            }
        }
    }

    /// The error of a conditional write that the service does not keep: what was seen, and the way out.
    pub(super) fn unsupported(&self, condition: Condition) -> Error {
        let place = condition as usize;
        let why = match (self.found.conditions[place].get(), self.denied[place].get()) {
            _ if self.given[place] == Support::No => self.why_not.clone(),
            (Some(Verdict::Ignored(seen) | Verdict::Refused(seen)), _) => format!("it was asked, and {seen}"),
            (_, Some(answer)) => format!("it could not be asked: {answer}"),
            _ => "it is not known whether it does".to_owned(),
        };
        Error::new(ErrorKind::Unsupported, format!("the service does not keep {}: {why}", condition.as_str())).with_help(
            "name the service in STORAGE_S3_SERVICE; set STORAGE_S3_CONDITIONS=all only where it is sure that it keeps them",
        )
    }

    /// The digest that is sent with content, if any.
    pub(crate) fn checksum(&self) -> Option<Checksum> {
        match self.checksum_policy {
            ChecksumPolicy::None => None,
            ChecksumPolicy::Crc32c => Some(Checksum::Crc32c),
            ChecksumPolicy::Crc64Nvme => Some(Checksum::Crc64Nvme),
            ChecksumPolicy::Service => {
                self.profile.checksum.unwrap_or_else(|| self.found.checksum.get().copied().flatten())
            }
        }
    }

    pub(super) fn checksums(&self) -> Support {
        let known = self.checksum_policy != ChecksumPolicy::Service
            || self.profile.checksum.is_some()
            || self.found.checksum.get().is_some();
        match self.checksum() {
            Some(_) => Support::Yes,
            None if known => Support::No,
            None => Support::Unprobed,
        }
    }

    pub(super) fn set_checksum(&self, checksum: Option<Checksum>) {
        self.found.checksum.get_or_init(|| checksum);
    }

    /// Whether content is kept under a name that ends in `/`, if that was tried.
    pub(super) fn slash_is_ordinary(&self) -> Option<bool> {
        self.found.slash_is_ordinary.get().copied()
    }

    pub(super) fn set_slash_is_ordinary(&self, ordinary: bool) {
        self.found.slash_is_ordinary.get_or_init(|| ordinary);
    }

    /// Whether the names of listings are encoded where the answer says so, if that is known.
    pub(crate) fn names_encoded(&self) -> Option<bool> {
        self.found.names_encoded.get().copied()
    }

    pub(crate) fn set_names_encoded(&self, encoded: bool) {
        self.found.names_encoded.get_or_init(|| encoded);
    }

    /// Whether a copy of one version of its source can rest on the service alone.
    pub(crate) fn source_condition(&self) -> bool {
        self.profile.source_condition
    }

    /// Whether the bucket keeps versions, as far as it is known.
    pub(crate) fn versions(&self) -> Support {
        match (self.profile.versions, self.found.versions.get()) {
            (Support::Unprobed, Some(true)) => Support::Yes,
            (Support::Unprobed, Some(false)) => Support::No,
            (known, _) => known,
        }
    }

    pub(crate) fn set_versions(&self, versions: bool) {
        self.found.versions.get_or_init(|| versions);
    }
}
