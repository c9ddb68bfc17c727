//! What tests need to make things go wrong: a store that fails or hangs on demand, and hooks between the steps of a
//! logout or a refresh.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::audit::AuditEvent;
use crate::keyring::Tending;
use crate::store::{
    CreatedSessions, Exchange, Exchanged, Intent, IntentsOf, LogRead, NewSession, Node, Nodes, Postponed, Purged, Seat,
    SessionKey, Settled, SignOff, SignedOff, Store, StoredKeyRing, Terms, Touch,
};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, KeyRing, KeySet, NodeId, Position, Session, SessionId, Subject, TokenHash, Update};

pub use crate::time::ManualClock;

/// How a [`FailingStore`] fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The answer is lost: the call happens, and reports an error all the same.
    AnswerLost,
    /// The call never returns, and does nothing.
    Hang,
    /// The call happens, and its answer comes when the switch is [healed](Switch::heal) or told to fail at other calls.
    Late,
    /// The call does nothing and reports an error.
    Refuse,
}

/// A store that fails at chosen calls.
#[derive(Debug)]
pub struct FailingStore<S> {
    store: S,
    switch: Switch,
}

/// Controls a [`FailingStore`], also from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Switch(Arc<State>);

#[derive(Debug, Default)]
struct State {
    calls: AtomicU64,
    /// The calls that fail: from the one number on, before the other.
    from: AtomicU64,
    until: AtomicU64,
    fault: AtomicU64,
    changed: Notify,
}

/// What becomes of the answer to a call that happens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Given,
    Late(u64),
    Lost,
}

impl Switch {
    /// The next `count` calls after skipping `skip` fail in this way.
    pub fn fail(&self, skip: u64, count: u64, fault: Fault) {
        let from = self.0.calls.load(Ordering::SeqCst) + skip;
        self.0.fault.store(fault as u64, Ordering::SeqCst);
        self.0.from.store(from, Ordering::SeqCst);
        self.0.until.store(from.saturating_add(count), Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }

    /// No call fails any more.
    pub fn heal(&self) {
        self.0.until.store(0, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }

    /// Whether the next call fails.
    pub fn is_failing(&self) -> bool {
        self.fails(self.calls())
    }

    fn fails(&self, call: u64) -> bool {
        (self.0.from.load(Ordering::SeqCst)..self.0.until.load(Ordering::SeqCst)).contains(&call)
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::SeqCst)
    }

    async fn before(&self) -> Result<Answer, Error> {
        let call = self.0.calls.fetch_add(1, Ordering::SeqCst);
        if !self.fails(call) {
            return Ok(Answer::Given);
        }
        match self.0.fault.load(Ordering::SeqCst) {
            fault if fault == Fault::AnswerLost as u64 => Ok(Answer::Lost),
            fault if fault == Fault::Hang as u64 => std::future::pending().await,
            fault if fault == Fault::Late as u64 => Ok(Answer::Late(call)),
            _ => Err(fault_error()),
        }
    }

    async fn after(&self, answer: Answer) -> Result<(), Error> {
        match answer {
            Answer::Given => Ok(()),
            Answer::Late(call) => loop {
                let changed = self.0.changed.notified();
                if !self.fails(call) {
                    return Ok(());
                }
                changed.await;
            },
            Answer::Lost => Err(fault_error()),
        }
    }
}

fn fault_error() -> Error {
    Error::new(ErrorKind::Unavailable, "the store was made to fail")
}

impl<S: Store> FailingStore<S> {
    /// A store that works until its switch says otherwise.
    pub fn new(store: S) -> Self {
        Self { store, switch: Switch::default() }
    }

    /// The switch.
    pub fn switch(&self) -> Switch {
        self.switch.clone()
    }
}

macro_rules! pass {
    ($self:ident, $call:expr) => {{
        let fate = $self.switch.before().await?;
        let answer = $call.await?;
        $self.switch.after(fate).await?;
        Ok(answer)
    }};
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Store> Store for FailingStore<S> {
    fn seat(&self) -> &Seat {
        self.store.seat()
    }

    fn nodes(&self) -> Option<&dyn Nodes> {
        self.store.nodes().map(|_| self as &dyn Nodes)
    }

    fn commits_at_once(&self) -> usize {
        self.store.commits_at_once()
    }

    async fn agree(&self, terms: Terms) -> Result<Terms, Error> {
        pass!(self, self.store.agree(terms))
    }

    async fn create_sessions(&self, batch: &[NewSession], now: Timestamp) -> Result<CreatedSessions, Error> {
        pass!(self, self.store.create_sessions(batch, now))
    }

    async fn load_session(&self, key: SessionKey<'_>, now: Timestamp) -> Result<Option<Session>, Error> {
        pass!(self, self.store.load_session(key, now))
    }

    async fn find_by_token(&self, token: &TokenHash) -> Result<Option<Session>, Error> {
        pass!(self, self.store.find_by_token(token))
    }

    async fn find_by_family(&self, family: &TokenHash) -> Result<Option<Session>, Error> {
        pass!(self, self.store.find_by_family(family))
    }

    async fn list_sessions(
        &self,
        subject: &Subject,
        after: Option<&SessionId>,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<Session>, Error> {
        pass!(self, self.store.list_sessions(subject, after, limit, now))
    }

    async fn update_session(&self, id: &SessionId, version: u64, data: &[u8], now: Timestamp) -> Result<Update, Error> {
        pass!(self, self.store.update_session(id, version, data, now))
    }

    async fn touch_sessions(&self, batch: &[Touch], now: Timestamp) -> Result<Vec<Option<Session>>, Error> {
        pass!(self, self.store.touch_sessions(batch, now))
    }

    async fn sign_off(&self, batch: &[SignOff], now: Timestamp) -> Result<SignedOff, Error> {
        pass!(self, self.store.sign_off(batch, now))
    }

    async fn exchange(&self, batch: &[Exchange], now: Timestamp) -> Result<Exchanged, Error> {
        pass!(self, self.store.exchange(batch, now))
    }

    async fn intents(&self, of: IntentsOf<'_>, limit: u32, now: Timestamp) -> Result<Vec<Intent>, Error> {
        pass!(self, self.store.intents(of, limit, now))
    }

    async fn postpone(&self, postponed: &[Postponed]) -> Result<Vec<bool>, Error> {
        pass!(self, self.store.postpone(postponed))
    }

    async fn settle(&self, settled: &[Settled]) -> Result<(), Error> {
        pass!(self, self.store.settle(settled))
    }

    async fn log_after(&self, after: Position, limit: u32) -> Result<LogRead, Error> {
        pass!(self, self.store.log_after(after, limit))
    }

    async fn record(&self, event: &AuditEvent) -> Result<(), Error> {
        pass!(self, self.store.record(event))
    }

    async fn audit_trail(&self, subject: &Subject, limit: u32) -> Result<Vec<AuditEvent>, Error> {
        pass!(self, self.store.audit_trail(subject, limit))
    }

    async fn purge(&self, horizon: Timestamp, limit: u32) -> Result<Purged, Error> {
        pass!(self, self.store.purge(horizon, limit))
    }

    async fn load_key_ring(&self) -> Result<Option<StoredKeyRing>, Error> {
        pass!(self, self.store.load_key_ring())
    }

    async fn save_key_ring(&self, expected: u64, document: &str) -> Result<bool, Error> {
        pass!(self, self.store.save_key_ring(expected, document))
    }
}

impl<S: Store> FailingStore<S> {
    fn of_nodes(&self) -> Result<&dyn Nodes, Error> {
        self.store.nodes().ok_or_else(|| Error::new(ErrorKind::Misuse, "the store is not shared"))
    }
}

#[async_trait]
impl<S: Store> Nodes for FailingStore<S> {
    fn lease(&self) -> Duration {
        self.store.nodes().map_or(Duration::ZERO, Nodes::lease)
    }

    async fn join(&self, id: &NodeId, name: &str) -> Result<(), Error> {
        pass!(self, self.of_nodes()?.join(id, name))
    }

    async fn renew(&self, id: &NodeId, applied: Position) -> Result<bool, Error> {
        pass!(self, self.of_nodes()?.renew(id, applied))
    }

    async fn behind(&self, position: Position) -> Result<Vec<Node>, Error> {
        pass!(self, self.of_nodes()?.behind(position))
    }

    async fn expel(&self, id: &NodeId, renewals: u64) -> Result<bool, Error> {
        pass!(self, self.of_nodes()?.expel(id, renewals))
    }

    async fn leave(&self, id: &NodeId) -> Result<(), Error> {
        pass!(self, self.of_nodes()?.leave(id))
    }

    async fn announce(&self) -> Result<(), Error> {
        pass!(self, self.of_nodes()?.announce())
    }

    async fn heard(&self) -> Result<(), Error> {
        pass!(self, self.of_nodes()?.heard())
    }
}

/// Brings the key ring in a store up to date as a [`Signoff`](crate::Signoff) does, for tests of stores: with access
/// tokens that live for a quarter of an hour, and without revocations.
///
/// # Errors
///
/// * [`ErrorKind::Data`]: the ring is damaged, was changed by somebody else, or went back.
/// * [`ErrorKind::Misuse`]: its key-encryption key was not given.
/// * [`ErrorKind::Unavailable`]: the store did not answer.
pub async fn tend_key_ring(ring: &KeyRing, store: &dyn Store, now: Timestamp) -> Result<KeySet, Error> {
    let accepted_for = Duration::from_secs(900);
    let tended = ring.tend(Tending { store, now, accepted_for, revoked: &|_| false }).await?;
    Ok(tended.keys)
}

static ON_STEP: OnceLock<fn(&'static str)> = OnceLock::new();

/// Calls `hook` at every named point of every logout and refresh in this process, from now on. Only the first hook counts.
///
/// The points, in order: `logout: queued`, `logout: before the transaction`, those of the store, `logout: after the
/// transaction`, `logout: in force`, `logout: before the answer`. Those of a refresh have `refresh` for `logout`, and end
/// with `refresh: decided`; those of a login and of a touch have `login` and `touch`, and end with `in force`. What is
/// finished in other stores has `elsewhere: begun`, `elsewhere: destroyed`, `elsewhere: settled`, and `elsewhere: claimed`
/// before an attempt that is not the first; `elsewhere: swept` is after each look for what is due.
pub fn on_step(hook: fn(&'static str)) {
    let _ = ON_STEP.set(hook);
}

/// A logout or a refresh has reached this point. Stores call it between their statements.
pub fn reached(step: &'static str) {
    if let Some(hook) = ON_STEP.get() {
        hook(step);
    }
}
