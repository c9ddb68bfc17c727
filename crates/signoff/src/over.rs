//! Waiting for the end of a token: for connections that stay open.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signoff_revocation::Replica;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::nodes::{Basis, Member};
use crate::{Live, Position, Rejection, Signoff};

/// How often is looked whether anything was revoked, for all that wait together.
const LOOK: Duration = Duration::from_millis(50);

impl Signoff {
    /// Returns when this token is over, and says why: its session was logged out, it was revoked in any other way, its time is
    /// up, or this node can no longer tell ([`Rejection::Stale`]). For what one request opens and keeps open: a WebSocket, an
    /// event stream.
    ///
    /// It returns within a tenth of a second after `verify` began to refuse the token. All that wait share one timer, and each
    /// looks only after something was revoked, and once a minute at the clock. The idle end of a session is not looked at; a
    /// connection that is used should [say so](Signoff::touch).
    ///
    /// ```
    /// # use signoff::{Cause, KeySet, Login, MemoryStore, Rejection, Settings, Signoff, SigningKey, Subject};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let settings = Settings::new("https://bank.example", "https://bank.example/api");
    /// # let signoff = Signoff::open(MemoryStore::new(), KeySet::new(SigningKey::generate()?), settings).await?;
    /// let issued = signoff.log_in(Login::new(Subject::new("alice")?)).await?;
    /// let live = signoff.verify(issued.token.expose())?;
    /// let connection = async {
    ///     tokio::select! {
    ///         why = signoff.until_over(&live) => why,
    ///         // () = serve(socket) => …
    ///     }
    /// };
    /// let tokens = [issued.token.expose()];
    /// let logout = signoff.log_out(&tokens, Cause::logout());
    /// let (why, done) = tokio::join!(connection, logout);
    /// assert_eq!(why, Rejection::Revoked);
    /// # let _ = done?; Ok(()) }
    /// ```
    pub async fn until_over(&self, live: &Live) -> Rejection {
        let mut news = self.lookout().watch(self);
        loop {
            // Seen before it is looked at, so that what comes in between is looked at again.
            news.borrow_and_update();
            if let Err(rejection) =
                self.judge(Basis::Lease, |replica| replica.verdict(&live.facts().scopes(), live.position()))
            {
                return rejection;
            }
            let Some(now) = self.clock().wall() else { return Rejection::Stale };
            let left = live.expires_at().since(now);
            if left.is_zero() {
                return Rejection::Expired;
            }
            // The wall clock may be set: it is asked again before the time is up.
            let _ = tokio::time::timeout(left.min(Duration::from_secs(60)), news.changed()).await;
        }
    }
}

/// Tells those who wait that something was revoked, or that this node may or may not answer. Does nothing while nobody waits.
#[derive(Debug)]
pub(crate) struct Lookout(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    news: watch::Sender<View>,
    looks: AtomicBool,
    /// Where it was opened. Whoever waits may do so on a runtime that ends sooner, as those of web workers do, and what looks
    /// for all must not end with it.
    runtime: Handle,
}

/// What verdicts may change with.
type View = (Position, bool);

impl Lookout {
    /// Within the runtime that this is opened in.
    pub(crate) fn new() -> Self {
        let (news, looks) = (watch::Sender::new((Position::ZERO, true)), AtomicBool::new(false));
        Self(Arc::new(Shared { news, looks, runtime: Handle::current() }))
    }

    fn watch(&self, signoff: &Signoff) -> watch::Receiver<View> {
        // Before it is looked whether somebody looks: who stops looking looks once more whether somebody waits.
        let receiver = self.0.news.subscribe();
        if !self.0.looks.swap(true, Ordering::SeqCst) {
            let (replica, member) = (Arc::clone(signoff.replica()), signoff.member().map(Arc::clone));
            self.0.runtime.spawn(look(Arc::clone(&self.0), replica, member));
        }
        receiver
    }
}

async fn look(shared: Arc<Shared>, replica: Arc<Replica>, member: Option<Arc<Member>>) {
    loop {
        let view = (replica.applied(), member.as_ref().is_none_or(|member| member.may_answer()));
        shared.news.send_if_modified(|known| std::mem::replace(known, view) != view);
        tokio::time::sleep(LOOK).await;
        if shared.news.receiver_count() == 0 {
            shared.looks.store(false, Ordering::SeqCst);
            // Whoever came in between has found somebody who looks.
            if shared.news.receiver_count() == 0 || shared.looks.swap(true, Ordering::SeqCst) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::{Cause, KeySet, Login, MemoryStore, Scope, Settings, SigningKey, Subject};

    /// On a runtime that ends while others wait, as a worker of a web server may.
    #[test]
    fn whoever_began_to_look_may_end() {
        let main = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let worker = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let signoff = main.block_on(async {
            let settings = Settings::new("https://bank.example", "https://bank.example/api");
            let keys = KeySet::new(SigningKey::generate().unwrap());
            Signoff::open(MemoryStore::new(), keys, settings).await.unwrap()
        });
        let issued = main.block_on(signoff.log_in(Login::new(Subject::new("alice").unwrap()))).unwrap();
        let live = signoff.verify(issued.token.expose()).unwrap();
        // Two wait, so that somebody does all the time; the runtime of the one who came first ends.
        let first = worker();
        first.block_on(async {
            let waiting = tokio::time::timeout(LOOK, signoff.until_over(&live));
            assert!(waiting.await.is_err());
        });
        let why = worker().block_on(async {
            let waiting = signoff.until_over(&live);
            let out = async {
                first.shutdown_background();
                tokio::time::sleep(2 * LOOK).await;
                let (signoff, token) = (signoff.clone(), issued.token.expose().to_owned());
                let _ = main.spawn(async move { signoff.log_out(&[&token], Cause::logout()).await.map(drop) }).await;
            };
            tokio::time::timeout(Duration::from_secs(10), async { tokio::join!(waiting, out).0 }).await
        });
        assert_eq!(why.unwrap(), Rejection::Revoked);
    }

    async fn log_in(signoff: &Signoff, name: &str) -> Arc<Live> {
        let issued = signoff.log_in(Login::new(Subject::new(name).unwrap())).await.unwrap();
        Arc::new(signoff.verify(issued.token.expose()).unwrap())
    }

    /// The time is tokio's own here, and passes as fast as there is nothing to do.
    #[test]
    fn a_thousand_that_wait_cost_nothing() {
        const MANY: usize = 1_000;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let polls = Arc::new(AtomicUsize::new(0));
        let polled = || polls.swap(0, Ordering::SeqCst);
        let (signoff, waiting) = runtime.block_on(async {
            let settings = Settings::new("https://bank.example", "https://bank.example/api");
            let signoff = Signoff::open(MemoryStore::new(), KeySet::new(SigningKey::generate().unwrap()), settings);
            let signoff = signoff.await.unwrap();
            let mut waiting = Vec::new();
            for n in 0..MANY {
                let (signoff, live, polls) =
                    (signoff.clone(), log_in(&signoff, &n.to_string()).await, Arc::clone(&polls));
                waiting.push(tokio::spawn(async move {
                    let mut over = std::pin::pin!(signoff.until_over(&live));
                    poll_fn(|task| {
                        polls.fetch_add(1, Ordering::SeqCst);
                        over.as_mut().poll(task)
                    })
                    .await
                }));
            }
            // The logins are revocations of nothing, and the first look is a change.
            tokio::time::sleep(2 * LOOK).await;
            (signoff, waiting)
        });
        polled();
        let pass = |time| runtime.block_on(async move { tokio::time::sleep(time).await });
        let cost = allocation_counter::measure(|| pass(Duration::from_secs(50)));
        assert_eq!((polled(), cost.count_total), (0, 0), "nothing happens");
        pass(Duration::from_secs(20));
        assert_eq!(polled(), MANY, "each has looked at the clock once");

        let ends = async |subject: &str| {
            let _ = signoff.revoke(Scope::Subject(subject), Cause::logout()).await.unwrap();
            tokio::time::sleep(2 * LOOK).await;
        };
        runtime.block_on(ends("alice"));
        assert_eq!(polled(), MANY, "each has looked once at what was revoked");
        assert!(!waiting.iter().any(tokio::task::JoinHandle::is_finished), "it was not theirs");
        runtime.block_on(ends("7"));
        let ended: Vec<_> = (0..MANY).filter(|n| waiting[*n].is_finished()).collect();
        assert_eq!((polled(), ended), (MANY, vec![7]));
    }
}
