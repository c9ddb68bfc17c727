//! Stores that are other stores, in whole or in part.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    CreatedSessions, Exchange, Exchanged, Intent, IntentsOf, LogRead, NewSession, Nodes, Postponed, Purged, Seat,
    SessionKey, Settled, SignOff, SignedOff, Store, StoredKeyRing, Terms, Touch,
};
use crate::audit::AuditEvent;
use crate::time::Timestamp;
use crate::{Error, Position, Session, SessionId, Subject, TokenHash, Update};

/// Forwards the verbs to another store, all but those that are given: `|this|` names the store that forwards.
macro_rules! forward {
    (impl[$($generics:tt)*] for $type:ty, |$this:ident| $to:expr, { $($own:tt)* }) => {
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl<$($generics)*> Store for $type {
            $($own)*
            async fn agree(&self, terms: Terms) -> Result<Terms, Error> {
                let $this = self;
                $to.agree(terms).await
            }
            async fn create_sessions(&self, batch: &[NewSession], now: Timestamp) -> Result<CreatedSessions, Error> {
                let $this = self;
                $to.create_sessions(batch, now).await
            }
            async fn load_session(&self, key: SessionKey<'_>, now: Timestamp) -> Result<Option<Session>, Error> {
                let $this = self;
                $to.load_session(key, now).await
            }
            async fn find_by_token(&self, token: &TokenHash) -> Result<Option<Session>, Error> {
                let $this = self;
                $to.find_by_token(token).await
            }
            async fn find_by_family(&self, family: &TokenHash) -> Result<Option<Session>, Error> {
                let $this = self;
                $to.find_by_family(family).await
            }
            async fn list_sessions(
                &self,
                subject: &Subject,
                after: Option<&SessionId>,
                limit: u32,
                now: Timestamp,
            ) -> Result<Vec<Session>, Error> {
                let $this = self;
                $to.list_sessions(subject, after, limit, now).await
            }
            async fn update_session(
                &self,
                id: &SessionId,
                version: u64,
                data: &[u8],
                now: Timestamp,
            ) -> Result<Update, Error> {
                let $this = self;
                $to.update_session(id, version, data, now).await
            }
            async fn touch_sessions(&self, batch: &[Touch], now: Timestamp) -> Result<Vec<Option<Session>>, Error> {
                let $this = self;
                $to.touch_sessions(batch, now).await
            }
            async fn sign_off(&self, batch: &[SignOff], now: Timestamp) -> Result<SignedOff, Error> {
                let $this = self;
                $to.sign_off(batch, now).await
            }
            async fn exchange(&self, batch: &[Exchange], now: Timestamp) -> Result<Exchanged, Error> {
                let $this = self;
                $to.exchange(batch, now).await
            }
            async fn intents(&self, of: IntentsOf<'_>, limit: u32, now: Timestamp) -> Result<Vec<Intent>, Error> {
                let $this = self;
                $to.intents(of, limit, now).await
            }
            async fn postpone(&self, postponed: &[Postponed]) -> Result<Vec<bool>, Error> {
                let $this = self;
                $to.postpone(postponed).await
            }
            async fn settle(&self, settled: &[Settled]) -> Result<(), Error> {
                let $this = self;
                $to.settle(settled).await
            }
            async fn record(&self, event: &AuditEvent) -> Result<(), Error> {
                let $this = self;
                $to.record(event).await
            }
            async fn audit_trail(&self, subject: &Subject, limit: u32) -> Result<Vec<AuditEvent>, Error> {
                let $this = self;
                $to.audit_trail(subject, limit).await
            }
            async fn purge(&self, horizon: Timestamp, limit: u32) -> Result<Purged, Error> {
                let $this = self;
                $to.purge(horizon, limit).await
            }
            async fn load_key_ring(&self) -> Result<Option<StoredKeyRing>, Error> {
                let $this = self;
                $to.load_key_ring().await
            }
            async fn save_key_ring(&self, expected: u64, document: &str) -> Result<bool, Error> {
                let $this = self;
                $to.save_key_ring(expected, document).await
            }
        }
    };
}
pub(crate) use forward;

/// So that a `Box` or an `Arc` of a store is a store.
macro_rules! forward_pointer {
    ($pointer:ident) => {
        forward!(impl[S: Store + ?Sized] for $pointer<S>, |this| (**this), {
            fn seat(&self) -> &Seat {
                (**self).seat()
            }
            fn nodes(&self) -> Option<&dyn Nodes> {
                (**self).nodes()
            }
            fn commits_at_once(&self) -> usize {
                (**self).commits_at_once()
            }
            async fn log_after(&self, after: Position, limit: u32) -> Result<LogRead, Error> {
                (**self).log_after(after, limit).await
            }
        });
    };
}

forward_pointer!(Arc);
forward_pointer!(Box);
