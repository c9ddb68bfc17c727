//! Nodes that are processes, on real databases: stopped, continued and killed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use signoff::time::{Clock, SystemClock};
use signoff::{Cause, Delivery, ErrorKind};
use signoff_sqlx::ServerOptions;

use crate::service::{BOTH, Database, LEASE, log_in, serve};

/// A node that does what it is told, line by line.
struct Node {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Node {
    fn start(database: &Database, delivery: Delivery) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "nodes::child", "--nocapture", "--include-ignored"])
            .env("SIGNOFF_NODE", database.url())
            .env("SIGNOFF_DELIVERY", format!("{delivery:?}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut node = Self { child, input, output };
        assert_eq!(node.answer(), "joined");
        node
    }

    fn tell(&mut self, order: &str) {
        writeln!(self.input, "{order}").unwrap();
    }

    fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the node has ended");
            // What the test harness prints stands before.
            if let Some((_, answer)) = line.trim_end().split_once("> ") {
                return answer.to_owned();
            }
        }
    }

    fn ask(&mut self, order: &str) -> String {
        self.tell(order);
        self.answer()
    }

    fn signal(&self, name: &str) {
        let killed = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test of its own: what a node does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(url) = std::env::var("SIGNOFF_NODE") else { return };
    let delivery = if std::env::var("SIGNOFF_DELIVERY").unwrap() == "Jwt" { Delivery::Jwt } else { Delivery::Opaque };
    let database = if url.starts_with("postgres") { Database::Postgres(url) } else { Database::MariaDb(url) };
    let signoff = serve(database.share().await.unwrap(), delivery).await.unwrap();
    println!("> joined");
    loop {
        let mut line = String::new();
        let read = tokio::task::spawn_blocking(move || std::io::stdin().read_line(&mut line).map(|_| line));
        let line = read.await.unwrap().unwrap();
        let line = line.trim_end();
        let Some((verb, token)) = line.split_once(' ') else { return };
        match (verb, token) {
            ("login", _) => println!("> {}", log_in(&signoff).await),
            ("check", token) => match signoff.authenticate(token).await {
                Ok(_) => println!("> accepted"),
                Err(denied) => println!("> {denied:?}"),
            },
            ("logout", token) => {
                let begun = SystemClock::new().elapsed();
                match signoff.log_out(&[token], Cause::logout()).await {
                    Ok(_) => println!("> {}", (SystemClock::new().elapsed() - begun).as_millis()),
                    Err(denied) => println!("> {denied:?}"),
                }
            }
            _ => return,
        }
    }
}

fn millis(told: &str) -> u128 {
    told.parse().unwrap_or_else(|_| panic!("the logout failed: {told}"))
}

#[test]
fn what_one_process_logs_out_no_other_accepts() {
    for database in Database::each() {
        for delivery in BOTH {
            let mut nodes = [0; 3].map(|_| Node::start(&database, delivery));
            let mut taken = Vec::new();
            for n in 0..30 {
                let token = nodes[n % 3].ask("login alice");
                for node in &mut nodes {
                    assert_eq!(node.ask(&format!("check {token}")), "accepted");
                }
                taken.push(millis(&nodes[(n + 1) % 3].ask(&format!("logout {token}"))));
                for node in &mut nodes {
                    let answer = node.ask(&format!("check {token}"));
                    assert!(answer.contains("Revoked"), "{database:?}: {answer}");
                }
            }
            taken.sort_unstable();
            assert!(taken[15] < LEASE.as_millis() / 4, "{database:?}: hints do not wake: {taken:?} ms");
        }
    }
}

#[test]
fn a_process_that_stops_or_dies_delays_a_logout_and_accepts_nothing_afterwards() {
    for database in Database::each() {
        let mut nodes = [0; 3].map(|_| Node::start(&database, Delivery::Jwt));
        let bound = (LEASE * 9 / 8 + Duration::from_millis(1_500)).as_millis();
        for _ in 0..2 {
            let (token, other) = (nodes[0].ask("login alice"), nodes[0].ask("login alice"));
            assert_eq!(nodes[2].ask(&format!("check {token}")), "accepted");
            // It is stopped with a question before it, which it answers when it goes on.
            nodes[2].signal("STOP");
            let took = millis(&nodes[1].ask(&format!("logout {token}")));
            assert!(took <= bound, "{database:?}: {took} ms");
            nodes[2].tell(&format!("check {token}"));
            nodes[2].signal("CONT");
            let answer = nodes[2].answer();
            assert!(answer.contains("Stale") || answer.contains("Revoked"), "{database:?}: {answer}");
            // It comes back by itself.
            let until = SystemClock::new().elapsed() + LEASE;
            while nodes[2].ask(&format!("check {other}")) != "accepted" {
                assert!(SystemClock::new().elapsed() < until, "{database:?}: it does not come back");
            }
            assert!(nodes[2].ask(&format!("check {token}")).contains("Revoked"));
        }

        let token = nodes[0].ask("login alice");
        nodes[2].signal("KILL");
        let took = millis(&nodes[1].ask(&format!("logout {token}")));
        assert!(took <= bound, "{database:?}: {took} ms");
        // Once: then its row is gone.
        let token = nodes[1].ask("login alice");
        let took = millis(&nodes[0].ask(&format!("logout {token}")));
        assert!(took < LEASE.as_millis() / 2, "{database:?}: {took} ms");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_shares_says_so_and_agrees_on_the_lease() {
    for database in Database::each() {
        let owner = serve(database.open().await.unwrap(), Delivery::Jwt).await.unwrap();
        let refused = database.share().await.expect_err("one process has it");
        assert_eq!(refused.kind(), ErrorKind::Misuse, "{database:?}");
        owner.close().await;

        let first = database.share().await.unwrap();
        let second = database.share().await.unwrap();
        let other = database.open_with(&ServerOptions::new().shared(LEASE * 2)).await.expect_err("another length");
        let alone = database.open().await.expect_err("nodes share it");
        drop((first, second));
        let still = database.open().await.expect_err("nodes may come at any time");
        for error in [other, alone, still] {
            assert_eq!(error.kind(), ErrorKind::Misuse, "{database:?}: {error}");
        }
        database.execute("UPDATE signoff_meta SET lease = NULL").await;
        serve(database.open().await.unwrap(), Delivery::Jwt).await.unwrap().close().await;
    }
}
