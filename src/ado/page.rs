//! Lists that come in pages, as one stream.
//!
//! One loop for all mechanisms. A list ends where the token is absent, or where a `$skip` page is empty; a short page
//! ends nothing, since `$top` may have been clamped. Pages may shift while they are read, so repeated rows are fine,
//! but a page without one new row that names a next one, or a repeated token, is an error: the list would never end.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use async_stream::try_stream;
use futures::Stream;
use futures::TryStreamExt as _;
use serde::de::DeserializeOwned;

use super::Client;
use super::answer::Answer;
use super::call::Call;
use super::error::Error;
use super::model::List;

/// How a list is paged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// All in one answer; should a continuation token come all the same, it is followed.
    Whole,
    /// `$top` and `$skip`, up to an empty page.
    Skip {
        /// Rows per page, at most.
        top: u32,
    },
    /// `$top` and the continuation token of the header.
    Token {
        /// Rows per page, at most.
        top: u32,
    },
    /// `$top` with the continuation token if there is one, else `$skip`.
    Either {
        /// Rows per page, at most.
        top: u32,
    },
}

/// A row of a list that knows what tells it from others.
pub trait Listed: DeserializeOwned + Send + 'static {
    /// Returns something unique among the rows of one list; none counts as new.
    fn key(&self) -> Option<u64>;
}

/// Returns a number that stands for an identifying value.
pub fn key_of(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Client {
    /// Returns the pages of a list, in order; empty ones are left out, but for the first.
    pub fn pages<T: Listed>(
        &self,
        call: Call,
        paging: Paging,
    ) -> impl Stream<Item = Result<Answer<Vec<T>>, Error>> + Send + 'static + use<T> {
        let client = self.clone();
        try_stream! {
            let mut call = call;
            if let Paging::Skip { top } | Paging::Token { top } | Paging::Either { top } = paging {
                call.set("$top", top);
            }
            let mut progress = Progress::default();
            loop {
                let page = client.page::<List<T>>(call.clone()).await?;
                let page = rows_of(page)?;
                client.meter().page(page.value.len());
                let next = progress.after(paging, &page)?;
                let is_empty = page.value.is_empty();
                if !is_empty || progress.pages == 1 {
                    yield page;
                }
                match next {
                    Next::End => break,
                    Next::Token(token) => {
                        call.unset("$skip");
                        call.set("continuationToken", token);
                    }
                    Next::Skip(rows) => call.set("$skip", rows),
                }
            }
        }
    }

    /// Returns all rows of a list with the first page's time, so that nothing is taken for newer than it is.
    ///
    /// # Errors
    /// Fails as [`Client::get`] does, and where paging does not get on.
    pub async fn get_list<T: Listed>(
        &self,
        call: Call,
        paging: Paging,
    ) -> Result<Answer<Vec<T>>, Error> {
        let pages: Vec<Answer<Vec<T>>> = self.pages(call, paging).try_collect().await?;
        let mut pages = pages.into_iter();
        // The stream yields its first page always, and an error would have returned above.
        let mut all = pages.next().expect("a list has a first page");
        for page in pages {
            all.value.extend(page.value);
        }
        Ok(all)
    }
}

fn rows_of<T>(page: Answer<List<T>>) -> Result<Answer<Vec<T>>, Error> {
    if page.value.value.is_none() {
        return Err(Error::Malformed {
            address: page.url,
            object: "the answer".to_owned(),
            field: "value".to_owned(),
            problem: "missing".to_owned(),
        });
    }
    Ok(page.map(|list| list.value.unwrap_or_default()))
}

#[derive(Debug, Default)]
struct Progress {
    pages: usize,
    rows: usize,
    seen: HashSet<u64>,
    tokens: HashSet<u64>,
}

enum Next {
    End,
    Token(String),
    Skip(usize),
}

impl Progress {
    fn after<T: Listed>(&mut self, paging: Paging, page: &Answer<Vec<T>>) -> Result<Next, Error> {
        let endless = |problem: &str| Error::Endless {
            address: page.url.clone(),
            problem: problem.to_owned(),
        };
        self.pages += 1;
        self.rows += page.value.len();
        let mut has_new = false;
        for row in &page.value {
            has_new |= row.key().is_none_or(|key| self.seen.insert(key));
        }
        let token = page.continuation.as_ref().filter(|_| !matches!(paging, Paging::Skip { .. }));
        // A token may be a time that several rows share: the last page then repeats some, and that is its end.
        let is_last = token.is_none() && matches!(paging, Paging::Whole | Paging::Token { .. });
        if !page.value.is_empty() && !has_new && !is_last {
            return Err(endless("a page holds nothing that was not on the pages before it"));
        }
        if let Some(token) = token {
            if !self.tokens.insert(key_of(token)) {
                return Err(endless("the continuation token was given before"));
            }
            return Ok(Next::Token(token.clone()));
        }
        let pages_by_number = match paging {
            Paging::Whole | Paging::Token { .. } => false,
            Paging::Skip { .. } => true,
            Paging::Either { .. } => self.tokens.is_empty(),
        };
        Ok(if pages_by_number && !page.value.is_empty() {
            Next::Skip(self.rows)
        } else {
            Next::End
        })
    }
}
