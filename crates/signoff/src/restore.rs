//! After a restored backup: nothing that was minted before may live, for the revocations since the backup are lost.
//!
//! It restores no backup; databases have their own tools for that.

use std::sync::Arc;

use crate::settings::{Policy, SKEW};
use crate::store::{SignOff, Target};
use crate::time::{Clock, SystemClock, Timestamp};
use crate::{Cause, Error, Keys, LogoutId, Scope, Settings, Signoff, Store};

impl Signoff {
    /// As [`Signoff::open`], for a store that was restored from a backup, or that lost its latest commits in a failover:
    /// raises the epoch, so that **everybody is logged out**, before anything can be verified.
    ///
    /// The log of a restored store ends at the backup. Who logged out since then would be logged in again, and a token
    /// that was minted since then could not be told from one that was revoked since then. So everything is revoked that
    /// has a position up to now and five minutes, which is as far as clocks may differ; positions go on from there. Foreign
    /// tokens that are issued in these five minutes are refused too.
    ///
    /// Keys that were revoked since the backup are good again in it: name them in `revoked_keys`, by `kid`. Whoever has a
    /// leaked key mints tokens of any position, so revoking everything does not stop them.
    ///
    /// Use it once, and [`Signoff::open`] from then on. Calling it again logs everybody out again, and does no other harm.
    ///
    /// # Errors
    ///
    /// As [`Signoff::open`]. It may have happened then; repeat it.
    pub async fn open_after_restore(
        store: impl Store,
        keys: impl Into<Keys>,
        settings: Settings,
        revoked_keys: &[&str],
        cause: Cause,
    ) -> Result<Self, Error> {
        Self::open_after_restore_with_clock(store, keys, settings, revoked_keys, cause, Arc::new(SystemClock::new()))
            .await
    }

    /// As [`Signoff::open_after_restore`], with another clock.
    ///
    /// # Errors
    ///
    /// As [`Signoff::open`].
    pub async fn open_after_restore_with_clock(
        store: impl Store,
        keys: impl Into<Keys>,
        settings: Settings,
        revoked_keys: &[&str],
        cause: Cause,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        Self::start(store, keys.into(), settings, clock, Some(&Restored { revoked_keys, cause })).await
    }
}

/// What is known of a store that went back.
pub(crate) struct Restored<'a> {
    revoked_keys: &'a [&'a str],
    cause: Cause,
}

impl Restored<'_> {
    /// Revokes all that the lost stretch of the log may have revoked, in one transaction.
    pub(crate) async fn raise_epoch(&self, store: &dyn Store, policy: &Policy, now: Timestamp) -> Result<(), Error> {
        // Positions follow the clocks of the nodes that minted, so the lost ones lie before this.
        let now = now.saturating_add(SKEW);
        let id = LogoutId::generate()?;
        let request = |scope: Scope<'_>, revoke_until| SignOff {
            id,
            target: Target::Scope { revocation: scope.into(), revoke_until },
            cause: self.cause.clone(),
            margin: policy.margin(),
        };
        let keys = self.revoked_keys.iter().map(|kid| request(Scope::Key(kid), Timestamp::MAX));
        let batch: Vec<_> = keys.chain([request(Scope::Everything, policy.retain_wide(now))]).collect();
        store.sign_off(&batch, now).await?;
        tracing::warn!(target: "signoff", keys = self.revoked_keys.len(), "opened after a restore: everything is revoked");
        Ok(())
    }
}
