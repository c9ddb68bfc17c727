//! What many nodes ask of a database: counted in virtual time, with and without relays, on a database that answers in a
//! millisecond and commits one logout transaction in another.
//!
//! `SIGNOFF_SCALE=1000,20,10000,20 cargo test -p signoff --release --test simulation -- --nocapture scale` for a thousand
//! nodes behind twenty relays, at ten thousand logouts per second that go to twenty of the nodes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use signoff::relay::{Relay, RelayLink, RelaySettings, Relayed};
use signoff::{Algorithm, Cause, Error, KeySet, Login, MemoryStore, Settings, SigningKey, Signoff, Store, Subject};
use tokio::time::Instant;

use crate::histories::line::{Far, Line};
use crate::relays::key;

const WAY: Duration = Duration::from_micros(500);
const COMMIT: Duration = Duration::from_millis(1);
/// How long logouts go on before it is counted, and how long it is counted.
const BEFORE: Duration = Duration::from_secs(1);
const COUNTED: Duration = Duration::from_secs(2);

/// A database that is never overloaded, whose logout transactions wait for each other as in reality.
#[derive(Debug)]
struct Database {
    began: Instant,
    asked: Mutex<BTreeMap<&'static str, u64>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
struct Cable(Arc<Database>);

impl Line for Cable {
    async fn pass(&self) -> Result<(), Error> {
        tokio::time::sleep(WAY).await;
        Ok(())
    }

    async fn hint(&self) -> bool {
        tokio::time::sleep(WAY).await;
        true
    }

    async fn forged(&self) {
        std::future::pending::<()>().await;
    }

    fn elapsed(&self) -> Duration {
        self.0.began.elapsed()
    }

    fn note(&self, what: &'static str) {
        *self.0.asked.lock().unwrap().entry(what).or_default() += 1;
    }

    async fn turn(&self) -> Box<dyn Send> {
        let turn = Arc::clone(&self.0.turn).lock_owned().await;
        tokio::time::sleep(COMMIT).await;
        Box::new(turn)
    }
}

#[derive(Debug)]
struct Near(Relay);

#[async_trait]
impl RelayLink for Near {
    async fn ask(&self, message: Vec<u8>) -> Result<Vec<u8>, Error> {
        tokio::time::sleep(WAY).await;
        let answer = self.0.answer(&message).await;
        tokio::time::sleep(WAY).await;
        Ok(answer.unwrap())
    }
}

/// What was asked of the database in a second, and how long logouts took.
struct Figures {
    asked: BTreeMap<&'static str, u64>,
    median: Duration,
    p99: Duration,
    logouts: usize,
}

async fn open(store: impl Store) -> Signoff {
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    (settings.session_cache, settings.signature_memory, settings.purge_every) = (100, 0, None);
    let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap());
    Signoff::open(store, keys, settings).await.unwrap()
}

async fn measure(nodes: usize, relays: usize, per_second: u64, takers: usize) -> Figures {
    let database = Arc::new(Database { began: Instant::now(), asked: Mutex::default(), turn: Arc::default() });
    let shared = MemoryStore::shared(Duration::from_secs(5));
    let far = || Far::new(shared.another(), Arc::new(Cable(Arc::clone(&database))), None);
    let mut links: Vec<Arc<dyn RelayLink>> = Vec::new();
    for _ in 0..relays {
        links.push(Arc::new(Near(Relay::open(far(), key(), RelaySettings::default()).await.unwrap())));
    }
    let mut fleet = Vec::new();
    for node in 0..nodes {
        fleet.push(match links.is_empty() {
            true => open(far()).await,
            false => {
                let link = Arc::clone(&links[node % links.len()]);
                open(Relayed::new(far(), key(), vec![link]).unwrap()).await
            }
        });
    }
    let count = per_second * (BEFORE + COUNTED).as_secs();
    let logins = (0..count).map(|n| {
        let signoff = fleet[0].clone();
        tokio::spawn(async move {
            let login = Login::new(Subject::new(&format!("person {n}")).unwrap());
            signoff.log_in(login).await.unwrap().token.expose().to_owned()
        })
    });
    let mut tokens = Vec::new();
    for login in logins.collect::<Vec<_>>() {
        tokens.push(login.await.unwrap());
    }
    let began = Instant::now();
    let mut logouts = Vec::new();
    for (n, token) in tokens.into_iter().enumerate() {
        let (signoff, at) = (fleet[n % takers].clone(), began + Duration::from_secs(n as u64) / per_second as u32);
        logouts.push(tokio::spawn(async move {
            tokio::time::sleep_until(at).await;
            let _ = signoff.log_out(&[&token], Cause::logout()).await.unwrap();
            at.elapsed()
        }));
    }
    tokio::time::sleep_until(began + BEFORE).await;
    database.asked.lock().unwrap().clear();
    tokio::time::sleep_until(began + BEFORE + COUNTED).await;
    let mut asked = std::mem::take(&mut *database.asked.lock().unwrap());
    asked.values_mut().for_each(|count| *count /= COUNTED.as_secs());
    let mut took = Vec::new();
    for logout in logouts {
        took.push(logout.await.unwrap());
    }
    took.sort_unstable();
    Figures { asked, median: took[took.len() / 2], p99: took[took.len() * 99 / 100], logouts: took.len() }
}

fn figures(nodes: usize, relays: usize, per_second: u64, takers: usize) -> Figures {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let figures = runtime.block_on(measure(nodes, relays, per_second, takers));
    let Figures { asked, median, p99, .. } = &figures;
    println!(
        "{nodes} nodes, {relays} relays, {per_second} logouts/s on {takers} nodes: {asked:?} per second; p50 {median:?}, p99 \
         {p99:?}"
    );
    figures
}

#[test]
fn what_scale_costs_the_database() {
    if let Ok(scale) = std::env::var("SIGNOFF_SCALE") {
        let numbers: Vec<usize> = scale.split(',').map(|number| number.parse().unwrap()).collect();
        figures(numbers[0], numbers[1], numbers[2] as u64, numbers[3]);
        return;
    }
    let (alone, behind) = (figures(60, 0, 200, 60), figures(60, 2, 200, 60));
    assert_eq!((alone.logouts, behind.logouts), (600, 600));
    for what in ["log reads", "renewals"] {
        assert!(behind.asked[what] * 4 < alone.asked[what], "relays do not relieve the database: {what}");
    }
}
