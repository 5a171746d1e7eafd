//! Listings of a walk: asked ahead of the order, read in order.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use storage_core::{Entry, Error, ListOptions, ObjectMeta, Page, Pages, Prefix, Result, Skipped, Storage};

use crate::prune::{Descent, Pruning};

/// How far the next listings are looked for behind what is read now.
const LOOKED_THROUGH: usize = 2000;

/// How many pages may wait to be read, for each listing that may be under way.
const UNREAD: usize = 4;

/// What a walk meets next.
pub(super) enum Met {
    Object(ObjectMeta),
    /// A directory that is not listed.
    Pruned,
    /// A name that is no object that can be read.
    Skipped(Skipped),
    /// A listing failed.
    Failed(Error),
}

/// What is known of the walk's future, in the order of keys.
enum Pending {
    Met(Met),
    /// A listing that nobody has asked for.
    Listing(Box<Listing>),
    /// The page of a listing that was asked for.
    Asked(u64),
}

/// What is to be asked.
enum Listing {
    Open(ListOptions),
    GoOn(Pages),
}

/// The answer: a page, and the listing that goes on after it; `None` where it is complete.
type Answer = Result<Option<(Page, Pages)>>;

/// What a walk will meet, out of listings of which a bounded number is under way, or answered and not read yet.
pub(super) struct Ahead {
    prefix: Prefix,
    pruning: Pruning,
    pending: VecDeque<Pending>,
    /// How many objects are pending.
    objects: u64,
    questions: Questions,
    /// There may be more to ask ahead, or room for it.
    look: bool,
}

impl Ahead {
    /// Nothing is asked yet. Of what lies under the prefix only paths that begin with `within` are listed.
    pub(super) fn new(storage: Storage, prefix: Prefix, within: &str, pruning: Pruning, most: usize) -> Self {
        let (pending, questions) = (VecDeque::new(), Questions::new(storage, most));
        let mut ahead = Self { prefix, pruning, pending, objects: 0, questions, look: true };
        let starts = ahead.pruning.prefixes();
        for start in starts.iter().filter_map(|start| narrower(start, within)) {
            // What is no prefix begins no key.
            if let Ok(prefix) = Prefix::new(format!("{}{start}", ahead.prefix)) {
                let pending = ahead.descend(prefix);
                ahead.pending.push_back(pending);
            }
        }
        ahead
    }

    /// What the walk meets next; `None` at its end. Where only so many objects are wanted, nothing is asked ahead that may
    /// not be needed.
    pub(super) fn poll_met(&mut self, cx: &mut Context<'_>, wanted: Option<u64>) -> Poll<Option<Met>> {
        loop {
            if self.look && wanted.is_none_or(|wanted| wanted > self.objects) {
                self.look = false;
                self.ask_ahead();
            }
            self.look |= self.questions.poll(cx);
            match self.pending.pop_front() {
                None => return Poll::Ready(None),
                Some(Pending::Met(met)) => {
                    self.objects -= u64::from(matches!(met, Met::Object(_)));
                    return Poll::Ready(Some(met));
                }
                Some(Pending::Listing(listing)) => {
                    let number = self.questions.number();
                    self.questions.ask(number, *listing);
                    self.pending.push_front(Pending::Asked(number));
                }
                Some(Pending::Asked(number)) => match self.questions.answer(number) {
                    Some(answer) => self.read(answer),
                    None => {
                        self.pending.push_front(Pending::Asked(number));
                        // What has arrived may have made room.
                        if !self.look || wanted.is_some_and(|wanted| wanted <= self.objects) {
                            return Poll::Pending;
                        }
                    }
                },
            }
        }
    }

    /// Asks for nothing more, and lets go of what is under way.
    pub(super) fn stop(&mut self) {
        self.pending.clear();
        self.questions.clear();
    }

    /// Asks the next listings in the order of the walk, as far as there is room.
    fn ask_ahead(&mut self) {
        for pending in self.pending.iter_mut().take(LOOKED_THROUGH) {
            if self.questions.is_full() {
                break;
            }
            if matches!(pending, Pending::Listing(_)) {
                let number = self.questions.number();
                if let Pending::Listing(listing) = std::mem::replace(pending, Pending::Asked(number)) {
                    self.questions.ask(number, *listing);
                }
            }
        }
    }

    /// Puts what a page holds in front of everything else.
    fn read(&mut self, answer: Answer) {
        self.look = true;
        let (page, pages) = match answer {
            Ok(Some(answer)) => answer,
            Ok(None) => return,
            Err(error) => return self.pending.push_front(Pending::Met(Met::Failed(error))),
        };
        self.pending.push_front(Pending::Listing(Box::new(Listing::GoOn(pages))));
        for entry in page.entries.into_iter().rev() {
            let pending = match entry {
                Entry::Object(meta) => {
                    self.objects += 1;
                    Pending::Met(Met::Object(meta))
                }
                Entry::Prefix(prefix) => self.descend(prefix),
            };
            self.pending.push_front(pending);
        }
        for skipped in page.skipped.into_iter().rev() {
            self.pending.push_front(Pending::Met(Met::Skipped(skipped)));
        }
    }

    /// How the keys under a full prefix are listed.
    fn descend(&self, prefix: Prefix) -> Pending {
        let path = prefix.as_str().strip_prefix(self.prefix.as_str()).unwrap_or(prefix.as_str());
        let mut options = ListOptions::new().past_unreadable();
        match self.pruning.descent(path) {
            Descent::Pruned => return Pending::Met(Met::Pruned),
            Descent::Levels => options.delimited = true,
            Descent::Flat => {}
        }
        Pending::Listing(Box::new(Listing::Open(options.prefix(prefix))))
    }
}

/// Of two beginnings of a path the one that both allow; none where they exclude each other.
fn narrower<'a>(one: &'a str, other: &'a str) -> Option<&'a str> {
    if one.starts_with(other) { Some(one) } else { other.starts_with(one).then_some(other) }
}

impl fmt::Debug for Ahead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ahead")
            .field("prefix", &self.prefix)
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}

/// Listings under way, and pages that nobody has read yet.
struct Questions {
    storage: Storage,
    /// How many may be under way.
    most: usize,
    asked: FuturesUnordered<BoxFuture<'static, (u64, Answer)>>,
    answers: HashMap<u64, Answer>,
    next: u64,
}

impl Questions {
    fn new(storage: Storage, most: usize) -> Self {
        Self { storage, most, asked: FuturesUnordered::new(), answers: HashMap::new(), next: 0 }
    }

    /// The number of a new question.
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn ask(&mut self, number: u64, listing: Listing) {
        let storage = self.storage.clone();
        self.asked.push(Box::pin(async move { (number, answer(storage, listing).await) }));
    }

    fn is_full(&self) -> bool {
        self.asked.len() >= self.most || self.answers.len() >= UNREAD * self.most
    }

    /// Takes what has arrived; says whether anything has.
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let before = self.answers.len();
        while let Poll::Ready(Some((number, answer))) = self.asked.poll_next_unpin(cx) {
            self.answers.insert(number, answer);
        }
        self.answers.len() > before
    }

    fn answer(&mut self, number: u64) -> Option<Answer> {
        self.answers.remove(&number)
    }

    fn clear(&mut self) {
        self.asked.clear();
        self.answers.clear();
    }
}

async fn answer(storage: Storage, listing: Listing) -> Answer {
    let mut pages = match listing {
        Listing::Open(options) => storage.pages(options).await?,
        Listing::GoOn(pages) => pages,
    };
    Ok(pages.next_page().await?.map(|page| (page, pages)))
}
