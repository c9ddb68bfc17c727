//! A store behind a line: every call goes there as a message and comes back as another, and either may be late or lost. What
//! was sent is carried out even if nobody waits for it any more. Here the mistakes are made, too.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use signoff::audit::AuditEvent;
use signoff::store::{
    CreatedSessions, Exchange, Exchanged, Intent, IntentsOf, LogRead, NewSession, Node, Nodes, Postponed, Purged, Seat,
    SessionKey, Settled, SignOff, SignedOff, Store, StoredKeyRing, Terms, Touch,
};
use signoff::time::Timestamp;
use signoff::{Error, ErrorKind, NodeId, Position, Session, SessionId, Subject, TokenHash, Update};

use super::mistakes::{Distortion, Mistake};

/// What becomes of messages.
pub(crate) trait Line: Debug + Send + Sync + 'static {
    /// Returns when a message has arrived, if ever; the error is that of a line that is known to be broken.
    fn pass(&self) -> impl Future<Output = Result<(), Error>> + Send;
    /// Whether a hint arrives, and when.
    fn hint(&self) -> impl Future<Output = bool> + Send;
    /// Returns when there is a hint that nobody gave.
    fn forged(&self) -> impl Future<Output = ()> + Send;
    /// How long the line has been there.
    fn elapsed(&self) -> Duration;
    /// How many entries of the log pass at once.
    fn page(&self) -> u32 {
        u32::MAX
    }
    /// Something is asked of the store.
    fn note(&self, _what: &'static str) {}
    /// Waits for the turn to commit, which lasts until the result is dropped.
    fn turn(&self) -> impl Future<Output = Box<dyn Send>> + Send {
        std::future::ready(Box::new(()) as Box<dyn Send>)
    }
}

/// A store at the other end of a line.
#[derive(Debug)]
pub(crate) struct Far<S, L> {
    store: Arc<S>,
    line: Arc<L>,
    mistake: Option<Mistake>,
    distortion: Distortion,
}

impl<S: Store, L: Line> Far<S, L> {
    pub(crate) fn new(store: S, line: Arc<L>, mistake: Option<Mistake>) -> Self {
        Self { store: Arc::new(store), line, mistake, distortion: Distortion::default() }
    }

    async fn send<T, F>(&self, call: impl FnOnce(Arc<S>) -> F + Send + 'static) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send,
    {
        let (store, line) = (Arc::clone(&self.store), Arc::clone(&self.line));
        let sent = tokio::spawn(async move {
            line.pass().await?;
            let answer = call(store).await?;
            line.pass().await?;
            Ok(answer)
        });
        let broken = |_| Error::new(ErrorKind::Internal, "the store panicked");
        sent.await.map_err(broken)?
    }
}

#[async_trait]
impl<S: Store, L: Line> Store for Far<S, L> {
    fn seat(&self) -> &Seat {
        self.store.seat()
    }

    fn nodes(&self) -> Option<&dyn Nodes> {
        self.store.nodes().map(|_| self as &dyn Nodes)
    }

    async fn agree(&self, terms: Terms) -> Result<Terms, Error> {
        self.send(move |store| async move { store.agree(terms).await }).await
    }

    async fn create_sessions(&self, batch: &[NewSession], now: Timestamp) -> Result<CreatedSessions, Error> {
        let batch = batch.to_vec();
        self.send(move |store| async move { store.create_sessions(&batch, now).await }).await
    }

    async fn load_session(&self, key: SessionKey<'_>, now: Timestamp) -> Result<Option<Session>, Error> {
        match key {
            SessionKey::Id(id) => {
                let id = *id;
                self.send(move |store| async move { store.load_session(SessionKey::Id(&id), now).await }).await
            }
            SessionKey::Token(hash) => {
                let hash = *hash;
                self.send(move |store| async move { store.load_session(SessionKey::Token(&hash), now).await }).await
            }
        }
    }

    async fn find_by_token(&self, token: &TokenHash) -> Result<Option<Session>, Error> {
        let token = *token;
        self.send(move |store| async move { store.find_by_token(&token).await }).await
    }

    async fn find_by_family(&self, family: &TokenHash) -> Result<Option<Session>, Error> {
        let family = *family;
        self.send(move |store| async move { store.find_by_family(&family).await }).await
    }

    async fn list_sessions(
        &self,
        subject: &Subject,
        after: Option<&SessionId>,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<Session>, Error> {
        let (subject, after) = (subject.clone(), after.copied());
        self.send(move |store| async move { store.list_sessions(&subject, after.as_ref(), limit, now).await }).await
    }

    async fn update_session(&self, id: &SessionId, version: u64, data: &[u8], now: Timestamp) -> Result<Update, Error> {
        let (id, data) = (*id, data.to_vec());
        self.send(move |store| async move { store.update_session(&id, version, &data, now).await }).await
    }

    async fn touch_sessions(&self, batch: &[Touch], now: Timestamp) -> Result<Vec<Option<Session>>, Error> {
        let batch = batch.to_vec();
        self.send(move |store| async move { store.touch_sessions(&batch, now).await }).await
    }

    async fn sign_off(&self, batch: &[SignOff], now: Timestamp) -> Result<SignedOff, Error> {
        let (batch, line) = (batch.to_vec(), Arc::clone(&self.line));
        self.line.note("commits");
        self.send(move |store| async move {
            let _turn = line.turn().await;
            store.sign_off(&batch, now).await
        })
        .await
    }

    async fn exchange(&self, batch: &[Exchange], now: Timestamp) -> Result<Exchanged, Error> {
        let batch = batch.to_vec();
        self.send(move |store| async move { store.exchange(&batch, now).await }).await
    }

    async fn log_after(&self, after: Position, limit: u32) -> Result<LogRead, Error> {
        // Pages of a few entries, so that reading one is not the same as reading all.
        let limit = limit.min(self.line.page());
        self.line.note("log reads");
        let read = self.send(move |store| async move { store.log_after(after, limit).await }).await?;
        Ok(self.distortion.distort(self.mistake, read, self.line.elapsed()))
    }

    // Histories do not use these: they go there and back in no time.

    async fn intents(&self, of: IntentsOf<'_>, limit: u32, now: Timestamp) -> Result<Vec<Intent>, Error> {
        self.store.intents(of, limit, now).await
    }

    async fn postpone(&self, postponed: &[Postponed]) -> Result<Vec<bool>, Error> {
        self.store.postpone(postponed).await
    }

    async fn settle(&self, settled: &[Settled]) -> Result<(), Error> {
        self.store.settle(settled).await
    }

    async fn record(&self, event: &AuditEvent) -> Result<(), Error> {
        self.store.record(event).await
    }

    async fn audit_trail(&self, subject: &Subject, limit: u32) -> Result<Vec<AuditEvent>, Error> {
        self.store.audit_trail(subject, limit).await
    }

    async fn purge(&self, horizon: Timestamp, limit: u32) -> Result<Purged, Error> {
        self.store.purge(horizon, limit).await
    }

    async fn load_key_ring(&self) -> Result<Option<StoredKeyRing>, Error> {
        self.store.load_key_ring().await
    }

    async fn save_key_ring(&self, expected: u64, document: &str) -> Result<bool, Error> {
        self.store.save_key_ring(expected, document).await
    }
}

fn of_nodes<S: Store>(store: &S) -> Result<&dyn Nodes, Error> {
    store.nodes().ok_or_else(|| Error::new(ErrorKind::Misuse, "the store is not shared"))
}

#[async_trait]
impl<S: Store, L: Line> Nodes for Far<S, L> {
    fn lease(&self) -> Duration {
        self.store.nodes().map_or(Duration::ZERO, Nodes::lease)
    }

    async fn join(&self, id: &NodeId, name: &str) -> Result<(), Error> {
        let (id, name) = (*id, name.to_owned());
        self.send(move |store| async move { of_nodes(&*store)?.join(&id, &name).await }).await
    }

    async fn renew(&self, id: &NodeId, applied: Position) -> Result<bool, Error> {
        let (id, mistake) = (*id, self.mistake);
        self.line.note("renewals");
        self.send(move |store| async move {
            let nodes = of_nodes(&*store)?;
            let applied = match mistake {
                Some(Mistake::AcknowledgeFirst) => store.log_after(applied, 1_000).await?.head,
                _ => applied,
            };
            let renewed = nodes.renew(&id, applied).await?;
            if !renewed && mistake == Some(Mistake::Upsert) {
                nodes.join(&id, "").await?;
                return nodes.renew(&id, applied).await;
            }
            Ok(renewed)
        })
        .await
    }

    async fn behind(&self, position: Position) -> Result<Vec<Node>, Error> {
        self.line.note("row reads");
        self.send(move |store| async move { of_nodes(&*store)?.behind(position).await }).await
    }

    async fn expel(&self, id: &NodeId, renewals: u64) -> Result<bool, Error> {
        let id = *id;
        self.send(move |store| async move { of_nodes(&*store)?.expel(&id, renewals).await }).await
    }

    async fn leave(&self, id: &NodeId) -> Result<(), Error> {
        let id = *id;
        self.send(move |store| async move { of_nodes(&*store)?.leave(&id).await }).await
    }

    async fn announce(&self) -> Result<(), Error> {
        self.line.note("hints");
        self.send(move |store| async move { of_nodes(&*store)?.announce().await }).await
    }

    async fn heard(&self) -> Result<(), Error> {
        let nodes = of_nodes(&*self.store)?;
        loop {
            tokio::select! {
                biased;
                told = nodes.heard() => told?,
                () = self.line.forged() => break,
            }
            if self.line.hint().await {
                break;
            }
        }
        self.distortion.heard();
        Ok(())
    }
}
