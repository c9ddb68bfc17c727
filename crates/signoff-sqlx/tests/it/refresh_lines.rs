//! Refreshes over a line that breaks at any byte, on its way there or back: whatever was told, the retry gets the one successor,
//! and nobody is taken for a thief. As in `lines`, `SIGNOFF_LONG=1` tries every byte.

use std::time::Duration;

use signoff::refresh::Refresh;
use signoff::{Algorithm, Context, Denied, ErrorKind, KeySet, Login, Settings, SigningKey, Signoff};
use signoff_test_servers::{Proxy, Spoil, Way};
use tokio::time::Instant;

use crate::lines::places;
use crate::service::{Database, accepts, alice};

async fn refresh(signoff: &Signoff, token: &str) -> Result<[String; 2], Denied> {
    let refreshed = signoff.refresh(token, Context::new()).await?;
    Ok([refreshed.token.expose().to_owned(), refreshed.refresh_token.expose().to_owned()])
}

async fn log_in(signoff: &Signoff) -> String {
    signoff.log_in(Login::new(alice())).await.unwrap().refresh_token.unwrap().expose().to_owned()
}

/// How many bytes a refresh takes, there and back, once its statements are prepared.
async fn measure(signoff: &Signoff, line: &Proxy) -> [(Way, u64); 2] {
    let mut taken = [(Way::There, 0), (Way::Back, 0)];
    for _ in 0..2 {
        let token = log_in(signoff).await;
        let before = taken.map(|(way, _)| line.passed(way));
        refresh(signoff, &token).await.unwrap();
        for ((way, taken), before) in taken.iter_mut().zip(before) {
            *taken = line.passed(*way) - before;
        }
    }
    taken
}

/// One refresh with the line spoiled at this byte, and everything that must hold. Whether it was told.
async fn try_at(signoff: &Signoff, line: &Proxy, way: Way, at: u64, how: Spoil) -> bool {
    let warm = log_in(signoff).await;
    refresh(signoff, &warm).await.unwrap();
    let token = log_in(signoff).await;
    line.spoil(way, at, how);
    let told = refresh(signoff, &token).await;
    let context = format!("{how:?} at byte {at} {way:?}: {told:?}");
    assert!(told.is_ok() || !line.is_pending(), "{context}: the byte never came");
    line.heal();
    let is_told = told.is_ok();
    let began = Instant::now();
    let mut answer = told;
    let [access, successor] = loop {
        match answer {
            Ok(tokens) => break tokens,
            Err(Denied::Failed(error)) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{context}"),
            Err(Denied::Rejected(rejection)) => panic!("{context}: a bad line became a rejection: {rejection:?}"),
        }
        assert!(began.elapsed() < Duration::from_secs(40), "{context}: a retry does not complete");
        tokio::time::sleep(Duration::from_millis(20)).await;
        answer = refresh(signoff, &token).await;
    };
    assert!(accepts(signoff, &access).await, "{context}");
    let [_, again] = refresh(signoff, &token).await.unwrap();
    assert!(again == successor, "{context}: there are two successors");
    assert!(refresh(signoff, &successor).await.is_ok(), "{context}: the successor is none");
    is_told
}

async fn cut_at_any_byte(database: Database) {
    let (line, by_line) = database.by_line();
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.refresh = Some(Refresh::default());
    let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap());
    let signoff = Signoff::open(by_line.join().await.unwrap(), keys, settings).await.unwrap();
    for (way, bytes) in measure(&signoff, &line).await {
        let (mut told, mut tried) = ([0, 0], 0);
        for at in places(bytes) {
            tried += 1;
            for (how, told) in [Spoil::Cut, Spoil::CutAll].into_iter().zip(&mut told) {
                *told += u32::from(try_at(&signoff, &line, way, at, how).await);
            }
        }
        assert_eq!(told[0], tried, "{way:?}: one connection was cut, and a request is repeated on another");
        assert!(told[1] * 4 < tried.max(8), "{way:?}: with no line at all, nothing can be known");
    }
    signoff.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_to_postgres_that_is_cut_at_any_byte() {
    let [_, postgres] = Database::each();
    cut_at_any_byte(postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_to_mariadb_that_is_cut_at_any_byte() {
    let [mariadb, _] = Database::each();
    cut_at_any_byte(mariadb).await;
}
