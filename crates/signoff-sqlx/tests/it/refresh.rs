//! Refreshing on a file: killed at any point, the retry gets the one successor; what a stolen copy opens; many at once.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use signoff::refresh::{Refresh, Refreshed};
use signoff::{Algorithm, Cause, Context, Denied, KeySet, Login, Rejection, Settings, SigningKey, Signoff};
use signoff_sqlx::SqliteStore;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::service::{accepts, alice};

/// Every named point of a refresh that rotates, in order. One that finds a thief has those of a sign-off between what is
/// written and the commit.
const STEPS: [&str; 10] = [
    "refresh: queued",
    "refresh: before the transaction",
    "exchange: begun",
    "exchange: decided",
    "exchange: written",
    "exchange: before the commit",
    "exchange: committed",
    "refresh: after the transaction",
    "refresh: in force",
    "refresh: decided",
];
const FIRST_DURABLE: usize = 6;
const WITHIN_A_THEFT: [&str; 5] = [
    "sign-off: destroyed",
    "sign-off: head moved",
    "sign-off: logged",
    "sign-off: recorded",
    "sign-off: before the commit",
];

/// Opens the file with a grace that is either longer than any test or zero.
async fn open(path: &Path, grace: Duration) -> Signoff {
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.refresh = Some(Refresh::default().grace(grace).unwrap());
    let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap());
    Signoff::open(SqliteStore::open(path).await.unwrap(), keys, settings).await.unwrap()
}

async fn log_in(signoff: &Signoff) -> (String, String) {
    let issued = signoff.log_in(Login::new(alice())).await.unwrap();
    (issued.token.expose().to_owned(), issued.refresh_token.unwrap().expose().to_owned())
}

async fn refresh(signoff: &Signoff, token: &str) -> Result<Refreshed, Denied> {
    signoff.refresh(token, Context::new()).await
}

async fn next(signoff: &Signoff, token: &str) -> String {
    refresh(signoff, token).await.unwrap().refresh_token.expose().to_owned()
}

fn refusal(outcome: Result<Refreshed, Denied>) -> Rejection {
    match outcome {
        Err(Denied::Rejected(rejection)) => rejection,
        other => panic!("{other:?}"),
    }
}

/// Not a test of its own: the child that is killed, or that lists the points.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(step) = std::env::var("SIGNOFF_REFRESH_STEP") else { return };
    let variable = |name: &str| std::env::var(name).unwrap();
    let signoff = open(Path::new(&variable("SIGNOFF_PATH")), grace(variable("SIGNOFF_THEFT") == "true")).await;
    static STEP: OnceLock<String> = OnceLock::new();
    STEP.set(step).unwrap();
    signoff::test_util::on_step(|step| {
        println!("at {step}");
        if STEP.get().is_some_and(|wanted| wanted == step) {
            Command::new("kill").args(["-KILL", &std::process::id().to_string()]).status().unwrap();
            loop {
                std::thread::park();
            }
        }
    });
    let outcome = refresh(&signoff, &variable("SIGNOFF_ARGUMENT")).await;
    println!("told {}", outcome.is_ok());
}

const fn grace(theft: bool) -> Duration {
    if theft { Duration::ZERO } else { Duration::from_secs(300) }
}

/// What a child prints that refreshes, and the signal that ended it.
fn spawn(step: &str, path: &Path, theft: bool, token: &str) -> (String, Option<i32>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "refresh::child", "--nocapture", "--include-ignored"])
        .env("SIGNOFF_REFRESH_STEP", step)
        .env("SIGNOFF_PATH", path)
        .env("SIGNOFF_THEFT", theft.to_string())
        .env("SIGNOFF_ARGUMENT", token)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut printed = String::new();
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    (printed, child.wait().unwrap().signal())
}

fn kill_at(step: &str, path: &Path, theft: bool, token: &str) {
    let (printed, signal) = spawn(step, path, theft, token);
    assert_eq!(signal, Some(9), "{step}: the point was not reached\n{printed}");
    assert!(!printed.contains("told"), "{step}");
}

#[tokio::test]
async fn killed_at_every_point_the_retry_gets_the_one_successor() {
    for (n, step) in STEPS.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bank.sqlite3");
        let signoff = open(&path, grace(false)).await;
        let (access, token) = log_in(&signoff).await;
        signoff.close().await;

        kill_at(step, &path, false, &token);
        let generation = number(&path, "SELECT generation FROM signoff_refresh").await;
        assert_eq!(generation, if n < FIRST_DURABLE { 1 } else { 2 }, "{step}");
        let signoff = open(&path, grace(false)).await;
        let successor = next(&signoff, &token).await;
        assert_eq!(next(&signoff, &token).await, successor, "{step}: a second branch");
        assert!(accepts(&signoff, &access).await);
        let _ = refresh(&signoff, &successor).await.unwrap();
        assert_eq!(refusal(refresh(&signoff, &token).await), Rejection::Reused);
        assert!(!accepts(&signoff, &access).await);
        signoff.close().await;
    }
}

#[tokio::test]
async fn killed_at_every_point_of_a_theft_the_session_is_whole_or_dead() {
    for step in STEPS.iter().filter(|step| **step != "refresh: decided").chain(&WITHIN_A_THEFT) {
        let durable = STEPS.iter().position(|s| s == step).is_some_and(|n| n >= FIRST_DURABLE);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bank.sqlite3");
        let signoff = open(&path, grace(true)).await;
        let (access, token) = log_in(&signoff).await;
        let successor = next(&signoff, &token).await;
        signoff.close().await;

        kill_at(step, &path, true, &token);
        let signoff = open(&path, grace(true)).await;
        assert_eq!(accepts(&signoff, &access).await, !durable, "{step}");
        assert_eq!(signoff.sessions(&alice(), None).await.unwrap().len(), usize::from(!durable), "{step}");
        let records = signoff.audit_trail(&alice()).await.unwrap().len();
        assert_eq!(records, if durable { 2 } else { 1 }, "{step}: the record belongs to the transaction");
        let expect = if durable { Rejection::Revoked } else { Rejection::Reused };
        assert_eq!(refusal(refresh(&signoff, &token).await), expect, "{step}");
        assert_eq!(refusal(refresh(&signoff, &successor).await), Rejection::Revoked, "{step}");
        assert!(!accepts(&signoff, &access).await, "{step}");
        signoff.close().await;
    }
}

#[tokio::test]
async fn the_points_of_a_refresh_are_these() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bank.sqlite3");
    let signoff = open(&path, grace(true)).await;
    let (_, token) = log_in(&signoff).await;
    signoff.close().await;
    // Processes of their own, where nobody else reaches points.
    let points = || {
        let (printed, _) = spawn("none", &path, true, &token);
        printed.lines().filter_map(|line| line.strip_prefix("at ").map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(points(), STEPS);
    let (before, after) = STEPS.split_at(FIRST_DURABLE - 1);
    assert_eq!(points(), [before, &WITHIN_A_THEFT, after].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_tabs_get_one_successor() {
    let folder = tempfile::tempdir().unwrap();
    let signoff = Arc::new(open(&folder.path().join("bank.sqlite3"), grace(false)).await);
    let (_, mut token) = log_in(&signoff).await;
    for _ in 0..3 {
        let tabs: Vec<_> = (0..100)
            .map(|_| {
                let (signoff, token) = (Arc::clone(&signoff), token.clone());
                tokio::spawn(async move { next(&signoff, &token).await })
            })
            .collect();
        let mut successors = Vec::new();
        for tab in tabs {
            successors.push(tab.await.unwrap());
        }
        successors.dedup();
        assert_eq!(successors.len(), 1);
        token = successors.remove(0);
    }
}

#[tokio::test]
async fn a_stolen_file_holds_no_token_and_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bank.sqlite3");
    let signoff = open(&path, grace(false)).await;
    let (_, first) = log_in(&signoff).await;
    let second = next(&signoff, &first).await;
    let third = next(&signoff, &second).await;
    // While it is open: closing puts the files together, in its own time.
    let (mut bytes, mut seen) = (0, false);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let content = std::fs::read(entry.unwrap().path()).unwrap();
        let holds = |text: &str| content.windows(text.len()).any(|window| window == text.as_bytes());
        for token in [&first, &second, &third] {
            assert!(!holds(&token[4..25]) && !holds(&token[25..47]), "locator or secret");
        }
        bytes += content.len();
        seen |= holds("alice");
    }
    assert!(bytes > 0 && seen, "these are the files of the session");
    signoff.close().await;
    assert_eq!(number(&path, "SELECT length(sealed) FROM signoff_refresh").await, 50);
}

#[tokio::test]
async fn what_was_changed_in_the_file_is_no_token() {
    for sql in [
        "UPDATE signoff_refresh SET sealed = x'00'",
        "UPDATE signoff_refresh SET sealed = zeroblob(50)",
        "UPDATE signoff_refresh SET current = zeroblob(32)",
        "UPDATE signoff_refresh SET sealed = x''",
        "UPDATE signoff_refresh SET current = x'00'",
        "UPDATE signoff_refresh SET grace_until = -1",
        "UPDATE signoff_refresh SET reuse = x'00'",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bank.sqlite3");
        let signoff = open(&path, grace(false)).await;
        let (_, token) = log_in(&signoff).await;
        let _ = refresh(&signoff, &token).await.unwrap();
        signoff.close().await;
        crate::files::tamper(&path, sql).await;
        let signoff = open(&path, grace(false)).await;
        let refused = refresh(&signoff, &token).await.unwrap_err();
        assert!(
            matches!(&refused, Denied::Failed(error) if error.kind() == signoff::ErrorKind::Data),
            "{sql}: {refused:?}"
        );
        // The broken row stands in nobody's way out.
        assert_eq!(signoff.log_out(&[&token], Cause::logout()).await.unwrap().destroyed(), 1, "{sql}");
        signoff.close().await;
    }
}

#[tokio::test]
async fn a_database_from_before_gets_refresh_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bank.sqlite3");
    let signoff = open(&path, grace(false)).await;
    let (access, _) = log_in(&signoff).await;
    signoff.close().await;
    crate::files::tamper(&path, "DROP TABLE signoff_refresh; DELETE FROM _signoff_migrations WHERE version = 3").await;
    let signoff = open(&path, grace(false)).await;
    assert!(accepts(&signoff, &access).await);
    let (_, token) = log_in(&signoff).await;
    let _ = refresh(&signoff, &token).await.unwrap();
}

/// A number from the file.
async fn number(path: &Path, sql: &'static str) -> i64 {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let number = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    number
}
