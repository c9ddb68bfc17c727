//! Three nodes on one PostgreSQL: how long a logout takes until no node accepts, what staying joined costs, and how quickly
//! a node is there, or there again.
//!
//! The nodes are three `Signoff`s with stores of their own in one process; the server is private, durable and local. All
//! claims but `verify-joined` are held against a number.

use std::error::Error;
use std::time::Duration;

use signoff::time::{Clock, SystemClock, Timestamp};
use signoff::{
    Algorithm, Cause, KeySet, Login, MemoryStore, Position, Reach, Rejection, Settings, SigningKey, Signoff, Store,
    Subject,
};
use signoff_benches::{Contestant, Length, Series, Unit, claim, interleave, nanos_each, now, quantile, remark};
use signoff_sqlx::{PostgresStore, ServerOptions};
use signoff_test_servers::Postgres;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let length = Length::from_args();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let server = Postgres::start(&[("shared_buffers", "512MB"), ("max_wal_size", "2GB")])?;
    verify(length, &runtime, &server.database()?)?;
    runtime.block_on(async {
        let url = server.database()?;
        let nodes = [
            join(&url, Reach::Everywhere).await?,
            join(&url, Reach::Everywhere).await?,
            join(&url, Reach::Local).await?,
        ];
        lone(length, &nodes).await?;
        propagation(length, &nodes).await?;
        idle(length, &nodes).await?;
        sustained(length, &nodes).await?;
        catch_up(length, &nodes[1], &url).await?;
        for node in nodes {
            node.close().await;
        }
        join_late(length, &server.database()?).await
    })
}

async fn join(url: &str, reach: Reach) -> Result<Signoff, Failure> {
    let options = ServerOptions::new().shared(ServerOptions::LEASE);
    open(PostgresStore::open_with(url, &options).await?, reach).await
}

async fn open(store: impl Store, reach: Reach) -> Result<Signoff, Failure> {
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.reach = reach;
    let key = SigningKey::from_secret(Algorithm::Hs256, &[7; 32])?;
    Ok(Signoff::open(store, KeySet::new(key), settings).await?)
}

async fn log_in(signoff: &Signoff, number: usize) -> Result<String, Failure> {
    let login = Login::new(Subject::new(&format!("person-{number}"))?);
    Ok(signoff.log_in(login).await?.token.expose().to_owned())
}

/// Against the same check of a process that has its store for itself.
fn verify(length: Length, runtime: &tokio::runtime::Runtime, url: &str) -> Result<(), Failure> {
    let (joined, single) = runtime.block_on(async {
        Ok::<_, Failure>((join(url, Reach::Everywhere).await?, open(MemoryStore::new(), Reach::Everywhere).await?))
    })?;
    let tokens =
        runtime.block_on(async { Ok::<_, Failure>([log_in(&joined, 0).await?, log_in(&single, 0).await?]) })?;
    let check = |signoff: &Signoff, token: &str| {
        nanos_each(2_000, |_| assert!(signoff.verify(std::hint::black_box(token)).is_ok(), "it is good"))
    };
    let [ours, base] = interleave(
        "verify, HS256",
        Unit::Nanoseconds,
        length.pick(501, 51),
        [
            Contestant::new("a node", || check(&joined, &tokens[0])),
            Contestant::new("a process that has its store for itself", || check(&single, &tokens[1])),
        ],
    );
    claim("verify-joined", &ours, &base);
    runtime.block_on(async {
        joined.close().await;
        single.close().await;
    });
    Ok(())
}

/// One logout at a time, each on a node that waits for all.
async fn lone(length: Length, nodes: &[Signoff; 3]) -> Result<(), Failure> {
    let (mut middle, mut slow) = (Vec::new(), Vec::new());
    for _ in 0..length.pick(11, 3) {
        let mut taken = Vec::new();
        for number in 0..200 {
            let token = log_in(&nodes[2], number).await?;
            let start = now();
            let receipt = nodes[number % 2].log_out(&[&token], Cause::logout()).await?;
            taken.push((now() - start).as_secs_f64() * 1e9);
            assert_eq!(receipt.destroyed(), 1);
        }
        middle.push(quantile(&mut taken, 0.5));
        slow.push(quantile(&mut taken, 0.99));
    }
    let title = "logout until no node accepts";
    against("everywhere-p50", &Series::new(&format!("{title}, p50 of 200"), Unit::Nanoseconds, middle), "10 ms", 1e7);
    against("everywhere-p99", &Series::new(&format!("{title}, p99 of 200"), Unit::Nanoseconds, slow), "50 ms", 5e7);
    Ok(())
}

/// From when a logout that does not wait has returned until the last of the other nodes refuses.
async fn propagation(length: Length, nodes: &[Signoff; 3]) -> Result<(), Failure> {
    let mut slow = Vec::new();
    for _ in 0..length.pick(11, 3) {
        let mut taken = Vec::new();
        for number in 0..200 {
            let token = log_in(&nodes[0], number).await?;
            let _ = nodes[2].log_out(&[&token], Cause::logout()).await?;
            let start = now();
            while nodes[..2].iter().any(|node| node.verify(&token).err() != Some(Rejection::Revoked)) {
                tokio::time::sleep(Duration::from_micros(50)).await;
            }
            taken.push((now() - start).as_secs_f64() * 1e9);
        }
        slow.push(quantile(&mut taken, 0.99));
    }
    against(
        "propagation-p99",
        &Series::new("until the others refuse, p99 of 200", Unit::Nanoseconds, slow),
        "25 ms",
        2.5e7,
    );
    Ok(())
}

/// What a node writes while nothing happens: its renewals, as the database counts them.
async fn idle(length: Length, nodes: &[Signoff; 3]) -> Result<(), Failure> {
    let renewals = async || {
        let rows = nodes[0].nodes().await?;
        Ok::<_, Failure>(rows.iter().map(|row| row.renewals).sum::<u64>())
    };
    let (before, start) = (renewals().await?, now());
    tokio::time::sleep(Duration::from_secs(length.pick(30, 8) as u64)).await;
    let rate = (renewals().await? - before) as f64 / (now() - start).as_secs_f64() / 3.0;
    against("idle-writes", &Series::new("writes of an idle node", Unit::PerSecond, vec![rate]), "1 a second", 1.0);
    Ok(())
}

/// 192 callers on the two nodes that wait for all.
async fn sustained(length: Length, nodes: &[Signoff; 3]) -> Result<(), Failure> {
    const CALLERS: usize = 192;
    let each = length.pick(60, 8);
    let mut rates = Vec::new();
    for _ in 0..length.pick(5, 3) {
        let mut tokens = Vec::new();
        let logins: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let node = nodes[caller % 3].clone();
                tokio::spawn(async move {
                    let mut theirs = Vec::new();
                    for n in 0..each {
                        theirs.push(log_in(&node, caller * each + n).await?);
                    }
                    Ok::<_, Failure>(theirs)
                })
            })
            .collect();
        for login in logins {
            tokens.push(login.await??);
        }
        let start = now();
        let callers: Vec<_> = tokens
            .into_iter()
            .enumerate()
            .map(|(caller, tokens)| {
                let node = nodes[caller % 2].clone();
                tokio::spawn(async move {
                    for token in tokens {
                        let _ = node.log_out(&[&token], Cause::logout()).await?;
                    }
                    Ok::<_, Failure>(())
                })
            })
            .collect();
        for caller in callers {
            caller.await??;
        }
        rates.push((CALLERS * each) as f64 / (now() - start).as_secs_f64());
    }
    let title = format!("logouts until no node accepts, {CALLERS} callers");
    against("sustained-logouts", &Series::new(&title, Unit::PerSecond, rates), "2,000 a second", 2_000.0);
    Ok(())
}

/// What a node missed in ten minutes at 2,000 logouts a second.
async fn catch_up(length: Length, node: &Signoff, url: &str) -> Result<(), Failure> {
    let count = length.pick(1_200_000, 120_000) as u64;
    let target = 5e9 * count as f64 / 1.2e6;
    let mut connection = PgConnection::connect(url).await?;
    let head = fill(&mut connection, count).await?;
    let start = now();
    while node.nodes().await?.iter().any(|row| row.is_self && row.applied < head) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let taken = (now() - start).as_secs_f64() * 1e9;
    assert!(node.may_answer(), "it has a lease");
    against(
        "catch-up",
        &Series::new(&format!("{count} revocations behind"), Unit::Nanoseconds, vec![taken]),
        "5 s for 1.2 million",
        target,
    );
    connection.close().await?;
    Ok(())
}

/// A node that joins when a million revocations are live.
async fn join_late(length: Length, url: &str) -> Result<(), Failure> {
    let count = length.pick(1_000_000, 100_000) as u64;
    join(url, Reach::Everywhere).await?.close().await;
    let mut connection = PgConnection::connect(url).await?;
    let _ = fill(&mut connection, count).await?;
    connection.close().await?;
    let mut taken = Vec::new();
    for _ in 0..length.pick(5, 3) {
        let start = now();
        let node = join(url, Reach::Everywhere).await?;
        taken.push((now() - start).as_secs_f64() * 1e9);
        assert!(node.may_answer(), "it has a lease");
        node.close().await;
    }
    let title = format!("joining with {count} live revocations");
    against("join-1e6", &Series::new(&title, Unit::Nanoseconds, taken), "5 s for a million", 5e9 * count as f64 / 1e6);
    Ok(())
}

/// Appends revocations of sessions, as logouts do, and returns the head.
async fn fill(connection: &mut PgConnection, count: u64) -> Result<Position, Failure> {
    let time = SystemClock::new().wall().ok_or("the clock is unreadable")?;
    let until = time.saturating_add(Duration::from_secs(100_000)).min(Timestamp::MAX).as_micros();
    let sql = format!(
        "BEGIN; INSERT INTO signoff_log (position, kind, id, expires_at) \
         SELECT greatest(head, {time}) + i, 2, decode(md5(i::text), 'hex'), {until} + i \
         FROM signoff_meta, generate_series(1, {count}::bigint) AS i; \
         UPDATE signoff_meta SET previous = head, head = greatest(head, {time}) + {count}; COMMIT",
        time = time.as_micros(),
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    let head: i64 = sqlx::query_scalar("SELECT head FROM signoff_meta").fetch_one(connection).await?;
    Ok(Position::new(head.unsigned_abs()).ok_or("a head")?)
}

fn against(id: &str, ours: &Series, name: &str, target: f64) {
    let base = ours.target(name, target);
    remark(format_args!("\n  {ours}\n  {base}"));
    claim(id, ours, &base);
}
