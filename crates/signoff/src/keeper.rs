//! The keys in use: a set that the application gave, or the ring in the store, looked after by a task. Which keys a ring
//! should hold is decided in [`keyring`](crate::keyring).

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use signoff_revocation::{Replica, Verdict};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::audit::{AuditEvent, AuditKind, Context};
use crate::commit::unreadable_clock;
use crate::keyring::{KeyStatus, Tended, Tending};
use crate::signatures::Signatures;
use crate::store::Store;
use crate::time::{Clock, Timestamp};
use crate::{Actor, Error, ErrorKind, KeyRing, KeySet, Position, Scope, SigningKey};

/// Where the keys come from: `KeySet` and `KeyRing` turn into it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Keys {
    /// A ring in the store, which rotates by itself.
    Ring(KeyRing),
    /// These keys, as long as the process runs.
    Set(KeySet),
}

impl From<KeySet> for Keys {
    fn from(set: KeySet) -> Self {
        Self::Set(set)
    }
}

impl From<KeyRing> for Keys {
    fn from(ring: KeyRing) -> Self {
        Self::Ring(ring)
    }
}

/// What is asked of the ring besides being in order.
#[derive(Clone, Copy)]
pub(crate) enum Change<'a> {
    Import(&'a SigningKey, Option<Timestamp>),
    Remove(&'a str),
    Rotate,
    Tend,
}

/// Holds the keys, and changes them as a whole.
pub(crate) struct Keeper {
    current: ArcSwap<KeySet>,
    ring: Option<Ring>,
    store: Arc<dyn Store>,
    replica: Arc<Replica>,
    clock: Arc<dyn Clock>,
    pub(crate) signatures: Signatures,
}

struct Ring {
    ring: KeyRing,
    /// For how long after it was signed a token may have to be recognised.
    accepted_for: Duration,
    /// One change at a time, so that an older answer never replaces a newer one.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    wanted: Arc<Notify>,
}

struct State {
    list: Vec<KeyStatus>,
    due_at: Timestamp,
    /// When the ring was read last, on the clock that cannot be set.
    read_at: Duration,
}

/// Unknown `kid`s do not make us read the ring more often than this.
const COOLDOWN: Duration = Duration::from_secs(10);

impl Keeper {
    /// Puts the ring in order, if there is one. The replica must know the log already.
    pub(crate) async fn new(
        keys: Keys,
        store: Arc<dyn Store>,
        replica: Arc<Replica>,
        clock: Arc<dyn Clock>,
        accepted_for: Duration,
        signatures: Signatures,
    ) -> Result<Arc<Self>, Error> {
        let (set, ring) = match keys {
            Keys::Set(set) => (set, None),
            Keys::Ring(ring) => {
                let now = clock.wall().ok_or_else(unreadable_clock)?;
                let revoked = |kid: &str| is_revoked(&replica, kid);
                let tended = ring.tend(Tending { store: &*store, now, accepted_for, revoked: &revoked }).await?;
                record(&*store, &tended, Actor::System, now).await?;
                let state = State { list: tended.list, due_at: tended.due_at, read_at: clock.elapsed() };
                let (turn, state) = (tokio::sync::Mutex::default(), Mutex::new(state));
                (tended.keys, Some(Ring { ring, accepted_for, turn, state, wanted: Arc::default() }))
            }
        };
        Ok(Arc::new(Self { current: ArcSwap::from_pointee(set), ring, store, replica, clock, signatures }))
    }

    /// The keys now. Keep the guard for one verification, no longer.
    #[inline]
    pub(crate) fn keys(&self) -> Guard<Arc<KeySet>> {
        self.current.load()
    }

    /// The keys of the ring, for operators; `None` when there is no ring.
    pub(crate) fn list(&self) -> Option<Vec<KeyStatus>> {
        self.ring.as_ref().map(|ring| ring.state().list.clone())
    }

    /// For how long others may keep a copy of the published keys.
    pub(crate) fn jwks_max_age(&self) -> Duration {
        // A set changes with a restart; five minutes is what verifiers may lag behind then.
        self.ring.as_ref().map_or(Duration::from_secs(300), |ring| ring.ring.rotation().jwks_max_age())
    }

    pub(crate) const fn is_ring(&self) -> bool {
        self.ring.is_some()
    }

    pub(crate) fn is_revoked(&self, kid: &str) -> bool {
        is_revoked(&self.replica, kid)
    }

    /// A token named a key that we do not know: perhaps another node made it a moment ago.
    pub(crate) fn note_unknown(&self) {
        if let Some(ring) = &self.ring
            && self.clock.elapsed().saturating_sub(ring.state().read_at) >= COOLDOWN
        {
            ring.wanted.notify_one();
        }
    }

    /// Makes a change to the ring and works with what it is then.
    pub(crate) async fn change(&self, change: Change<'_>, actor: Actor) -> Result<(), Error> {
        let no_ring = || Error::new(ErrorKind::Misuse, "the keys are a set, not a ring: open with a KeyRing");
        let ring = self.ring.as_ref().ok_or_else(no_ring)?;
        let _turn = ring.turn.lock().await;
        let now = self.clock.wall().ok_or_else(unreadable_clock)?;
        let revoked = |kid: &str| self.is_revoked(kid);
        let tending = Tending { store: &*self.store, now, accepted_for: ring.accepted_for, revoked: &revoked };
        let tended = match change {
            Change::Import(key, signs_from) => ring.ring.import(tending, key, signs_from).await?,
            Change::Remove(kid) => ring.ring.remove(tending, kid).await?,
            Change::Rotate => ring.ring.rotate(tending).await?,
            Change::Tend => ring.ring.tend(tending).await?,
        };
        // In force first: what cannot be recorded must not keep a dropped key alive.
        let recorded = record(&*self.store, &tended, actor, now).await;
        let keys = tended.keys.reusing(&self.current.load());
        self.current.store(Arc::new(keys));
        let state = State { list: tended.list, due_at: tended.due_at, read_at: self.clock.elapsed() };
        *ring.state() = state;
        if !tended.dropped.is_empty() {
            self.forget_dropped();
        }
        recorded
    }

    /// A key was revoked: its tokens are dead by the log already; what is remembered of them goes, and so does the key.
    pub(crate) async fn key_revoked(&self, actor: Actor) {
        self.forget_dropped();
        if self.ring.is_some()
            && let Err(error) = self.change(Change::Tend, actor).await
        {
            tracing::warn!(target: "signoff", %error, "the ring still holds a revoked key; trying again");
        }
    }

    /// Frees what is remembered of tokens whose key is gone or revoked. It was not used since.
    fn forget_dropped(&self) {
        let keys = self.current.load();
        self.signatures.retain(|key| keys.holds(key) && !self.is_revoked(key.kid()));
    }

    /// Looks after the ring until the result is dropped.
    pub(crate) fn start(self: &Arc<Self>) -> Tender {
        Tender(self.ring.as_ref().map(|_| tokio::spawn(tend(Arc::downgrade(self)))))
    }

    /// How long the task may sleep, and what wakes it.
    fn pause(&self) -> Option<(Duration, Arc<Notify>)> {
        let ring = self.ring.as_ref()?;
        let refresh = ring.ring.rotation().refresh;
        let due = self.clock.wall().map_or(refresh, |now| ring.state().due_at.since(now));
        // At least a moment, for a store that fails at once.
        Some((due.min(refresh).max(Duration::from_millis(500)), Arc::clone(&ring.wanted)))
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self.keys(), f)
    }
}

/// A task that looks after something until this is dropped: after the ring, for one.
pub(crate) struct Tender(Option<JoinHandle<()>>);

impl Tender {
    pub(crate) const fn new(task: Option<JoinHandle<()>>) -> Self {
        Self(task)
    }

    /// Ends it, and waits until it has let go of the store.
    pub(crate) async fn close(mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
            let _ = task.await;
        }
    }
}

impl Drop for Tender {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

impl Ring {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poison| poison.into_inner())
    }
}

async fn tend(keeper: Weak<Keeper>) {
    while let Some((pause, wanted)) = keeper.upgrade().and_then(|keeper| keeper.pause()) {
        let _ = tokio::time::timeout(pause, wanted.notified()).await;
        let Some(strong) = keeper.upgrade() else { return };
        if let Err(error) = strong.change(Change::Tend, Actor::System).await {
            // The keys stay as they are: what they signed is good, and the next attempt is near.
            tracing::warn!(target: "signoff", %error, "the key ring was not read");
        }
    }
}

/// A key of any position, for the holder of a leaked one writes any position they like.
fn is_revoked(replica: &Replica, kid: &str) -> bool {
    matches!(replica.verdict(&[Scope::Key(kid)], Position::MAX), Verdict::Dead(_))
}

async fn record(store: &dyn Store, tended: &Tended, actor: Actor, at: Timestamp) -> Result<(), Error> {
    let added = tended.created.iter().map(|kid| (AuditKind::KeyAdded, kid));
    for (kind, kid) in added.chain(tended.dropped.iter().map(|kid| (AuditKind::KeyDropped, kid))) {
        let event = AuditEvent {
            at,
            kind,
            subject: None,
            actor: actor.clone(),
            reason: None,
            session: None,
            logout: None,
            detail: Some(kid.clone()),
            context: Context::new(),
        };
        store.record(&event).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
