//! A process that is killed between our commit and their destroy, on every database: the next one finishes the logout,
//! although nobody asks for it.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signoff::audit::AuditKind;
use signoff::store::{IntentsOf, SessionTarget, Target};
use signoff::time::Timestamp;
use signoff::{
    Algorithm, Cause, Delivery, Destroyers, KeySet, Login, MemoryStore, SessionId, Settings, SigningKey, Signoff,
    Store, Subject,
};
use signoff_sqlx::SqliteStore;
use sqlx::{AssertSqlSafe, Connection};

use crate::ordering::sign_off;
use crate::service::{BOTH, Database, accepts, alice, until};

/// Where the child is killed, in order. Those of the transaction itself are tested elsewhere.
const STEPS: [&str; 8] = [
    "logout: before the transaction",
    "logout: after the transaction",
    "logout: in force",
    "elsewhere: begun",
    "theirs: before",
    "theirs: after",
    "elsewhere: destroyed",
    "elsewhere: settled",
];

const KEYS: [&str; 2] = ["a", "b"];

const OFTEN: Duration = Duration::from_millis(100);
/// So that a process that is about to die does not finish it otherwise.
const RARELY: Duration = Duration::from_secs(60);

/// Our store, by a path or URL that another process understands.
fn places() -> Vec<(&'static str, Place)> {
    let [mariadb, postgres] = Database::each();
    let folder = tempfile::tempdir().unwrap();
    vec![("sqlite", Place::File(folder)), ("mariadb", Place::Server(mariadb)), ("postgres", Place::Server(postgres))]
}

enum Place {
    File(tempfile::TempDir),
    Server(Database),
}

impl Place {
    fn url(&self) -> String {
        match self {
            Self::File(folder) => folder.path().join("bank.sqlite3").to_str().unwrap().to_owned(),
            Self::Server(database) => database.url().to_owned(),
        }
    }
}

async fn store(url: &str) -> Box<dyn Store> {
    if url.starts_with("mysql:") {
        Database::MariaDb(url.to_owned()).open().await.unwrap()
    } else if url.starts_with("postgres:") {
        Database::Postgres(url.to_owned()).open().await.unwrap()
    } else {
        Box::new(SqliteStore::open(url).await.unwrap())
    }
}

/// Their sessions are files in a folder, which outlive any process.
async fn open(url: &str, theirs: &Path, delivery: Delivery, sweep_every: Duration) -> Signoff {
    let folder = theirs.to_owned();
    let destroy = move |key: String| {
        let folder = folder.clone();
        async move {
            reached("theirs: before");
            match fs::remove_file(folder.join(key)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            reached("theirs: after");
            Ok(())
        }
    };
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.delivery = delivery;
    settings.destroyers = Destroyers::new()
        .with("files", destroy)
        .unwrap()
        .sweep_every(sweep_every)
        .retry(Duration::from_millis(50), Duration::from_secs(1));
    let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap());
    Signoff::open(store(url).await, keys, settings).await.unwrap()
}

static STEP: OnceLock<String> = OnceLock::new();
static SWEPT: AtomicBool = AtomicBool::new(false);

/// Dies here, if this is where.
fn reached(step: &'static str) {
    if step == "elsewhere: swept" {
        SWEPT.store(true, Ordering::SeqCst);
    }
    if STEP.get().is_some_and(|wanted| wanted == step) {
        Command::new("kill").args(["-KILL", &std::process::id().to_string()]).status().unwrap();
        loop {
            std::thread::park();
        }
    }
}

/// Not a test of its own: what the children of the test below do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(step) = std::env::var("SIGNOFF_STEP") else { return };
    let variable = |name: &str| std::env::var(name).unwrap();
    let delivery = if variable("SIGNOFF_DELIVERY") == "Jwt" { Delivery::Jwt } else { Delivery::Opaque };
    signoff::test_util::on_step(reached);
    let signoff = open(&variable("SIGNOFF_URL"), Path::new(&variable("SIGNOFF_THEIRS")), delivery, RARELY).await;
    // The first sweep comes at once.
    until("the first sweep", async || SWEPT.load(Ordering::SeqCst)).await;
    STEP.set(step).unwrap();
    let _ = signoff.log_out(&[&variable("SIGNOFF_TOKEN")], Cause::logout()).await.unwrap();
    println!("told");
}

async fn kill_at(step: &str, url: &str, theirs: &Path, delivery: Delivery, token: &str) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "elsewhere::child", "--nocapture"])
        .env("SIGNOFF_STEP", step)
        .env("SIGNOFF_URL", url)
        .env("SIGNOFF_THEIRS", theirs)
        .env("SIGNOFF_DELIVERY", format!("{delivery:?}"))
        .env("SIGNOFF_TOKEN", token)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut told = String::new();
    child.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9), "{step}: the point was not reached\n{told}");
    assert!(!told.contains("told"), "{step}");
}

fn left(theirs: &Path) -> BTreeSet<String> {
    fs::read_dir(theirs).unwrap().map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_point_and_finished_by_the_next() {
    for (name, place) in places() {
        let url = place.url();
        for (n, step) in STEPS.into_iter().enumerate() {
            let delivery = BOTH[n % 2];
            let context = format!("{name}, {step}");
            let folder = tempfile::tempdir().unwrap();
            let theirs: PathBuf = folder.path().to_owned();
            let signoff = open(&url, &theirs, delivery, OFTEN).await;
            let mut login = Login::new(alice());
            for key in KEYS {
                fs::write(theirs.join(key), "theirs").unwrap();
                login = login.elsewhere("files", key);
            }
            let issued = signoff.log_in(login).await.unwrap();
            let token = issued.token.expose();
            signoff.close().await;

            kill_at(step, &url, &theirs, delivery, token).await;

            let before = left(&theirs).len();
            let signoff = open(&url, &theirs, delivery, OFTEN).await;
            let durable = n > 0;
            assert_eq!(accepts(&signoff, token).await, !durable, "{context}");
            if durable {
                // Nobody repeats the logout.
                let mut attempts = 0;
                while !left(&theirs).is_empty() || !signoff.unfinished_logouts().await.unwrap().is_empty() {
                    attempts += 1;
                    assert!(attempts < 300, "{context}: nobody finishes it");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                let expect = if n < 4 { 2..=2 } else { 0..=if n < 6 { 2 } else { 0 } };
                assert!(expect.contains(&before), "{context}: {before} of theirs were left");
            } else {
                assert_eq!(left(&theirs).len(), 2, "{context}: both or neither");
            }
            let _ = signoff.log_out(&[token], Cause::logout()).await.unwrap();
            assert!(!accepts(&signoff, token).await && left(&theirs).is_empty(), "{context}");
            let fingerprint = issued.session.id.fingerprint();
            let trail = signoff.audit_trail(&alice()).await.unwrap();
            let of_session = trail.iter().filter(|event| event.session.as_ref() == Some(&fingerprint));
            let destroyed = of_session.filter(|event| event.kind == AuditKind::ElsewhereDestroyed).count();
            assert_eq!(destroyed, KEYS.len(), "{context}: one record for each, whoever did it");
            signoff.close().await;
        }
    }
}

/// Theft, logout everywhere and the rest find their links on every database as in memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_sessions_of_a_person_everywhere() {
    let mut stores: Vec<Box<dyn Store>> = vec![Box::new(MemoryStore::new())];
    let places = places();
    for (_, place) in &places {
        stores.push(store(&place.url()).await);
    }
    for store in stores {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let destroy = move |key: String| {
            let file = path.join(key);
            async move { fs::remove_file(file) }
        };
        let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
        settings.destroyers = Destroyers::new().with("files", destroy).unwrap();
        let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap());
        let signoff = Signoff::open(store, keys, settings).await.unwrap();
        let mut last = None;
        for n in 0..100 {
            fs::write(folder.path().join(n.to_string()), "theirs").unwrap();
            last = Some(signoff.log_in(Login::new(alice()).elsewhere("files", &n.to_string())).await.unwrap());
        }
        // This destroyer fails if it is asked twice.
        let receipt = signoff.log_out_everywhere(&[last.unwrap().token.expose()], Cause::logout()).await.unwrap();
        assert_eq!(receipt.destroyed(), 100);
        assert!(left(folder.path()).is_empty() && signoff.unfinished_logouts().await.unwrap().is_empty());
        signoff.close().await;
    }
}

const LIVING: usize = 100_000;

/// Linked sessions as logins make them, of 25,000 people, with the ids 0000000000000001 and so on.
fn many_living(numbers: &str, id: &str, text: impl Fn(&str) -> String) -> String {
    let all = format!(
        "INSERT INTO signoff_session (sid, subject, client_id, born, created_at, authenticated_at, last_seen_at, \
         idle_expires_at, expires_at, version, data) \
         SELECT {id}, {}, 'app', 1, 0, 0, 0, 9000000000000000, 9000000000000000, 1, '' FROM {numbers}; ",
        text("n % 25000"),
    );
    let links = "INSERT INTO signoff_elsewhere SELECT sid, 0, {subject}, 'redis', 'key', 0, 0, expires_at, NULL \
                 FROM signoff_session;";
    all + links
}

/// Millions may live while a few end: what is asked for every ten seconds must not look at them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_living_are_not_looked_at() {
    for (name, place) in places() {
        let url = place.url();
        drop(store(&url).await);
        let postgres = "(SELECT generate_series(1, 100000) AS n) AS numbers";
        let mariadb = "(SELECT seq AS n FROM seq_1_to_100000) AS numbers";
        let sqlite =
            "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000) SELECT n FROM c)";
        match &place {
            Place::Server(database @ Database::Postgres(_)) => {
                let id = "convert_to(lpad(n::text, 16, '0'), 'UTF8')";
                let sql = many_living(postgres, id, |n| format!("({n})::text"));
                database.execute(&sql.replace("{subject}", "convert_to(subject, 'UTF8')")).await;
            }
            Place::Server(database) => {
                let sql = many_living(mariadb, "LPAD(n, 16, '0')", |n| format!("CONCAT({n})"));
                database.execute(&sql.replace("{subject}", "subject")).await;
            }
            Place::File(_) => {
                let sql = many_living(sqlite, "CAST(printf('%016d', n) AS BLOB)", |n| format!("CAST({n} AS TEXT)"));
                let sql = sql.replace("1, ''", "1, x''").replace("{subject}", "CAST(subject AS BLOB)");
                let mut connection = sqlx::SqliteConnection::connect(&format!("sqlite://{url}")).await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
        }
        let store = store(&url).await;
        let now = Timestamp::from_secs(1_000).unwrap();
        let ids = (1..=900).map(|n| SessionId::from_bytes(format!("{n:016}").into_bytes().try_into().unwrap()));
        let targets = ids.map(|id| SessionTarget { id, revoke_unknown_until: None }).collect();
        let everywhere = Target::Subject { subject: Subject::new("7").unwrap(), except: None, revoke_until: now };
        for target in [Target::Sessions(targets), everywhere] {
            store.sign_off(&[sign_off(target)], now).await.unwrap();
        }
        // The first time looks at the entries, the others find what is marked: 64 of 900 and the 3 that were left of 4.
        let mut times = Vec::new();
        for _ in 0..3 {
            let before = tokio::time::Instant::now();
            assert_eq!(store.intents(IntentsOf::Due, 64, now).await.unwrap().len(), 64);
            times.push(before.elapsed());
        }
        let all = store.intents(IntentsOf::All, 2_000, now).await.unwrap();
        assert_eq!(all.len(), 903, "{name}");
        // A look at the living for each entry takes minutes; a look at all of them once is visible too.
        assert!(times[0] < Duration::from_secs(5) && times[2] < Duration::from_millis(100), "{name}: {times:?}");
        println!("{name}, {LIVING} living: {times:?}");
    }
}
