//! Database servers: the service, or the server under it, is killed at every point of a logout. What holds afterwards is
//! decided by the commit alone, and a retry completes. On files, `crash` does the same.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;

use signoff::{Cause, Delivery, Signoff};
use signoff_test_servers::{Failure, MariaDb, Postgres};

use crate::crash::{FIRST_DURABLE, STEPS, spawn};
use crate::service::{Database, accepts, alice, log_in, serve};

/// The points of a logout of one session, which is a single statement on a server. `STEPS` are those of everywhere.
const LONE: [&str; 7] = [
    "logout: queued",
    "logout: before the transaction",
    "sign-off: begun",
    "sign-off: committed",
    "logout: after the transaction",
    "logout: in force",
    "logout: before the answer",
];

/// Every point of both, and which kind of token to try it with.
fn points() -> impl Iterator<Item = (&'static str, &'static str, Delivery)> {
    let lone = LONE.into_iter().map(|step| ("one", step, Delivery::Jwt));
    lone.chain(STEPS.into_iter().map(|step| ("everywhere", step, Delivery::Opaque)))
}

fn is_durable(step: &str) -> bool {
    let place = |wanted: &str| STEPS.iter().position(|step| *step == wanted);
    place(step) >= place(FIRST_DURABLE)
}

/// Exactly what the commit decided, and then the retry.
async fn judge(signoff: Signoff, tokens: [&str; 2], everywhere: bool, durable: bool, context: &str) {
    let [token, sibling] = tokens;
    assert_eq!(accepts(&signoff, token).await, !durable, "{context}");
    assert_eq!(accepts(&signoff, sibling).await, !(durable && everywhere), "{context}");
    let listed = signoff.sessions(&alice(), None).await.unwrap().len();
    assert_eq!(listed, if !durable { 2 } else { usize::from(!everywhere) }, "{context}: half dead");
    // Two logins, and a record for each session that ended, and one for everywhere.
    let ended = if everywhere { 3 } else { 1 };
    let records = signoff.audit_trail(&alice()).await.unwrap().len();
    assert_eq!(records, 2 + if durable { ended } else { 0 }, "{context}: the records belong to the transaction");
    let receipt = match everywhere {
        true => signoff.log_out_everywhere(&[token], Cause::logout()).await.unwrap(),
        false => signoff.log_out(&[token], Cause::logout()).await.unwrap(),
    };
    assert_eq!(receipt.destroyed() > 0, !durable, "{context}");
    assert!(!accepts(&signoff, token).await, "{context}: a retry completes");
    assert_eq!(accepts(&signoff, sibling).await, !everywhere, "{context}");
    signoff.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_is_killed_at_every_point() {
    for (target, step, delivery) in points() {
        for database in Database::each() {
            let signoff = serve(database.open().await.unwrap(), delivery).await.unwrap();
            let (token, sibling) = (log_in(&signoff).await, log_in(&signoff).await);
            signoff.close().await;

            let mut child = spawn(&format!("{target}|{step}"), database.url(), delivery, &token);
            let mut told = String::new();
            child.stdout.take().unwrap().read_to_string(&mut told).unwrap();
            let context = format!("{database:?}, {target}, {step}");
            assert_eq!(child.wait().unwrap().signal(), Some(9), "{context}: the point was not reached\n{told}");
            assert!(!told.contains("told"), "{context}");

            let signoff = serve(database.open().await.unwrap(), delivery).await.unwrap();
            judge(signoff, [&token, &sibling], target == "everywhere", is_durable(step), &context).await;
        }
    }
}

async fn the_server_is_killed(
    database: impl Fn() -> Database,
    crash: impl Fn() -> Result<(), Failure>,
    start_again: impl Fn() -> Result<(), Failure>,
) {
    for (target, step, delivery) in points() {
        let database = database();
        let signoff = serve(database.open().await.unwrap(), delivery).await.unwrap();
        let (token, sibling) = (log_in(&signoff).await, log_in(&signoff).await);
        signoff.close().await;

        let mut child = spawn(&format!("waiting {target}|{step}"), database.url(), delivery, &token);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line == "waiting"), "{step}: the point was not reached");
        crash().unwrap();
        child.stdin.take().unwrap().write_all(b"go on\n").unwrap();
        let told = lines.find(|line| line == "told" || line.starts_with("refused"));
        let told = told.unwrap_or_else(|| panic!("{step}: neither told nor refused"));
        child.wait().unwrap();
        start_again().unwrap();

        let durable = is_durable(step);
        let context = format!("{database:?}, {target}, {step}: {told}");
        // Who had the server's word before it died may be told; who had not is not told.
        assert_eq!(told == "told", durable, "{context}");
        assert!(durable || told.contains("Unavailable"), "{context}");
        let signoff = serve(database.open().await.unwrap(), delivery).await.unwrap();
        judge(signoff, [&token, &sibling], target == "everywhere", durable, &context).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_killed_at_every_point() {
    let server = Postgres::start(&[]).unwrap();
    let database = || Database::Postgres(server.database().unwrap());
    the_server_is_killed(database, || server.crash(), || server.start_again()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_is_killed_at_every_point() {
    let server = MariaDb::start(&[]).unwrap();
    let database = || Database::MariaDb(server.database().unwrap());
    the_server_is_killed(database, || server.crash(), || server.start_again()).await;
}
