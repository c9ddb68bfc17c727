//! "Is it revoked?", asked of a replica, of moka, and of Redis over loopback.
//!
//! Claims: what one check takes of a `get` of moka and of a round trip to Redis, and how many checks' time the verdict on
//! a whole token takes, which has five scopes.

use std::error::Error;
use std::hint::black_box;
use std::io;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use signoff_benches::{Contestant, Length, Unit, claim, interleave, nanos_each, remark};
use signoff_revocation::{LogPage, Position, Replica, Revocation, Scope, Timestamp, Verdict};
use tempfile::TempDir;

/// Lookups per measurement.
const BATCH: usize = 1_000;
/// The name of the key that signed, and of the client, of every token: most applications have few.
const KEY: &str = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
const CLIENT: &str = "https://bank.example/api";

fn main() -> Result<(), Box<dyn Error>> {
    let length = Length::from_args();
    remark(format_args!(
        "One lookup of a random 16-byte id among live entries, 99 % misses. Each measurement is {BATCH} lookups in a row, \
         divided;\nthe next id depends on the last answer. The loop that makes the ids is included and shown as \"nothing\"."
    ));
    for (live, id) in [(100_000, "check-moka-1e5"), (1_000_000, "check-moka-1e6")] {
        let replica = replica(live)?;
        let cache = moka::sync::Cache::new(2 * live);
        (0..live).for_each(|index| cache.insert(session(index), index));
        cache.run_pending_tasks();

        let subjects = (0..1_024).map(subject).collect::<Vec<_>>();
        let check = |id: [u8; 16]| replica.verdict(&[Scope::Session(&id)], Position::MAX) == Verdict::Alive;
        let whole = |id: [u8; 16]| {
            let subject = &subjects[usize::from(u16::from_le_bytes([id[0], id[1]]) % 1_024)];
            let token = [
                Scope::Session(&id),
                Scope::Subject(subject),
                Scope::Client(CLIENT),
                Scope::Token(&id),
                Scope::Key(KEY),
            ];
            replica.verdict(&token, Position::MAX) == Verdict::Alive
        };
        let [_, one, five, moka, _] = interleave(
            &format!("{live} live sessions (ours: and a fifth as many tokens and subjects)"),
            Unit::Nanoseconds,
            length.pick(301, 101),
            [
                Contestant::new("nothing", batches(live, |id| id[0] != 0)),
                Contestant::new("Replica::verdict, one session scope", batches(live, check)),
                Contestant::new("Replica::verdict, five scopes of a token", batches(live, whole)),
                Contestant::new("moka 0.12 sync::Cache::get", batches(live, |id| cache.get(&id).is_none())),
                Contestant::new("one session scope, two threads at once, each", two_threads(live, &check)),
            ],
        );
        claim(id, &one, &moka);
        if live == 1_000_000 {
            claim("verdict-scopes", &five, &one);

            let server = Redis::start()?;
            let mut redis = server.connect()?;
            fill(&mut redis, live)?;
            let exists = |id: [u8; 16]| {
                let found: Result<u64, _> = redis::cmd("EXISTS").arg(id.as_slice()).query(&mut redis);
                found.expect("Redis answers") == 0
            };
            let [one, exists] = interleave(
                "the same, against Redis on a loopback connection that is kept",
                Unit::Nanoseconds,
                length.pick(51, 21),
                [
                    Contestant::new("Replica::verdict, one session scope", batches(live, check)),
                    Contestant::new("Redis EXISTS over loopback", batches(live, exists)),
                ],
            );
            claim("check-redis", &one, &exists);
        }
    }
    Ok(())
}

/// Measures batches of lookups; all contestants draw the same ids in the same order.
fn batches(live: u64, mut look_up: impl FnMut([u8; 16]) -> bool) -> impl FnMut() -> f64 {
    let mut draw = 0;
    move || {
        nanos_each(BATCH, |_| {
            // One index in a hundred is that of a session that is cut off.
            let index = (u128::from(mix(draw)) * u128::from(100 * live)) >> 64;
            let alive = look_up(session(black_box(index as u64)));
            // Nearly always one more; the processor has to wait for the answer to know.
            draw += 1 + u64::from(black_box(!alive));
        })
    }
}

/// Nanoseconds per lookup when two threads look up at once: what sharing costs.
fn two_threads(live: u64, look_up: &(impl Fn([u8; 16]) -> bool + Sync)) -> impl FnMut() -> f64 {
    let mut round = 0;
    move || {
        round += 1;
        let run = |thread: u64| {
            let mut draw = (thread + 2 * round) << 32;
            // Long enough for both to be under way most of the time.
            nanos_each(20 * BATCH, |_| {
                draw += 1;
                let index = (u128::from(mix(draw)) * u128::from(100 * live)) >> 64;
                black_box(look_up(session(index as u64)));
            })
        };
        thread::scope(|scope| {
            let other = scope.spawn(|| run(1));
            let here = run(0);
            f64::midpoint(here, other.join().unwrap_or(here))
        })
    }
}

/// A replica with `live` sessions cut off, a tenth as many tokens and subjects, a few clients, and a key.
fn replica(live: u64) -> Result<Replica, Box<dyn Error>> {
    let replica = Replica::new();
    let mut after = Position::ZERO;
    let mut append = |scope: Scope<'_>| {
        let through = after.following().ok_or("no positions left")?;
        let entries = vec![Revocation::new(scope, through, Timestamp::MAX)];
        replica.apply(&LogPage { after, entries, through })?;
        after = through;
        Ok::<_, Box<dyn Error>>(())
    };
    for index in 0..live {
        append(Scope::Session(&session(index)))?;
        if index % 10 == 0 {
            append(Scope::Token(&session(index | 1 << 60)))?;
            // One in a hundred of the subjects that are asked for: cut off, but the token was born later.
            append(Scope::Subject(&subject(if index < 100 { index } else { index + 10_000 })))?;
        }
    }
    for client in ["old-app", "older-app", "partner"] {
        append(Scope::Client(client))?;
    }
    append(Scope::Key("2019"))?;
    Ok(replica)
}

/// The id of a session, random for all that a hash table can tell.
fn session(index: u64) -> [u8; 16] {
    let (low, high) = (mix(index ^ 0x5157), mix(index.wrapping_add(0x9e37_79b9_7f4a_7c15)));
    (u128::from(low) | u128::from(high) << 64).to_le_bytes()
}

fn subject(index: u64) -> String {
    format!("user-{:016x}", mix(index))
}

/// The finaliser of SplitMix64: a bijection that leaves no pattern.
const fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// A Redis of our own, which ends with the bench.
struct Redis {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Redis {
    fn start() -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let spawn = || {
            Command::new("redis-server")
                .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"])
                .arg("--dir")
                .arg(folder.path())
                .stdout(Stdio::null())
                .spawn()
        };
        let process = spawn().or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                return Err(error);
            }
            Command::new("apt-get").args(["install", "-y", "redis-server"]).status()?;
            spawn()
        });
        let process =
            process.map_err(|error| format!("this bench needs redis-server, which does not start: {error}"))?;
        Ok(Self { process, port, _folder: folder })
    }

    fn connect(&self) -> Result<redis::Connection, Box<dyn Error>> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port))?;
        for _ in 0..100 {
            if let Ok(connection) = client.get_connection() {
                return Ok(connection);
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err("redis-server does not answer".into())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Nothing can be done about a process that is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn fill(redis: &mut redis::Connection, live: u64) -> Result<(), redis::RedisError> {
    for chunk in (0..live).collect::<Vec<_>>().chunks(10_000) {
        let mut pipe = redis::pipe();
        for index in chunk {
            pipe.cmd("SET").arg(session(*index).as_slice()).arg(1).ignore();
        }
        pipe.query::<()>(redis)?;
    }
    Ok(())
}
