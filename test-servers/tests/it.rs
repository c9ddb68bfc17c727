//! Servers start, survive a crash with their data, and leave nothing behind when their starter is killed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use signoff_test_servers::{MariaDb, Postgres, Proxy, Redis, Spoil, Way};

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

/// What a line passes, and what it does when it is spoiled.
#[test]
fn a_line_is_spoiled_where_it_was_told() {
    let redis_like = std::env::temp_dir().join(format!("signoff-echo-{}", std::process::id()));
    let listener = std::os::unix::net::UnixListener::bind(&redis_like).unwrap();
    thread::spawn(move || {
        for peer in listener.incoming() {
            let mut peer = peer.unwrap();
            thread::spawn(move || std::io::copy(&mut peer.try_clone().unwrap(), &mut peer));
        }
    });
    let line = Proxy::to(&redis_like).unwrap();
    let connect = || {
        let peer = TcpStream::connect(("127.0.0.1", line.port())).unwrap();
        peer.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        peer
    };
    let echo = |mut peer: &TcpStream, length: usize| {
        // A line that is cut may refuse the rest.
        let _ = peer.write_all(&vec![7; length]);
        let mut echoed = 0;
        loop {
            match peer.read(&mut [0; 64]) {
                Ok(0) => return (echoed, "closed"),
                Ok(read) => echoed += read,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return (echoed, "closed"),
                Err(_) => return (echoed, "silent"),
            }
        }
    };
    let (first, second) = (connect(), connect());
    assert_eq!((echo(&first, 100), echo(&second, 50)), ((100, "silent"), (50, "silent")));
    assert_eq!((line.passed(Way::There), line.passed(Way::Back)), (150, 150));
    line.spoil(Way::There, 30, Spoil::Cut);
    assert_eq!(echo(&first, 20), (20, "silent"));
    assert!(line.is_pending());
    assert!(echo(&first, 20).0 <= 10, "ten bytes got through, and perhaps back");
    assert!(!line.is_pending());
    assert_eq!(echo(&second, 5), (5, "silent"), "the other one is whole");
    line.spoil(Way::Back, 3, Spoil::Stall);
    assert_eq!(echo(&second, 5), (3, "silent"));
    assert_eq!(echo(&second, 5), (0, "silent"), "nothing breaks, and nothing passes");
    line.heal();
    assert_eq!(echo(&second, 5), (0, "closed"));
    let (third, fourth) = (connect(), connect());
    assert_eq!((echo(&third, 1), echo(&fourth, 1)), ((1, "silent"), (1, "silent")));
    line.spoil(Way::Back, 0, Spoil::CutAll);
    assert_eq!((echo(&third, 1), echo(&fourth, 1), echo(&connect(), 1)), ((0, "closed"), (0, "closed"), (0, "closed")));
    line.heal();
    assert_eq!(echo(&connect(), 1), (1, "silent"));
    std::fs::remove_file(redis_like).unwrap();
}
