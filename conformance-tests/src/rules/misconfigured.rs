//! Rule E04: mistakes in the settings of a service.

use std::time::{Duration, Instant};

use storage_core::{Error, ErrorKind, PutOptions, Result, Storage};

use crate::Harness;
use crate::context::{NO_SERVICE, nothing_to_ask};
use crate::rule::rule;
use crate::service::{Mistake, Service};
use crate::support::write_streaming;

/// A mistake, the kinds that are due for it, and words of which its error must hold one.
struct Case {
    mistake: Mistake,
    kinds: &'static [ErrorKind],
    words: &'static [&'static str],
    /// A driver may put the mistake right by itself.
    curable: bool,
}

const CASES: [Case; 10] = [
    Case { mistake: Mistake::WrongKey, kinds: &[ErrorKind::Unauthenticated], words: &["access key"], curable: false },
    Case { mistake: Mistake::WrongSecret, kinds: &[ErrorKind::Unauthenticated], words: &["secret"], curable: false },
    Case {
        mistake: Mistake::NoPermission,
        kinds: &[ErrorKind::PermissionDenied],
        words: &["permission", "allow", "policy", "polic"],
        curable: false,
    },
    Case {
        mistake: Mistake::MissingRoot,
        kinds: &[ErrorKind::BackendNotFound],
        words: &["bucket", "container", "root"],
        curable: false,
    },
    Case { mistake: Mistake::WrongRegion, kinds: &[ErrorKind::Configuration], words: &["region"], curable: true },
    Case { mistake: Mistake::SkewedClock, kinds: &[ErrorKind::Unauthenticated], words: &["clock"], curable: true },
    Case {
        mistake: Mistake::ExpiredToken,
        kinds: &[ErrorKind::Unauthenticated],
        words: &["token", "session"],
        curable: false,
    },
    Case { mistake: Mistake::NobodyListens, kinds: &[ErrorKind::Unavailable], words: &["endpoint"], curable: false },
    Case { mistake: Mistake::NobodyAnswers, kinds: &[ErrorKind::Timeout], words: &["endpoint"], curable: false },
    Case {
        mistake: Mistake::PlainHttp,
        kinds: &[ErrorKind::Configuration, ErrorKind::Unavailable],
        words: &["TLS", "https", "use_ssl"],
        curable: false,
    },
];

rule! {
    /// A wrong key, a wrong secret, a missing permission, container or region, a skewed clock, an expired session, an
    /// endpoint at which nobody listens or answers, and TLS where there is none, each have a kind and a message that
    /// says which setting to look at, on every operation, within its deadline. None of them changes anything.
    E04, e04_mistakes_in_settings, "Mistakes in settings",
    why: "Most of the time that storage costs an operator goes into a setting that the message does not name."
}
async fn e04_mistakes_in_settings(harness: &dyn Harness) {
    let Some(service) = harness.service().await else { return nothing_to_ask(NO_SERVICE) };
    let root = service.hasty().await;
    root.storage.put("k", "text").await.unwrap();
    let tried = CASES.iter().map(|case| case.wrong(&*service, &root.address));
    let wrong: Vec<String> = futures::future::join_all(tried).await.concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(root.storage.text("k").await.unwrap(), "text");
    assert_eq!(crate::support::keys(&root.storage).await, ["k"]);
}

impl Case {
    async fn wrong(&self, service: &dyn Service, address: &str) -> Vec<String> {
        let Some(storage) = service.broken(address, self.mistake).await else { return Vec::new() };
        // A host's own wrappers may try three times what the driver has given up.
        let longest = service.patience().operation * 3 + Duration::from_secs(5);
        let start = Instant::now();
        let results = every_call(&storage).await;
        let took = start.elapsed();
        let mut wrong = Vec::new();
        for (what, result) in results {
            match result {
                // A probe without permissions says that nothing is kept.
                Ok(()) if self.curable || what == "probe" => {}
                Ok(()) => wrong.push(format!("{what} works all the same")),
                Err(error) => wrong.extend(self.judge(what, error)),
            }
        }
        if self.curable {
            let _ = storage.delete("k2").await;
        }
        if took > longest {
            wrong.push(format!("it took {took:?}, {longest:?} are allowed"));
        }
        wrong.into_iter().map(|wrong| format!("{:?}: {wrong}", self.mistake)).collect()
    }

    /// What is wrong with an error.
    fn judge(&self, what: &str, error: Error) -> Option<String> {
        let text = format!("{} {}", error.message(), error.help().unwrap_or_default()).to_lowercase();
        // What was sent to somebody who says nothing may have been done (rule W03).
        let unknown = self.mistake == Mistake::NobodyAnswers && error.kind() == ErrorKind::OutcomeUnknown;
        let kind = self.kinds.contains(&error.kind()) || unknown;
        let named = self.words.iter().any(|word| text.contains(&word.to_lowercase()));
        let whole = error.help().is_some() && !error.to_string().contains('\n');
        let right = kind && (named || unknown) && whole;
        (!right).then(|| format!("{what}: one of {:?} naming one of {:?} is due: {error}", self.kinds, self.words))
    }
}

/// What each way of asking answers; the text read is checked, should one succeed.
pub(super) async fn every_call(storage: &Storage) -> Vec<(&'static str, Result<()>)> {
    let (get, head, list, put, write, copy, delete, many, probe) = tokio::join!(
        storage.text("k"),
        storage.head("k"),
        storage.list_all(""),
        storage.put("k", "text"),
        write_streaming(storage, "k", "text", PutOptions::new()),
        storage.copy("k", "k2"),
        storage.delete("k2"),
        storage.delete_many(["l"]),
        storage.probe(),
    );
    let many = many.and_then(|results| results.into_iter().collect::<Result<()>>());
    vec![
        ("get", get.map(drop)),
        ("head", head.map(drop)),
        ("list", list.map(drop)),
        ("put", put.map(drop)),
        ("a writer", write.map(drop)),
        ("copy", copy.map(drop)),
        ("delete", delete),
        ("delete_many", many),
        ("probe", probe.map(drop)),
    ]
}
