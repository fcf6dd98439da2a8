//! Short-lived tokens: got when first asked for, renewed before they end, and once more when one is refused early.
//!
//! However many requests wait, one renewal is under way at a time: it happens under a lock, and whoever comes after
//! finds the new token there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, FutureExt as _};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;

use super::TokenSource;
use super::error::SignInError;
use super::token::Lease;
use crate::ado::error::Error;

/// How long before its end a token is renewed.
const MARGIN: Duration = Duration::from_secs(300);
/// How long a token that is still good is used after its renewal failed, before it is tried again.
const AGAIN: Duration = Duration::from_secs(30);
/// For how long a sign-in that was refused is not tried again: all requests that waited get the same answer.
const REFUSED: Duration = Duration::from_secs(5);

/// A way to a new token.
pub(super) trait Grant: std::fmt::Debug + Send + Sync {
    /// Returns the kind, as it is written in the configuration.
    fn kind(&self) -> &'static str;

    /// Gets a token.
    fn fetch(&self) -> BoxFuture<'_, Result<Lease, SignInError>>;

    /// Returns the time; tests have one of their own.
    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// The token of the moment, from a [`Grant`].
#[derive(Debug)]
pub(super) struct Renewing<G> {
    grant: G,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    refused: Option<(Instant, Arc<SignInError>)>,
}

#[derive(Debug)]
struct Held {
    header: SecretString,
    renew_at: Instant,
    ends_at: Instant,
}

impl<G: Grant> Renewing<G> {
    /// Returns the source; nothing is asked for yet.
    pub(super) fn new(grant: G) -> Self {
        Self { grant, state: Mutex::default() }
    }

    /// Gets a token and holds it.
    async fn renew(&self, state: &mut State) -> Result<SecretString, Arc<SignInError>> {
        if let Some((at, error)) = &state.refused
            && self.grant.now() < *at + REFUSED
        {
            return Err(Arc::clone(error));
        }
        let lease = self.grant.fetch().await.map_err(|error| {
            let error = Arc::new(error);
            if !error.is_transient() {
                state.refused = Some((self.grant.now(), Arc::clone(&error)));
            }
            error
        })?;
        let now = self.grant.now();
        let header = SecretString::from(format!("Bearer {}", lease.token.expose_secret().trim()));
        // A service that hands out what it has may give a token near its end: that is asked for anew only later.
        let early = lease.lives.saturating_sub(MARGIN).max(lease.lives / 2);
        state.held = Some(Held {
            header: header.clone(),
            renew_at: now + early,
            ends_at: now + lease.lives,
        });
        state.refused = None;
        Ok(header)
    }

    fn told(&self, source: Arc<SignInError>) -> Error {
        Error::SignIn { kind: self.grant.kind(), source }
    }
}

impl<G: Grant> TokenSource for Renewing<G> {
    fn header(&self) -> BoxFuture<'_, Result<SecretString, Error>> {
        async {
            let mut state = self.state.lock().await;
            let now = self.grant.now();
            if let Some(held) = state.held.as_ref().filter(|held| now < held.renew_at) {
                return Ok(held.header.clone());
            }
            match self.renew(&mut state).await {
                Ok(header) => Ok(header),
                Err(error) => match &mut state.held {
                    Some(held) if error.is_transient() && self.grant.now() < held.ends_at => {
                        tracing::warn!(kind = self.grant.kind(), %error, "the token is not renewed yet");
                        held.renew_at = (self.grant.now() + AGAIN).min(held.ends_at);
                        Ok(held.header.clone())
                    }
                    _ => Err(self.told(error)),
                },
            }
        }
        .boxed()
    }

    fn renewed<'a>(&'a self, refused: &'a SecretString) -> BoxFuture<'a, Result<bool, Error>> {
        async move {
            let mut state = self.state.lock().await;
            let is_other =
                |header: &SecretString| header.expose_secret() != refused.expose_secret();
            if state.held.as_ref().is_some_and(|held| is_other(&held.header)) {
                return Ok(true);
            }
            let header = self.renew(&mut state).await.map_err(|error| self.told(error))?;
            Ok(is_other(&header))
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use super::*;

    /// Hands out `t1`, `t2`, …, each living for an hour; fails while told to.
    #[derive(Debug)]
    struct Numbered {
        begun: Instant,
        passed_s: Arc<AtomicU64>,
        count: Arc<AtomicU64>,
        is_down: Arc<AtomicBool>,
        is_refused: bool,
    }

    impl Numbered {
        fn new() -> Self {
            Self {
                begun: Instant::now(),
                passed_s: Arc::default(),
                count: Arc::default(),
                is_down: Arc::default(),
                is_refused: false,
            }
        }
    }

    impl Grant for Numbered {
        fn now(&self) -> Instant {
            self.begun + Duration::from_secs(self.passed_s.load(Ordering::SeqCst))
        }

        fn kind(&self) -> &'static str {
            "numbered"
        }

        fn fetch(&self) -> BoxFuture<'_, Result<Lease, SignInError>> {
            async {
                let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
                // Others get their turn meanwhile.
                tokio::task::yield_now().await;
                if self.is_down.load(Ordering::SeqCst) {
                    return Err(SignInError::Failing { address: "x".to_owned(), status: 503 });
                }
                if self.is_refused {
                    return Err(SignInError::Token { problem: "is none".to_owned() });
                }
                let token = SecretString::from(format!("t{number}"));
                Ok(Lease { token, lives: Duration::from_secs(3600) })
            }
            .boxed()
        }
    }

    async fn header(source: &dyn TokenSource) -> String {
        source.header().await.unwrap().expose_secret().to_owned()
    }

    #[tokio::test]
    async fn a_token_is_renewed_before_it_ends() {
        let source = Renewing::new(Numbered::new());
        assert_eq!(header(&source).await, "Bearer t1");
        source.grant.passed_s.store(3200, Ordering::SeqCst);
        assert_eq!(header(&source).await, "Bearer t1");
        source.grant.passed_s.store(3301, Ordering::SeqCst);
        assert_eq!(header(&source).await, "Bearer t2");
    }

    #[tokio::test]
    async fn all_who_were_refused_share_one_renewal() {
        let grant = Numbered::new();
        let count = Arc::clone(&grant.count);
        let source = Renewing::new(grant);
        let headers = futures::future::join_all((0..8).map(|_| source.header())).await;
        assert_eq!(count.load(Ordering::SeqCst), 1);
        let old = headers[0].as_ref().unwrap();
        let renewed = futures::future::join_all((0..8).map(|_| source.renewed(old))).await;
        assert!(renewed.iter().all(|renewed| *renewed.as_ref().unwrap()));
        assert_eq!(count.load(Ordering::SeqCst), 2);
        assert_eq!(header(&source).await, "Bearer t2");
        // A straggler that still carries the old token costs nothing.
        assert!(source.renewed(old).await.unwrap());
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_token_that_is_still_good_outlives_a_failing_service() {
        let grant = Numbered::new();
        let is_down = Arc::clone(&grant.is_down);
        let source = Renewing::new(grant);
        assert_eq!(header(&source).await, "Bearer t1");
        is_down.store(true, Ordering::SeqCst);
        source.grant.passed_s.store(3400, Ordering::SeqCst);
        assert_eq!(header(&source).await, "Bearer t1");
        source.grant.passed_s.store(3700, Ordering::SeqCst);
        let error = source.header().await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        is_down.store(false, Ordering::SeqCst);
        assert_eq!(header(&source).await, "Bearer t4");
    }

    #[tokio::test]
    async fn a_refused_sign_in_is_asked_once_for_all_who_wait() {
        let grant = Numbered { is_refused: true, ..Numbered::new() };
        let count = Arc::clone(&grant.count);
        let source = Renewing::new(grant);
        for answer in futures::future::join_all((0..8).map(|_| source.header())).await {
            let error = answer.unwrap_err();
            assert!(error.is_signed_out() && !error.is_transient());
        }
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
}
