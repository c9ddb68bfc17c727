//! A process that is a node: it does what it is told, and tries all the time whether the latest tokens are accepted.

use std::collections::VecDeque;
use std::fmt::Display;
use std::io::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use signoff::time::{Clock, SystemClock, Timestamp};
use signoff::{
    Algorithm, Cause, Delivery, Denied, Error, KeySet, Login, Rejection, Scope, Settings, SigningKey, Signoff, Subject,
};

use super::history::What;
use super::history::line::{Far, Line};
use super::history::mistakes::Mistake;
use crate::service::Database;

/// How many tokens are tried: the latest.
pub(super) const WATCHED: usize = 12;

/// A line that is as good as the one that the process has, but that loses some hints.
#[derive(Debug, Default)]
struct Direct(AtomicU64);

impl Line for Direct {
    async fn pass(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn hint(&self) -> bool {
        !self.0.fetch_add(1, Ordering::SeqCst).is_multiple_of(4)
    }

    async fn forged(&self) {
        std::future::pending::<()>().await;
    }

    fn elapsed(&self) -> Duration {
        now()
    }
}

/// The system's clocks, whose wall clock can be set, and which may be used wrongly.
#[derive(Debug)]
struct TestClock {
    off: AtomicI64,
    mistake: Option<Mistake>,
}

impl Clock for TestClock {
    fn wall(&self) -> Option<Timestamp> {
        let wall = SystemClock::new().wall()?.as_micros();
        Timestamp::from_micros(wall + self.off.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        match self.mistake {
            Some(Mistake::WallClock) => {
                Duration::from_micros(self.wall().map_or(0, Timestamp::as_micros).unsigned_abs())
            }
            mistake => Mistake::slowed(mistake, now()),
        }
    }
}

/// The clock that all processes of the machine share.
pub(super) fn now() -> Duration {
    SystemClock::new().elapsed()
}

/// One write, so that lines do not mix.
fn say(line: impl Display) {
    let _ = std::io::stdout().write_all(format!("> {line}\n").as_bytes());
}

fn say_event(token: &str, began: Duration, what: What) {
    say(format_args!("e {token} {} {} {what:?}", began.as_nanos(), now().as_nanos()));
}

/// Not a test of its own: what a node does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(url) = std::env::var("SIGNOFF_HISTORY") else { return };
    let mistake = std::env::var("SIGNOFF_MISTAKE").ok();
    let mistake = mistake.and_then(|name| Mistake::ALL.into_iter().find(|mistake| format!("{mistake:?}") == name));
    let delivery = if std::env::var("SIGNOFF_OPAQUE").is_ok() { Delivery::Opaque } else { Delivery::Jwt };
    let database = if url.starts_with("postgres") { Database::Postgres(url) } else { Database::MariaDb(url) };
    let clock = Arc::new(TestClock { off: AtomicI64::new(0), mistake });
    let signoff = loop {
        if let Ok(signoff) = open(&database, delivery, &clock, mistake).await {
            break signoff;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    say("joined");

    let watched = Arc::new(Mutex::new(VecDeque::<(String, Arc<str>)>::new()));
    let (checking, tokens, runtime) = (signoff.clone(), Arc::clone(&watched), tokio::runtime::Handle::current());
    std::thread::spawn(move || check(&checking, &tokens, &runtime));
    let orders = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Handle::current();
        for order in std::io::stdin().lines().map_while(Result::ok) {
            let words: Vec<&str> = order.split(' ').collect();
            match words.as_slice() {
                ["in", id, subject] => {
                    runtime.spawn(log_in(signoff.clone(), (*id).to_owned(), Subject::new(subject).unwrap()));
                }
                ["out", id, how, subject, token] => {
                    let words = [*how, *subject, *token].map(str::to_owned);
                    runtime.spawn(log_out(signoff.clone(), (*id).to_owned(), words));
                }
                ["watch", number, token] => {
                    let mut watched = watched.lock().unwrap();
                    watched.push_back(((*number).to_owned(), (*token).into()));
                    if watched.len() > WATCHED {
                        watched.pop_front();
                    }
                }
                ["wall", off] => clock.off.store(off.parse().unwrap(), Ordering::SeqCst),
                _ => panic!("what does {order:?} mean?"),
            }
        }
    });
    orders.await.unwrap();
}

async fn open(
    database: &Database,
    delivery: Delivery,
    clock: &Arc<TestClock>,
    mistake: Option<Mistake>,
) -> Result<Signoff, Error> {
    let store = Far::new(database.share().await?, Arc::new(Direct::default()), mistake);
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.delivery = delivery;
    (settings.idle, settings.access_lifetime) = (settings.absolute, settings.absolute);
    let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap());
    Signoff::open_with_clock(store, keys, settings, Arc::<TestClock>::clone(clock)).await
}

async fn log_in(signoff: Signoff, id: String, subject: Subject) {
    match signoff.log_in(Login::new(subject)).await {
        Ok(issued) => say(format_args!("a {id} {}", issued.token.expose())),
        Err(_) => say(format_args!("a {id} no")),
    }
}

async fn log_out(signoff: Signoff, id: String, [how, subject, token]: [String; 3]) {
    let began = now();
    let answer = match how.as_str() {
        "everywhere" => signoff.log_out_everywhere(&[&token], Cause::logout()).await.map(|_| ()),
        "subject" => {
            let revoked = signoff.revoke(Scope::Subject(&subject), Cause::logout()).await;
            revoked.map(|_| ()).map_err(Denied::from)
        }
        _ => signoff.log_out(&[&token], Cause::logout()).await.map(|_| ()),
    };
    let answer = if answer.is_ok() { "ok" } else { "no" };
    say(format_args!("a {id} {answer} {} {}", began.as_nanos(), now().as_nanos()));
}

/// One token every 0.6 ms, the latest most of all.
fn check(signoff: &Signoff, watched: &Mutex<VecDeque<(String, Arc<str>)>>, runtime: &tokio::runtime::Handle) {
    for round in 0_usize.. {
        std::thread::sleep(Duration::from_micros(600));
        let (number, token) = {
            let watched = watched.lock().unwrap();
            let back = if round.is_multiple_of(2) { round / 2 % 3 } else { round / 2 };
            let Some(chosen) = watched.iter().rev().nth(back % watched.len().max(1)) else { continue };
            chosen.clone()
        };
        let began = now();
        match signoff.verify(&token) {
            Err(Rejection::Unloaded) => {
                let signoff = signoff.clone();
                runtime.spawn(async move { judge(&number, began, signoff.authenticate(&token).await.map(|_| ())) });
            }
            verdict if round.is_multiple_of(16) => {
                judge(&number, began, verdict.map(|_| ()).map_err(Denied::from));
                let (signoff, began) = (signoff.clone(), now());
                runtime.spawn(async move { judge(&number, began, signoff.read_through(&token).await.map(|_| ())) });
            }
            verdict => judge(&number, began, verdict.map(|_| ()).map_err(Denied::from)),
        }
    }
}

fn judge(number: &str, began: Duration, answer: Result<(), Denied>) {
    match answer {
        Ok(()) => say_event(number, began, What::Accepted),
        Err(Denied::Rejected(Rejection::Revoked)) => say_event(number, began, What::Dead),
        Err(Denied::Rejected(Rejection::UnknownToken)) => say_event(number, began, What::Gone),
        Err(Denied::Rejected(Rejection::Stale)) => say_event(number, began, What::Stale),
        // The store did not answer.
        Err(Denied::Failed(_) | Denied::Rejected(Rejection::Unloaded)) => {}
        Err(other) => say(format_args!("x {number} {other}")),
    }
}
