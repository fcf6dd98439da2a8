//! Lists that come in pages, as one stream.
//!
//! One loop for all mechanisms, and nothing is taken on trust: lists move while they are read.
//!
//! - By `$skip`, every further page begins with the last row that is known. Where that row is missing, rows before it
//!   have gone or the list has become shorter, and the reader steps back until it meets rows that it knows. The list
//!   ends where that row comes alone; a short page ends nothing, since `$top` may have been clamped.
//! - By token, a list ends where the token is absent. A page that was given before, or a token that was, is asked for
//!   again, and is an error if that does not help: the list would never end.
//!
//! Rows that were given before are left out.

use std::collections::{HashMap, HashSet};
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
            let mut walk = Walk::new(paging);
            let mut is_first = true;
            loop {
                let page = client.page::<List<T>>(call.clone()).await?;
                let mut page = rows_of(page)?;
                let next = walk.take(&mut page)?;
                client.meter().page(page.value.len());
                if !page.value.is_empty() || is_first {
                    is_first = false;
                    yield page;
                }
                match next {
                    Next::End => break,
                    Next::Token(token) => {
                        call.unset("$skip");
                        call.set("continuationToken", token);
                    }
                    Next::Skip(rows) => call.set("$skip", rows),
                    Next::Again(times) => client.wait_before_retry(times).await,
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
        without_repeats(&mut all.value);
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

/// Keeps of rows with the same key the one that was read last.
fn without_repeats<T: Listed>(rows: &mut Vec<T>) {
    let last: HashMap<u64, usize> =
        rows.iter().enumerate().filter_map(|(at, row)| Some((row.key()?, at))).collect();
    let mut at = 0;
    rows.retain(|row| {
        at += 1;
        row.key().is_none_or(|key| last.get(&key) == Some(&(at - 1)))
    });
}

/// Requests in a row that may bring nothing new.
const MOST_STALLS: u32 = 16;
/// How often one page is asked for again.
const MOST_REPEATS: u32 = 5;
/// How much further each step back reaches than the one before.
const STRIDE: usize = 4;

enum Next {
    End,
    Token(String),
    Skip(usize),
    /// The same page again, for the n-th time.
    Again(u32),
}

/// Where in a list the reader is, and what it has seen of it.
#[derive(Debug)]
struct Walk {
    paging: Paging,
    /// `$skip` of the page that was asked for.
    skip: usize,
    /// How far the reader has stepped back.
    back: usize,
    /// Requests in a row without a new row.
    stalls: u32,
    /// Rows of the largest page.
    largest: usize,
    /// The row that was new last, and the one with which the latest page ended.
    newest: Option<u64>,
    last: Option<u64>,
    /// Keys of the rows of the list; of one that is paged by token, of its first and its latest page.
    seen: HashSet<u64>,
    latest: HashSet<u64>,
    tokens: HashSet<u64>,
}

impl Walk {
    fn new(paging: Paging) -> Self {
        let (newest, last, seen, latest, tokens) = Default::default();
        Self { paging, skip: 0, back: 0, stalls: 0, largest: 0, newest, last, seen, latest, tokens }
    }

    /// Takes a page, leaves what is new of it, and says how to go on.
    fn take<T: Listed>(&mut self, page: &mut Answer<Vec<T>>) -> Result<Next, Error> {
        let by_token = match self.paging {
            Paging::Skip { .. } => false,
            Paging::Whole | Paging::Token { .. } => true,
            Paging::Either { .. } => page.continuation.is_some() || !self.tokens.is_empty(),
        };
        let problem = if by_token {
            let token = page.continuation.clone();
            match self.by_token(&mut page.value, token) {
                Ok(next) => return Ok(next),
                Err(problem) => problem,
            }
        } else {
            match self.by_skip(&mut page.value) {
                Ok(next) => return Ok(next),
                Err(problem) => problem,
            }
        };
        Err(Error::Endless { address: page.url.clone(), problem: problem.to_owned() })
    }

    fn by_token<T: Listed>(
        &mut self,
        rows: &mut Vec<T>,
        token: Option<String>,
    ) -> Result<Next, &'static str> {
        let keys: Option<HashSet<u64>> = rows.iter().map(Listed::key).collect();
        let keys = keys.unwrap_or_default();
        let is_known = |known: &HashSet<u64>| keys.iter().all(|key| known.contains(key));
        let is_repeated = !keys.is_empty() && (is_known(&self.seen) || is_known(&self.latest));
        let is_endless = token.as_ref().is_some_and(|token| self.tokens.contains(&key_of(token)));
        if is_repeated && token.is_none() {
            // A token may be a time that several rows share: the last page repeats some of them, and is the end.
            rows.clear();
            return Ok(Next::End);
        }
        if is_repeated || is_endless {
            rows.clear();
            self.stalls += 1;
            return match self.stalls {
                stalls if stalls < MOST_REPEATS => Ok(Next::Again(stalls)),
                _ if is_endless => Err("the continuation token was given before"),
                _ => Err("a page holds nothing that was not on the pages before it"),
            };
        }
        self.stalls = 0;
        if self.seen.is_empty() {
            self.seen.clone_from(&keys);
        }
        if !keys.is_empty() {
            self.latest = keys;
        }
        Ok(match token {
            None => Next::End,
            Some(token) => {
                self.tokens.insert(key_of(&token));
                Next::Token(token)
            }
        })
    }

    fn by_skip<T: Listed>(&mut self, rows: &mut Vec<T>) -> Result<Next, &'static str> {
        let count = rows.len();
        let keys: Option<Vec<u64>> = rows.iter().map(Listed::key).collect();
        let Some(keys) = keys else {
            // Rows that cannot be told apart: all that is left is to count them.
            return Ok(self.go(self.skip + count));
        };
        self.largest = self.largest.max(count);
        let known = keys.iter().rposition(|key| self.seen.contains(key));
        let is_start = self.seen.is_empty();
        if count == 0 && !is_start && self.skip == self.seen.len() && self.last == self.newest {
            // Some row stood twice on the page before, so that its end was passed; nothing stands behind.
            return Ok(Next::End);
        }
        let is_lost = known.is_none() && !is_start && self.skip > 0 && self.largest > 1;
        if is_lost {
            rows.clear();
            self.stall()?;
            self.back = (self.back * STRIDE).max(1);
            return Ok(self.go(self.skip.saturating_sub(self.back)));
        }
        rows.retain(|row| row.key().is_none_or(|key| !self.seen.contains(&key)));
        self.newest = rows.last().and_then(Listed::key).or(self.newest);
        self.last = keys.last().copied();
        self.seen.extend(keys);
        if !rows.is_empty() {
            (self.stalls, self.back) = (0, 0);
        }
        match known {
            _ if count == 0 => Ok(Next::End),
            Some(0) if count == 1 && self.largest > 1 => Ok(Next::End),
            // Pages of a single row have no room for a row that is known.
            _ if self.largest == 1 => {
                if rows.is_empty() {
                    self.stall()?;
                }
                Ok(self.go(self.skip + 1))
            }
            Some(last) if last + 1 == count => {
                // Beyond as many rows as there are, the list does not get on.
                if self.skip + last >= self.seen.len() {
                    self.stall()?;
                }
                Ok(self.go(self.skip + last))
            }
            _ => Ok(self.go(self.skip + count - 1)),
        }
    }

    fn go(&mut self, skip: usize) -> Next {
        self.skip = skip;
        Next::Skip(skip)
    }

    fn stall(&mut self) -> Result<(), &'static str> {
        self.stalls += 1;
        if self.stalls >= MOST_STALLS {
            return Err("a page holds nothing that was not on the pages before it");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Clone, Deserialize)]
    struct Number(u64);

    impl Listed for Number {
        fn key(&self) -> Option<u64> {
            Some(self.0)
        }
    }

    /// Reads a list by `$skip` in pages of five, the n-th from what `list` returns; gives rows and requests.
    fn read(list: impl Fn(usize) -> Vec<u64>) -> (Vec<u64>, usize) {
        let (mut walk, mut rows) = (Walk::new(Paging::Skip { top: 5 }), Vec::new());
        for n in 0..60 {
            let mut page: Vec<Number> =
                list(n).into_iter().skip(walk.skip).take(5).map(Number).collect();
            let next = walk.by_skip(&mut page).unwrap();
            rows.extend(page.into_iter().map(|row| row.0));
            if let Next::End = next {
                return (rows, n + 1);
            }
        }
        panic!("{rows:?}")
    }

    #[test]
    fn an_undisturbed_list_costs_one_closing_page() {
        for length in [0, 1, 2, 5, 6, 23] {
            let whole: Vec<u64> = (1..=length).collect();
            let (rows, requests) = read(|_| whole.clone());
            assert_eq!(rows, whole);
            let most = 2 + usize::try_from(length).unwrap() / 4;
            assert!(requests <= most, "{length} rows in {requests} requests");
        }
    }

    #[test]
    fn rows_that_come_and_go_while_a_list_is_read_hide_no_other() {
        let stays: Vec<u64> = (100..130).collect();
        for at in 1..8 {
            for gone in [1, 3, 12, 40] {
                // Rows before the others vanish from the page `at` on; or come.
                let before: Vec<u64> = (1..=gone).collect();
                let whole = [before.as_slice(), &stays].concat();
                let (left, _) = read(|n| if n < at { whole.clone() } else { stays.clone() });
                let (come, _) = read(|n| if n < at { stays.clone() } else { whole.clone() });
                for rows in [left, come] {
                    let kept: Vec<u64> = rows.into_iter().filter(|row| *row >= 100).collect();
                    assert_eq!(kept, stays, "{gone} rows at page {at}");
                }
            }
            // The end of the list is cut off for one page only, or one page is another one.
            let (rows, _) = read(|n| if n == at { Vec::new() } else { stays.clone() });
            assert_eq!(rows, stays);
        }
    }

    #[test]
    fn a_server_that_names_the_last_row_of_a_page_again_on_the_next_ends() {
        for length in [1, 2, 5, 6, 40, 1500] {
            let (mut walk, mut rows) = (Walk::new(Paging::Skip { top: 5 }), Vec::new());
            let mut requests = 0;
            loop {
                requests += 1;
                let page = (walk.skip + 1..=length).take(5);
                let again = page.clone().next().filter(|_| walk.skip > 0).map(|_| walk.skip);
                let mut page: Vec<Number> =
                    again.into_iter().chain(page).map(|row| Number(row as u64)).collect();
                let next = walk.by_skip(&mut page).unwrap();
                rows.extend(page.into_iter().map(|row| row.0));
                if let Next::End = next {
                    break;
                }
            }
            assert_eq!(rows, (1..=length as u64).collect::<Vec<_>>());
            assert!(requests <= 3 + length / 4, "{length} rows in {requests} requests");
        }
    }

    #[test]
    fn a_list_that_never_gets_on_is_an_error() {
        let mut walk = Walk::new(Paging::Skip { top: 5 });
        let page = || vec![Number(1), Number(2)];
        let ended = (0..100).find_map(|_| walk.by_skip(&mut page()).err());
        assert_eq!(ended, Some("a page holds nothing that was not on the pages before it"));
    }

    #[test]
    fn of_rows_that_came_twice_the_later_stays() {
        let mut rows = vec![Number(1), Number(2), Number(1)];
        without_repeats(&mut rows);
        assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), [2, 1]);
    }
}
