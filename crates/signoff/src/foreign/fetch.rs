//! Fetching the keys of an issuer: one fetch at a time, not too often, bounded in time. It speaks no HTTP.
//!
//! Error directions: a fetch too few refuses good tokens for a while, or keeps a withdrawn key for as long as the bounds
//! of the issuer say; a fetch too many lets anybody use us to attack the issuer. A fetch that failed changes no key.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::Issuer;
use super::issuer::Inner;
use super::jwks::{Age, Keys};
use crate::{Error, ErrorKind};

/// The fetches of an issuer.
#[derive(Debug, Default)]
pub(super) struct Flights {
    /// How many are over.
    landed: AtomicU64,
    /// Held while one is under way.
    last: Arc<Mutex<Option<Flight>>>,
}

#[derive(Clone, Debug)]
struct Flight {
    /// When it began.
    at: Duration,
    outcome: Result<(), Error>,
}

/// Whether the cooldown holds for a fetch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Urgency {
    /// The application asks for it.
    Asked,
    /// A token made us think of it.
    Token,
}

impl Issuer {
    /// How many fetches are over: to be read before the keys are looked at.
    pub(super) fn landed(&self) -> u64 {
        self.0.flights.landed.load(Ordering::Acquire)
    }

    /// Makes sure that the keys are no older than they may be; fails only when they are too old to count.
    pub(super) async fn freshen(&self, elapsed: Duration) -> Result<(), Error> {
        let landed = self.landed();
        if self.0.limits.is_fresh(self.keys().age, elapsed) {
            return Ok(());
        }
        let fetched = self.fetch(landed, elapsed, Urgency::Token).await;
        if self.0.limits.is_usable(self.keys().age, elapsed) { Ok(()) } else { fetched.and_then(|()| Err(too_old())) }
    }

    /// Because the application asks for it.
    pub(super) async fn fetch_now(&self, landed: u64, elapsed: Duration) -> Result<(), Error> {
        self.fetch(landed, elapsed, Urgency::Asked).await
    }

    /// Because a token names a key that is not there.
    pub(super) async fn fetch_for_token(&self, landed: u64, elapsed: Duration) -> Result<(), Error> {
        self.fetch(landed, elapsed, Urgency::Token).await
    }

    /// Fetches the keys, or waits for the fetch that is under way. Since `landed` was read: if one ended after that, its
    /// outcome is the answer. So it is during the cooldown.
    async fn fetch(&self, landed: u64, elapsed: Duration, urgency: Urgency) -> Result<(), Error> {
        let inner = Arc::clone(&self.0);
        if inner.fetch.is_none() {
            return Ok(());
        }
        let mut last = Arc::clone(&inner.flights.last).lock_owned().await;
        if let Some(flight) = &*last {
            let cooling = urgency == Urgency::Token && elapsed.saturating_sub(flight.at) < inner.limits.cooldown;
            if cooling || self.landed() != landed {
                return flight.outcome.clone();
            }
        }
        // What is told if the application's function panics.
        *last = Some(Flight { at: elapsed, outcome: Err(failed("the fetch of an issuer's keys panicked")) });
        // On a task of its own, so that a caller who goes away does not take the others' fetch along.
        let task = tokio::spawn(async move {
            let landing = Landing(&inner);
            let outcome = inner.fetch_once(elapsed).await;
            match &outcome {
                Ok(keys) => tracing::info!(target: "signoff", issuer = inner.name(), keys, "keys fetched"),
                Err(error) => tracing::warn!(target: "signoff", issuer = inner.name(), %error, "keys not fetched"),
            }
            let outcome = outcome.map(drop);
            *last = Some(Flight { at: elapsed, outcome: outcome.clone() });
            // Counted before the lock is free, so that whoever waits for it sees that it is over.
            drop(landing);
            drop(last);
            outcome
        });
        task.await.unwrap_or_else(|_| Err(failed("the fetch of an issuer's keys panicked")))
    }
}

/// Counts a fetch as over, also when it panics.
struct Landing<'a>(&'a Inner);

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        self.0.flights.landed.fetch_add(1, Ordering::AcqRel);
    }
}

impl Inner {
    async fn fetch_once(&self, elapsed: Duration) -> Result<usize, Error> {
        let Some(fetch) = &self.fetch else { return Ok(0) };
        let document = tokio::time::timeout(self.limits.timeout, fetch()).await;
        let document = document
            .map_err(|_| failed("the keys of an issuer did not come in time"))?
            .map_err(|source| failed("the keys of an issuer could not be fetched").with_boxed_source(source))?;
        // Their age counts from the question, not from the answer.
        let keys = Keys::parse(&document, &self.reading, &self.keys.load(), Age::AskedAt(elapsed));
        let keys = keys.map_err(|error| failed("an issuer's JWK set is broken").with_source(error))?;
        let count = keys.len();
        self.keys.store(Arc::new(keys));
        Ok(count)
    }
}

fn failed(what: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, what)
}

fn too_old() -> Error {
    failed("the keys of an issuer are too old to count")
}
