//! Servers start, survive a crash with their data, and leave nothing behind when their starter is killed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use signoff_test_servers::{MariaDb, Postgres, Redis};

#[test]
fn servers_start_and_start_again() {
    let postgres = Postgres::start(&[]).unwrap();
    assert_ne!(postgres.database().unwrap(), postgres.database().unwrap());
    postgres.crash().unwrap();
    assert!(postgres.database().is_err());
    postgres.start_again().unwrap();
    postgres.database().unwrap();

    let mariadb = MariaDb::start(&[]).unwrap();
    assert_ne!(mariadb.database().unwrap(), mariadb.database().unwrap());
    mariadb.crash().unwrap();
    assert!(mariadb.database().is_err());
    mariadb.start_again().unwrap();
    mariadb.database().unwrap();

    let redis = Redis::start().unwrap();
    redis.crash().unwrap();
    redis.start_again().unwrap();
}

/// Not a test of its own: the process that the test below kills.
#[test]
fn child() {
    if std::env::var_os("SIGNOFF_CHILD").is_some() {
        let url = MariaDb::shared().unwrap().database().unwrap();
        println!("\nfolder {}", Path::new(url.split_once("socket=").unwrap().1).parent().unwrap().display());
        thread::park();
    }
}

#[test]
fn a_killed_process_leaves_nothing_behind() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env("SIGNOFF_CHILD", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let folder = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("folder ").map(str::to_owned)).unwrap();
    assert!(Path::new(&folder).join("socket").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    for _ in 0..500 {
        if !Path::new(&folder).exists() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("the folder of the server is still there");
}
