//! What is deleted, and what is not.

use std::time::Duration;

use redis::{Commands, Connection};
use signoff::{ErrorKind, SessionDestroyer};
use signoff_redis::RedisSessions;
use signoff_test_servers::Redis;

pub(crate) fn connect(server: &Redis) -> Connection {
    redis::Client::open(server.url()).unwrap().get_connection().unwrap()
}

#[tokio::test]
async fn session_crates_lose_their_keys() {
    let server = Redis::start().unwrap();
    let mut redis = connect(&server);
    // As tower-sessions-redis-store has them: the session's id, a record in msgpack, with an end.
    let _: () = redis.set_ex("AAAAAAAAAAAAAAAAAAAAAA", [0x93_u8, 0, 1, 0x80].as_slice(), 3_600).unwrap();
    // As actix-session has them: 64 letters and digits, a JSON map, with an end.
    let actix = "x7".repeat(32);
    let _: () = redis.set_ex(&actix, r#"{"user_id":"\"alice\""}"#, 3_600).unwrap();
    // As express-session's connect-redis has them: a prefix. And one that keeps a hash.
    let _: () = redis.set("sess:abc", "{}").unwrap();
    let _: () = redis.hset("sess:hash", "user", "alice").unwrap();
    let _: () = redis.set("abc", "of somebody else").unwrap();

    let bare = RedisSessions::open(&server.url()).unwrap();
    let prefixed = RedisSessions::open(&server.url()).unwrap().prefix("sess:");
    bare.destroy("AAAAAAAAAAAAAAAAAAAAAA").await.unwrap();
    bare.destroy(&actix).await.unwrap();
    prefixed.destroy("abc").await.unwrap();
    prefixed.destroy("hash").await.unwrap();
    let left: Vec<String> = redis.keys("*").unwrap();
    assert_eq!(left, ["abc"], "only what was named is gone");
    prefixed.destroy("abc").await.unwrap();
    bare.destroy("never was").await.unwrap();
    prefixed.destroy("*").await.unwrap();
    prefixed.destroy("ключ \r\nDEL abc").await.unwrap();
    let left: bool = redis.exists("abc").unwrap();
    assert!(left, "a key is a key, not a pattern and not a command");
}

#[tokio::test]
async fn a_lost_connection_is_made_again() {
    let server = Redis::start().unwrap();
    let sessions = RedisSessions::open(&server.url()).unwrap();
    sessions.destroy("a").await.unwrap();
    for _ in 0..3 {
        let mut redis = connect(&server);
        let _: () = redis.set("a", "1").unwrap();
        let killed: u64 =
            redis::cmd("CLIENT").arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"]).query(&mut redis).unwrap();
        assert!(killed >= 1, "it is lost");
        sessions.destroy("a").await.unwrap();
        let left: bool = redis.exists("a").unwrap();
        assert!(!left);
    }
    server.crash().unwrap();
    assert!(sessions.destroy("a").await.is_err());
    server.start_again().unwrap();
    sessions.destroy("a").await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_an_error_in_time() {
    // It accepts connections, in the queue of the system, and never says anything.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://:s3cret@{}", mute.local_addr().unwrap());
    let sessions = RedisSessions::open(&url).unwrap().within(Duration::from_millis(50));
    let patience = Duration::from_secs(5);
    let error = tokio::time::timeout(patience, sessions.destroy("a")).await.expect("in time").unwrap_err();
    assert!(!format!("{error} {error:?} {sessions:?}").contains("s3cret"));
    for bad in ["", "http://127.0.0.1", "redis://:s3cret@host:port"] {
        let error = RedisSessions::open(bad).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse);
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_number_is_an_error() {
    let server = Redis::start().unwrap();
    let mut redis = connect(&server);
    let _: () = redis.set("a", "1").unwrap();
    let _: () = redis::cmd("CONFIG").arg(&["SET", "requirepass", "hunter2"]).query(&mut redis).unwrap();
    let sessions = RedisSessions::open(&server.url()).unwrap();
    assert!(sessions.destroy("a").await.is_err(), "nobody without the password deletes anything");
    let with_password = server.url().replace("redis://", "redis://:hunter2@");
    RedisSessions::open(&with_password).unwrap().destroy("a").await.unwrap();
    let left: bool = redis.exists("a").unwrap();
    assert!(!left);
}
