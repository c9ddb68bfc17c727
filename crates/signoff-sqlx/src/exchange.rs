//! What becomes of refreshes: families and sessions as they were read, what `signoff` decides about them, and what is to be written.

use std::collections::HashMap;

use signoff::store::{Decision, Exchange, ExchangeOutcome, Family, LogPage, Repeated, SealedSuccessor, SignOff};
use signoff::time::Timestamp;
use signoff::{Error, LogoutId, Position, Session, TokenHash};

use crate::error::damaged;
use crate::rows::{Fields, session, timestamp};
use crate::steps;

/// A family and its session, as they are after the requests so far.
pub(crate) struct State {
    /// The key of the family.
    pub(crate) key: TokenHash,
    pub(crate) family: Family,
    pub(crate) session: Session,
    is_live: bool,
    /// The requests so far rotated it, or found a token used before.
    is_changed: bool,
}

/// The families that a batch names.
pub(crate) fn keys(batch: &[Exchange]) -> Vec<TokenHash> {
    batch.iter().map(|request| request.family).collect()
}

/// The page of a transaction that appends nothing.
pub(crate) fn nothing(head: Position) -> LogPage {
    LogPage { after: head, entries: Vec::new(), through: head }
}

/// What a batch comes to.
pub(crate) struct Decided {
    pub(crate) outcomes: Vec<ExchangeOutcome>,
    /// What is to be written, in the order of sessions, so that two batches that meet take their locks alike.
    pub(crate) changed: Vec<State>,
    /// What is to be signed off.
    pub(crate) thefts: Vec<SignOff>,
}

impl Decided {
    pub(crate) fn new(read: Vec<State>, batch: &[Exchange], now: Timestamp) -> Self {
        let mut states: HashMap<_, _> = read.into_iter().map(|state| (state.key, state)).collect();
        let mut thefts = Vec::new();
        let mut outcomes = Vec::with_capacity(batch.len());
        for request in batch {
            let Some(state) = states.get_mut(&request.family) else {
                outcomes.push(ExchangeOutcome::Unknown);
                continue;
            };
            let decision = state.family.exchange(request, state.is_live, now);
            if decision == Decision::Reused {
                thefts.push(request.sign_off(&state.session.id));
            }
            outcomes.push(state.follow(decision, request, now));
        }
        steps::reached("exchange: decided");
        let mut changed: Vec<_> = states.into_values().filter(|state| state.is_changed).collect();
        changed.sort_unstable_by_key(|state| state.session.id);
        Self { outcomes, changed, thefts }
    }
}

impl State {
    fn follow(&mut self, decision: Decision, request: &Exchange, now: Timestamp) -> ExchangeOutcome {
        match decision {
            Decision::Gone => ExchangeOutcome::Gone,
            Decision::Repeated(Repeated::Reused) => ExchangeOutcome::Reused(self.session.clone()),
            Decision::Repeated(Repeated::Rotated) => ExchangeOutcome::Rotated(self.session.clone()),
            Decision::Reused => {
                (self.is_live, self.is_changed) = (false, true);
                // As the sign-off leaves it.
                self.session.data.clear();
                self.session.claims = None;
                ExchangeOutcome::Reused(self.session.clone())
            }
            Decision::Rotated => {
                self.is_changed = true;
                self.session.last_seen_at = now;
                self.session.idle_expires_at = request.idle_expires_at.min(self.session.expires_at);
                self.is_live = !self.session.is_expired(now);
                ExchangeOutcome::Rotated(self.session.clone())
            }
            Decision::Same(sealed) => {
                let (session, successor) = (self.session.clone(), self.family.current);
                ExchangeOutcome::Same { session, successor, sealed }
            }
        }
    }
}

/// A row with the columns of both tables and `is_live`, which is 1 or 0.
pub(crate) fn state(row: &impl Fields) -> Result<State, Error> {
    let session = session(row)?;
    let reuse = row.bytes("reuse")?.map(|bytes| bytes.try_into().map(LogoutId::from_bytes)).transpose();
    let required = |column| hash(row.bytes(column)?.unwrap_or_default());
    let family = Family {
        session: session.id,
        current: required("current")?,
        previous: row.bytes("previous")?.map(hash).transpose()?,
        sealed: row.bytes("sealed")?.map(SealedSuccessor::new),
        grace_until: timestamp(row.integer("grace_until")?)?,
        generation: row.integer("generation")?.unsigned_abs(),
        reuse: reuse.map_err(|_| damaged("a stored logout id has no 16 bytes"))?,
    };
    let (key, is_live) = (required("family")?, row.integer("is_live")? == 1);
    Ok(State { key, family, session, is_live, is_changed: false })
}

pub(crate) fn hash(bytes: Vec<u8>) -> Result<TokenHash, Error> {
    bytes.try_into().map(TokenHash::from_bytes).map_err(|_| damaged("a stored hash has no 32 bytes"))
}
