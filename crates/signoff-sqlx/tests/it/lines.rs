//! Logouts over a line that breaks at any byte, on its way there or back. A lost answer is found out by reading the log or
//! the trail, or by a repetition that changes nothing; what cannot be found out is `Unavailable`, and a retry completes.
//!
//! `SIGNOFF_LONG=1` tries every byte; otherwise every 131st, from another one in each part.

use std::fmt::Write;
use std::time::Duration;

use signoff::audit::AuditKind;
use signoff::{
    Algorithm, Cause, Denied, Error, ErrorKind, KeySet, Login, Scope, Settings, SigningKey, Signoff, Store, Subject,
};
use signoff_test_servers::{Proxy, Spoil, Way};
use tokio::time::Instant;

use crate::service::{Database, accepts};

/// A service behind a line, and what others see in the database.
struct Far {
    signoff: Signoff,
    line: Proxy,
    direct: Box<dyn Store>,
    database: Database,
    people: u32,
}

/// What ends, and how often.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wide {
    No,
    Client,
    Everywhere,
}

impl Far {
    async fn open(database: Database, commit_timeout: Duration) -> Self {
        let (line, by_line) = database.by_line();
        let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
        settings.commit_timeout = commit_timeout;
        let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap());
        // Without an owner there is no lock to keep, so all bytes are those of what is tested.
        let signoff = Signoff::open(by_line.join().await.unwrap(), keys, settings).await.unwrap();
        let direct = database.join().await.unwrap();
        Self { signoff, line, direct, database, people: 0 }
    }

    /// Logs in somebody new, twice.
    async fn arrive(&mut self) -> (Subject, String) {
        self.people += 1;
        // Of one length, or they would move the bytes.
        let subject = Subject::new(&format!("person {:06}", self.people)).unwrap();
        let mut token = String::new();
        for _ in 0..2 {
            let issued = self.signoff.log_in(Login::new(subject.clone())).await.unwrap();
            token = issued.token.expose().to_owned();
        }
        (subject, token)
    }

    async fn end(&self, wide: Wide, token: &str) -> Result<u64, Error> {
        let told = match wide {
            Wide::No => self.signoff.log_out(&[token], Cause::logout()).await.map(|receipt| receipt.destroyed()),
            Wide::Everywhere => {
                self.signoff.log_out_everywhere(&[token], Cause::logout()).await.map(|receipt| receipt.destroyed())
            }
            Wide::Client => {
                let client = Scope::Client("https://bank.example/api");
                return self.signoff.revoke(client, Cause::logout()).await.map(|ended| ended.destroyed);
            }
        };
        told.map_err(|denied| match denied {
            Denied::Failed(error) => error,
            Denied::Rejected(rejection) => panic!("a bad line became a rejection: {rejection:?}"),
        })
    }

    /// How many bytes a logout takes, there and back, once its statements are prepared.
    async fn measure(&mut self, wide: Wide) -> [(Way, u64); 2] {
        let mut taken = [(Way::There, 0), (Way::Back, 0)];
        for _ in 0..2 {
            let (_, token) = self.arrive().await;
            let before = taken.map(|(way, _)| self.line.passed(way));
            self.end(wide, &token).await.unwrap();
            for ((way, taken), before) in taken.iter_mut().zip(before) {
                *taken = self.line.passed(*way) - before;
            }
        }
        taken
    }

    /// One logout with the line spoiled at this byte, and everything that must hold. Whether it was told.
    async fn try_at(&mut self, wide: Wide, way: Way, at: u64, how: Spoil) -> bool {
        let (_, warm) = self.arrive().await;
        self.end(wide, &warm).await.unwrap();
        let (subject, token) = self.arrive().await;
        self.line.spoil(way, at, how);
        let told = self.end(wide, &token).await;
        let context = format!("{:?}, {wide:?}, {how:?} at byte {at} {way:?}: {told:?}", self.database);
        // Numbers are not always written with as many bytes: the last ones may never come.
        assert!(told.is_ok() || !self.line.is_pending(), "{context}: the byte never came");
        self.line.heal();
        match &told {
            Ok(_) => assert!(!accepts(&self.signoff, &token).await, "{context}: told, yet alive"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{context}"),
        }
        if told.is_err() {
            let began = Instant::now();
            while let Err(error) = self.end(wide, &token).await {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{context}");
                assert!(began.elapsed() < Duration::from_secs(40), "{context}: a retry does not complete");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert!(!accepts(&self.signoff, &token).await, "{context}: a retry completes");
        }
        self.look(wide, &subject, told.is_ok(), &context).await;
        told.is_ok()
    }

    /// What the database says of somebody who has logged out, and its trail.
    async fn look(&self, wide: Wide, subject: &Subject, at_once: bool, context: &str) {
        let now = signoff::time::Timestamp::from_micros(micros()).unwrap();
        let listed = self.direct.list_sessions(subject, None, 10, now).await.unwrap().len();
        assert_eq!(listed, usize::from(wide == Wide::No), "{context}: what is in the database");
        let trail = self.direct.audit_trail(subject, 10).await.unwrap();
        let count = |kind: AuditKind| trail.iter().filter(|event| event.kind == kind).count();
        let ended = match wide {
            Wide::No => 1,
            Wide::Everywhere => 2,
            Wide::Client => 0,
        };
        assert_eq!(count(AuditKind::LoggedOut), ended, "{context}: each end is recorded once");
        let wide_ends = count(AuditKind::Revoked);
        let expect = if wide == Wide::Everywhere { 1..=if at_once { 1 } else { 2 } } else { 0..=0 };
        assert!(expect.contains(&wide_ends), "{context}: {wide_ends} records of everywhere");
    }
}

#[expect(clippy::disallowed_methods, reason = "the service tells the time by the same clock")]
fn micros() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_micros()).unwrap()
}

/// Every byte of a length, or some.
pub(crate) fn places(bytes: u64) -> impl Iterator<Item = u64> {
    let every = if std::env::var_os("SIGNOFF_LONG").is_some() { 1 } else { 131 };
    // The last one is the answer's last: everything has happened, and nobody knows.
    (bytes % every..bytes).step_by(every as usize).chain([0, bytes - 1])
}

/// What was tried, in a few lines.
async fn cut_at_every_byte(database: Database) -> String {
    let mut report = String::new();
    let mut far = Far::open(database, Duration::from_secs(5)).await;
    for wide in [Wide::No, Wide::Everywhere, Wide::Client] {
        for (way, bytes) in far.measure(wide).await {
            let (mut told, mut tried) = ([0, 0], 0);
            for at in places(bytes) {
                tried += 1;
                for (how, told) in [Spoil::Cut, Spoil::CutAll].into_iter().zip(&mut told) {
                    *told += u32::from(far.try_at(wide, way, at, how).await);
                }
            }
            writeln!(report, "{wide:?} {way:?}: {tried} of {bytes} bytes, told {told:?}").unwrap();
            if wide == Wide::No {
                assert_eq!(told[0], tried, "one connection was cut, and there are others to find out by");
            }
            // The last bytes of an answer may be more than the client needs, but not most of them.
            assert!(told[1] * 4 < tried.max(8), "{way:?}: with no line at all, nothing can be known");
        }
    }
    far.signoff.close().await;
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_to_postgres_that_is_cut_at_any_byte() {
    let [_, postgres] = Database::each();
    println!("{}", cut_at_every_byte(postgres).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_to_mariadb_that_is_cut_at_any_byte() {
    let [mariadb, _] = Database::each();
    println!("{}", cut_at_every_byte(mariadb).await);
}

/// Nobody notices that the line is gone: the caller's time limit tells, the group is given up, and a transaction that was
/// left behind with the head locked is ended by the server.
async fn half_open(database: Database) {
    let mut far = Far::open(database, Duration::from_millis(250)).await;
    for wide in [Wide::No, Wide::Everywhere] {
        let measured = far.measure(wide).await;
        for (way, bytes) in measured {
            for at in [0, bytes * 2 / 3] {
                let told = far.try_at(wide, way, at, Spoil::Stall).await;
                assert!(!told, "{:?}, {wide:?}: nobody can have known", far.database);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_line_to_postgres() {
    let [_, postgres] = Database::each();
    half_open(postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_line_to_mariadb() {
    let [mariadb, _] = Database::each();
    half_open(mariadb).await;
}

/// The other half: the line stalls with the transaction open on the server, and is not healed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_gone_without_a_word_blocks_nobody_for_long() {
    for database in Database::each() {
        let mut far = Far::open(database, Duration::from_millis(250)).await;
        let [(way, bytes), _] = far.measure(Wide::Everywhere).await;
        let (_, token) = far.arrive().await;
        far.line.spoil(way, bytes * 9 / 10, Spoil::Stall);
        assert!(far.end(Wide::Everywhere, &token).await.is_err());
        let began = Instant::now();
        // Another connection of the same service, over the same line.
        while far.end(Wide::Everywhere, &token).await.is_err() {
            assert!(began.elapsed() < Duration::from_secs(40), "{:?}: the head is still locked", far.database);
        }
        assert!(!accepts(&far.signoff, &token).await);
        far.line.heal();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_line_is_only_slow() {
    for database in Database::each() {
        let mut far = Far::open(database, Duration::from_secs(30)).await;
        let (subject, token) = far.arrive().await;
        far.line.delay(Duration::from_millis(40));
        assert_eq!(far.end(Wide::No, &token).await.unwrap(), 1);
        assert_eq!(far.end(Wide::No, &token).await.unwrap(), 0);
        far.look(Wide::No, &subject, true, "slow").await;
        // A caller that gives up hears of nothing; what was asked happens all the same.
        let (subject, token) = far.arrive().await;
        let gave_up = tokio::time::timeout(Duration::from_millis(1), far.end(Wide::No, &token)).await.is_err();
        assert!(gave_up);
        far.line.heal();
        assert_eq!(far.end(Wide::No, &token).await.unwrap(), 0, "{:?}", far.database);
        far.look(Wide::No, &subject, true, "given up").await;
    }
}
