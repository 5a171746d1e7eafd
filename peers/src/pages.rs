//! A peer's stream of entries as pages.

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use storage_core::{Entry, Error, ErrorKind, ListOptions, Lister, Page, Result, Token};

const PAGE_SIZE: usize = 1000;

/// Pages cut from a stream, in the order in which it comes.
pub struct Pages {
    pub entries: BoxStream<'static, Result<Entry>>,
    pub query: ListOptions,
    /// Whether the peer can begin a listing after a name, so that a page can say where to go on.
    pub resumes: bool,
    pub state: State,
}

pub enum State {
    Open,
    Failed,
    Ended,
}

#[async_trait]
impl Lister for Pages {
    async fn next_page(&mut self) -> Result<Option<Page>> {
        match self.state {
            State::Ended => return Ok(None),
            State::Failed => return Err(Error::new(ErrorKind::Other, "the peer's listing has failed before")),
            State::Open => {}
        }
        let size = self.query.page_size.unwrap_or(PAGE_SIZE).max(1);
        let mut entries = Vec::new();
        while entries.len() < size {
            match self.entries.next().await {
                Some(Ok(entry)) => entries.push(entry),
                Some(Err(error)) => {
                    self.state = State::Failed;
                    return Err(error);
                }
                None => {
                    self.state = State::Ended;
                    break;
                }
            }
        }
        let more = matches!(self.state, State::Open) && self.resumes;
        let resume = entries.last().filter(|_| more).map(|last| Token::seal(&self.query, last.as_str()));
        Ok(Some(Page { entries, skipped: Vec::new(), resume }))
    }
}

/// The text after which a listing begins, its token and start taken together.
pub fn after(query: &ListOptions) -> Result<Option<String>> {
    match &query.token {
        Some(token) => token.open(query).map(Some),
        None => Ok(query.start_after.clone()),
    }
}
