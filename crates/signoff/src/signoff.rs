//! `Signoff`, the one object that an application holds.

use std::fmt;
use std::sync::Arc;

use arc_swap::Guard;
use quick_cache::sync::Cache;
use signoff_revocation::Replica;

use crate::audit::AuditEvent;
use crate::claims::Facts;
use crate::commit::{Committer, Creates, HighMark, SignOffs, Worker, catch_up, unreadable_clock};
use crate::elsewhere::{Finisher, Over, Sweeper};
use crate::foreign;
use crate::keeper::{Keeper, Keys, Tender};
use crate::nodes::Membership;
use crate::over::Lookout;
use crate::purge::Purger;
use crate::refresh::Exchanges;
use crate::restore::Restored;
use crate::settings::Policy;
use crate::signatures::Signatures;
use crate::snapshot::{self, Snapshots};
use crate::store::{Purged, SessionTarget, Target};
use crate::time::{Clock, SystemClock, Timestamp};
use crate::touch::Touches;
use crate::{Cause, Error, ErrorKind, KeySet, Live, Position, Scope, SessionId, Settings, Store, Subject, TokenHash};

/// Mints, verifies and logs out, on one store. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Signoff(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    keeper: Arc<Keeper>,
    /// Ends with the last clone.
    tender: Tender,
    /// Finishes logouts in other stores, if there are any.
    finisher: Option<Arc<Finisher>>,
    /// Ends with the last clone.
    sweeper: Option<Sweeper>,
    policy: Policy,
    clock: Arc<dyn Clock>,
    replica: Arc<Replica>,
    /// This process as one of several nodes, if the store is shared.
    membership: Option<Membership>,
    committer: Committer,
    /// A queue and a task of their own: however many refreshes wait, a logout does not wait for them.
    exchanger: Committer<Exchanges>,
    creator: Committer<Creates>,
    toucher: Committer<Touches>,
    /// Opaque tokens that were presented lately. Not an authority: every hit is held against the replica. An entry too
    /// many is harmless, one too few costs a query.
    cache: Cache<TokenHash, Arc<Facts>>,
    /// When sessions were last noted as used. Losing an entry costs a write.
    touched: Cache<SessionId, Timestamp>,
    foreign_signatures: Signatures<foreign::Facts>,
    /// What the committer must stay above: see [`HighMark`].
    accepted: Arc<HighMark>,
    purger: Arc<Purger>,
    /// Ends with the last clone.
    purging: Tender,
    /// Writes the replica to a file, if there is one to be written.
    snapshots: Option<Arc<Snapshots>>,
    /// Ends with the last clone.
    snapshotting: Option<Tender>,
    /// Wakes those who wait for the end of a token.
    lookout: Lookout,
}

/// What an administrative end of sessions did; the cookies of other browsers cannot be cleared from here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Ended {
    /// Sessions that this call destroyed. Those that a wide scope merely cut off are not counted.
    pub destroyed: u64,
}

impl Signoff {
    /// Opens a store: agrees on its terms and loads the live part of the revocation log. Only then can anything be
    /// verified.
    ///
    /// Must be called within a tokio runtime, which the committing task lives on.
    ///
    /// # Errors
    ///
    /// * [`ErrorKind::Misuse`]: settings out of bounds, or the store is in use.
    /// * [`ErrorKind::Unavailable`]: the store does not answer.
    /// * [`ErrorKind::Data`]: the log is damaged.
    pub async fn open(store: impl Store, keys: impl Into<Keys>, settings: Settings) -> Result<Self, Error> {
        Self::open_with_clock(store, keys, settings, Arc::new(SystemClock::new())).await
    }

    /// As [`Signoff::open`], with another clock.
    ///
    /// # Errors
    ///
    /// As [`Signoff::open`].
    pub async fn open_with_clock(
        store: impl Store,
        keys: impl Into<Keys>,
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        Self::start(store, keys.into(), settings, clock, None).await
    }

    pub(crate) async fn start(
        store: impl Store,
        keys: Keys,
        settings: Settings,
        clock: Arc<dyn Clock>,
        restored: Option<&Restored<'_>>,
    ) -> Result<Self, Error> {
        let mut policy = settings.into_policy()?;
        let store: Arc<dyn Store> = Arc::new(store);
        let seated = Arc::new(store.seat().take()?);
        let now = clock.wall().ok_or_else(unreadable_clock)?;
        policy.terms = store.agree(policy.terms).await?;
        if let Some(restored) = restored {
            restored.raise_epoch(&*store, &policy, now).await?;
        }
        let file = policy.settings.snapshot.as_deref();
        if let (Some(_), Some(file)) = (restored, file) {
            snapshot::forget(file).await;
        }
        let (replica, from_file) = snapshot::restore(file, &*store, policy.settings.revocation_bytes).await?;
        let replica = Arc::new(replica);
        let (node_store, node_clock) = (Arc::clone(&store), Arc::clone(&clock));
        let membership = Membership::join(node_store, Arc::clone(&replica), node_clock, &policy.settings).await?;
        // A person can log out with an expired token, as long as it may be of a living session.
        let accepted_for = policy.terms.longest_session + policy.terms.leeway;
        let signatures = Signatures::new(policy.settings.signature_memory);
        let (keeper_store, keeper_clock) = (Arc::clone(&store), Arc::clone(&clock));
        let keeper = Keeper::new(keys, keeper_store, Arc::clone(&replica), keeper_clock, accepted_for, signatures);
        let keeper = keeper.await?;
        let accepted = Arc::new(HighMark::default());
        let snapshots = file.map(|file| Snapshots::new(file.to_owned(), Arc::clone(&replica), from_file));
        let purger = Purger::new(Arc::clone(&store), Arc::clone(&replica), Arc::clone(&clock), now);
        let worker = Worker {
            store: Arc::clone(&store),
            replica: Arc::clone(&replica),
            clock: Arc::clone(&clock),
            batch: policy.settings.commit_batch,
            limit: policy.settings.commit_timeout.saturating_mul(12),
            accepted: Arc::clone(&accepted),
        };
        let (finisher_store, finisher_clock) = (Arc::clone(&store), Arc::clone(&clock));
        let destroyers = policy.settings.destroyers.clone();
        let finisher = Finisher::new(finisher_store, finisher_clock, destroyers, policy.settings.commit_timeout);
        tracing::info!(target: "signoff", revocations = replica.len(), "opened");
        Ok(Self(Arc::new(Inner {
            exchanger: Committer::start(
                Exchanges(policy.settings.refresh.clone(), finisher.as_ref().map(Arc::clone)),
                worker.clone(),
                Arc::clone(&seated),
            ),
            creator: Committer::start(Creates(finisher.as_ref().map(Arc::clone)), worker.clone(), Arc::clone(&seated)),
            toucher: Committer::start(Touches, worker.clone(), Arc::clone(&seated)),
            committer: Committer::start(SignOffs(finisher.as_ref().map(Arc::clone)), worker, seated),
            cache: Cache::new(policy.settings.session_cache),
            touched: Cache::new(policy.settings.session_cache),
            foreign_signatures: Signatures::new(policy.settings.signature_memory),
            accepted,
            membership,
            purging: purger.start(policy.settings.purge_every),
            purger,
            snapshotting: snapshots.as_ref().map(Snapshots::start),
            snapshots,
            lookout: Lookout::new(),
            tender: keeper.start(),
            sweeper: finisher.as_ref().map(|finisher| Sweeper::start(Arc::clone(finisher))),
            finisher,
            keeper,
            store,
            policy,
            clock,
            replica,
        })))
    }

    /// Works off the queues of logouts, refreshes, logins and touches, frees the store for another opening, and writes
    /// [`Settings::snapshot`], if this is the last clone.
    pub async fn close(self) {
        if let Some(inner) = Arc::into_inner(self.0) {
            inner.purging.close().await;
            inner.tender.close().await;
            inner.creator.close().await;
            inner.toucher.close().await;
            inner.exchanger.close().await;
            inner.committer.close().await;
            if let Some(sweeper) = inner.sweeper {
                sweeper.close().await;
            }
            if let Some(finisher) = inner.finisher {
                finisher.close().await;
            }
            // Last: logouts that were queued may have waited for the others.
            if let Some(membership) = inner.membership {
                membership.leave().await;
            }
            if let Some(task) = inner.snapshotting {
                task.close().await;
            }
            // When nobody waits for this node any more, for a large file takes a while.
            if let Some(snapshots) = inner.snapshots {
                snapshots.write().await;
            }
        }
    }

    /// Ends one session of a subject, for the list of devices. `None` when it is not theirs, or not live any more; in that
    /// case too, no token of it is accepted when this returns.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`]: the store did not confirm. Retry.
    pub async fn end_session(
        &self,
        subject: &Subject,
        id: &SessionId,
        cause: Cause,
    ) -> Result<Option<crate::Receipt>, Error> {
        let found = self.store().load_session(crate::store::SessionKey::Id(id), self.now()?).await?;
        match found {
            Some(session) if session.subject == *subject => {}
            Some(_) => return Ok(None),
            None => {
                // It may have ended a moment ago, by a call whose answer was lost: what the store says must be in force
                // here before anybody hears of it.
                self.catch_up().await?;
                self.reach_all(self.applied()).await?;
                if let Some(finisher) = &self.0.finisher {
                    finisher.start(Over::Sessions(vec![*id])).wait().await?;
                }
                return Ok(None);
            }
        }
        let target = Target::Sessions(vec![SessionTarget { id: *id, revoke_unknown_until: None }]);
        let destroyed = self.commit(target, cause).await?;
        Ok(Some(self.revoke_destroyed(destroyed).await?.into_receipt()))
    }

    /// Ends all sessions of the live token's subject but its own.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`]: the store did not confirm. Retry.
    pub async fn log_out_others(&self, live: &Live, cause: Cause) -> Result<Ended, Error> {
        let target = Target::Subject {
            subject: live.to_subject(),
            except: Some(*live.session_id()),
            revoke_until: self.retain_wide(self.now()?),
        };
        self.end(target, cause).await
    }

    /// Revokes everything of a scope that exists now: a token, a session, a person, a client, a key, or everything.
    ///
    /// Costs one log entry, whatever the number of tokens. What is minted afterwards is good again, except for tokens,
    /// sessions and keys: those never come back.
    ///
    /// # Errors
    ///
    /// * [`ErrorKind::Misuse`]: the id is not one that a token of ours can have.
    /// * [`ErrorKind::Unavailable`]: the store did not confirm. Retry.
    pub async fn revoke(&self, scope: Scope<'_>, cause: Cause) -> Result<Ended, Error> {
        let misuse = |_| Error::new(ErrorKind::Misuse, "the id of a token or session has 16 bytes");
        let revoke_until = self.retain_wide(self.now()?);
        let target = match scope {
            Scope::Session(id) => {
                let id = SessionId::from_bytes(id.try_into().map_err(misuse)?);
                Target::Sessions(vec![SessionTarget { id, revoke_unknown_until: Some(revoke_until) }])
            }
            Scope::Subject(subject) => Target::Subject { subject: Subject::new(subject)?, except: None, revoke_until },
            Scope::Token(id) => {
                let _: [u8; 16] = id.try_into().map_err(misuse)?;
                Target::Scope { revocation: scope.into(), revoke_until }
            }
            // A key may have signed tokens of any age, and may be put back by mistake: it is never forgotten.
            Scope::Key(_) => Target::Scope { revocation: scope.into(), revoke_until: Timestamp::MAX },
            scope => Target::Scope { revocation: scope.into(), revoke_until },
        };
        let actor = cause.actor.clone();
        let ended = self.end(target, cause).await?;
        if let Scope::Key(_) = scope {
            self.keeper().key_revoked(actor).await;
        }
        Ok(ended)
    }

    /// Deletes a bounded number of sessions and revocations that are long over, from the store and from memory. It is done
    /// by itself every [`Settings::purge_every`]; nothing depends on it but disk and memory.
    ///
    /// It rests a hundred times as long as it works, so that of a hundred logouts that go on meanwhile one meets it: the
    /// thousand of a kind that it deletes at most take some seconds.
    ///
    /// Nothing is deleted in the first hour after opening, or less than a day after its end, so that a wall clock that
    /// jumps ahead cannot make the dead live: see [`PurgeHorizon`](signoff_revocation::PurgeHorizon).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when the store does not answer. Call it again later.
    pub async fn purge(&self) -> Result<Purged, Error> {
        self.0.purger.purge().await
    }

    /// The newest audit records of a subject, newest first, at most 100.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when the store does not answer.
    pub async fn audit_trail(&self, subject: &Subject) -> Result<Vec<AuditEvent>, Error> {
        self.store().audit_trail(subject, 100).await
    }

    /// The settings that this was opened with.
    pub fn settings(&self) -> &Settings {
        &self.0.policy.settings
    }

    /// How long ago `time` was by our clock; `None` when the clock is unreadable.
    pub fn since(&self, time: Timestamp) -> Option<std::time::Duration> {
        self.0.clock.wall().map(|now| now.since(time))
    }

    async fn end(&self, target: Target, cause: Cause) -> Result<Ended, Error> {
        let destroyed = self.commit(target, cause).await?;
        let ended = Ended { destroyed: destroyed.destroyed() };
        let _ = self.revoke_destroyed(destroyed).await?;
        Ok(ended)
    }

    pub(crate) fn membership(&self) -> Option<&Membership> {
        self.0.membership.as_ref()
    }

    /// A sign-off may have happened without anybody to finish it elsewhere.
    pub(crate) fn look_elsewhere(&self) {
        if let Some(finisher) = &self.0.finisher {
            finisher.look();
        }
    }

    pub(crate) fn now(&self) -> Result<Timestamp, Error> {
        self.0.clock.wall().ok_or_else(unreadable_clock)
    }

    /// Until when a wide revocation must be kept. Counted from the head of the log if that is ahead of the clock: a clock
    /// that is behind for a while must not shorten the memory.
    pub(crate) fn retain_wide(&self, now: Timestamp) -> Timestamp {
        let head = i64::try_from(self.applied().get()).ok().and_then(Timestamp::from_micros);
        self.policy().retain_wide(now.max(head.unwrap_or(now)))
    }

    pub(crate) fn applied(&self) -> Position {
        self.0.replica.applied()
    }

    pub(crate) async fn catch_up(&self) -> Result<(), Error> {
        catch_up(&*self.0.store, &self.0.replica).await
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.0.store
    }

    pub(crate) fn keys(&self) -> Guard<Arc<KeySet>> {
        self.0.keeper.keys()
    }

    pub(crate) fn keeper(&self) -> &Keeper {
        &self.0.keeper
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.0.policy
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    pub(crate) fn replica(&self) -> &Arc<Replica> {
        &self.0.replica
    }

    pub(crate) fn lookout(&self) -> &Lookout {
        &self.0.lookout
    }

    pub(crate) fn committer(&self) -> &Committer {
        &self.0.committer
    }

    pub(crate) fn exchanger(&self) -> &Committer<Exchanges> {
        &self.0.exchanger
    }

    pub(crate) fn creator(&self) -> &Committer<Creates> {
        &self.0.creator
    }

    pub(crate) fn toucher(&self) -> &Committer<Touches> {
        &self.0.toucher
    }

    pub(crate) fn touched(&self) -> &Cache<SessionId, Timestamp> {
        &self.0.touched
    }

    pub(crate) fn signatures(&self) -> &Signatures {
        &self.0.keeper.signatures
    }

    pub(crate) fn foreign_signatures(&self) -> &Signatures<foreign::Facts> {
        &self.0.foreign_signatures
    }

    pub(crate) fn accepted(&self) -> &HighMark {
        &self.0.accepted
    }

    pub(crate) fn cache(&self) -> &Cache<TokenHash, Arc<Facts>> {
        &self.0.cache
    }
}

impl fmt::Debug for Signoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signoff").field("store", &self.0.store).field("keys", &self.0.keeper).finish_non_exhaustive()
    }
}
