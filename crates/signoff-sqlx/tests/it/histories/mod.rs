//! Histories of real processes on real databases, under faults: lines that are cut, stall and lag, processes that are
//! stopped, continued and killed, databases that are killed, wall clocks that are set. What happened is held against the
//! rules of `signoff/tests/histories`.
//!
//! `SIGNOFF_HISTORIES=100` makes so many on each database, some at a time.

#![allow(clippy::print_stdout, reason = "what happened is there to be read")]

mod fleet;
#[path = "../../../../signoff/tests/histories/mod.rs"]
mod history;
mod node;

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use signoff_test_servers::{MariaDb, Postgres, Proxy};

use crate::service::Database;
use fleet::{History, Plan, live};
use history::mistakes::Mistake;
use history::{Checked, check};

/// A server of its own, for it will be killed.
enum Server {
    MariaDb(MariaDb),
    Postgres(Postgres),
}

impl Server {
    /// So many lines to one new database.
    fn lines(&self, count: u64) -> Vec<(Proxy, Database)> {
        let url = match self {
            Self::MariaDb(server) => server.database().unwrap(),
            Self::Postgres(server) => server.database().unwrap(),
        };
        let line = |_| match self {
            Self::MariaDb(server) => {
                let line = server.line().unwrap();
                let url = server.url_by(&line, &url);
                (line, Database::MariaDb(url))
            }
            Self::Postgres(server) => {
                let line = server.line().unwrap();
                let url = server.url_by(&line, &url);
                (line, Database::Postgres(url))
            }
        };
        (0..count).map(line).collect()
    }

    fn restart(&self) {
        match self {
            Self::MariaDb(server) => server.crash().and_then(|()| server.start_again()),
            Self::Postgres(server) => server.crash().and_then(|()| server.start_again()),
        }
        .unwrap();
    }
}

/// Makes a history on each of these servers at once and checks it.
fn history(server: &'static Server, plan: Plan) -> Result<Checked, String> {
    let nodes = 3 + plan.seed % 3;
    let lines = server.lines(nodes);
    let (seed, name) = (plan.seed, if matches!(server, Server::MariaDb(_)) { "MariaDB" } else { "PostgreSQL" });
    let is_right = plan.mistake.is_none();
    let History { events, wrong, faults, recovery } = live(plan, lines, move || {
        // Of those that have it for themselves.
        if is_right {
            server.restart();
        }
    });
    // How long it takes to recover depends on what else the machine does; the simulation, whose time is its own, is strict.
    let troubles: Vec<_> = (0..nodes as usize).map(|node| (node, Duration::ZERO, Duration::MAX)).collect();
    let told = |broken| format!("{name}, history {seed}: {broken}\n  {}", faults.join("\n  "));
    let checked = check(&events, &troubles).map_err(told)?;
    if is_right && !wrong.is_empty() {
        return Err(told(wrong.join("\n")));
    }
    println!("{name}, history {seed}: {checked:?}, all answered again after {recovery:?}");
    Ok(checked)
}

fn servers() -> [&'static Server; 2] {
    // They end with the process.
    [Server::Postgres(Postgres::start(&[]).unwrap()), Server::MariaDb(MariaDb::start(&[]).unwrap())]
        .map(|server| &*Box::leak(Box::new(server)))
}

#[test]
fn no_history_breaks_the_promise() {
    let count = std::env::var("SIGNOFF_HISTORIES").ok().map(|count| count.parse::<u64>().unwrap());
    let (rough, calm) = (Duration::from_secs(if count.is_some() { 17 } else { 9 }), Duration::from_secs(2));
    let (servers, mut sum, mut seeds) = (servers(), Checked::default(), 0..count.unwrap_or(1));
    // How much happens in a history depends on what else the machine does. Where it was too little, there are more of them.
    for _ in 0..5 {
        let made = Mutex::new(Checked::default());
        thread::scope(|scope| {
            for server in servers {
                let (seeds, made) = (seeds.clone(), &made);
                scope.spawn(move || {
                    for seed in seeds {
                        let plan = Plan { seed, mistake: None, opaque: seed % 4 == 3, rough, calm };
                        match history(server, plan) {
                            Ok(checked) => *made.lock().unwrap() += checked,
                            Err(broken) => panic!("{broken}"),
                        }
                    }
                });
            }
        });
        sum += made.into_inner().unwrap();
        println!("{sum:?}");
        if sum.logouts > 50 && sum.after_logout > 5_000 && sum.stale > 20 {
            return;
        }
        seeds = seeds.end..seeds.end + 1;
    }
    panic!("they would pass if nothing happened: {sum:?}");
}

#[test]
fn every_mistake_is_noticed() {
    let mistakes = Mistake::ALL.into_iter().filter(|mistake| *mistake != Mistake::Upsert);
    let server = servers()[0];
    let missed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for mistake in mistakes {
            let missed = &missed;
            scope.spawn(move || {
                for seed in 0..12 {
                    let rough = Duration::from_secs(9);
                    let calm = Duration::ZERO;
                    let plan = Plan { seed: 3 * seed, mistake: Some(mistake), opaque: false, rough, calm };
                    if let Err(broken) = history(server, plan) {
                        println!("{mistake:?}: {broken}");
                        return;
                    }
                }
                missed.lock().unwrap().push(mistake);
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "{missed:?}");
}
