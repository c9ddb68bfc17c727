//! Lines that break, or fall silent: whoever may have missed something is told, and nobody waits for ever.

use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::time::Duration;

use signoff::store::Hints;
use signoff::{ErrorKind, time::Clock as _, time::SystemClock};
use signoff_nats::NatsHints;
use signoff_redis::RedisHints;
use signoff_test_servers::Nats;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::broker::{Broker, TOPIC};

/// In time for a busy machine.
const SOON: Duration = Duration::from_secs(5);
/// Long enough for what should not happen.
const WHILE: Duration = Duration::from_millis(400);

async fn heard(what: &str, hints: &Arc<dyn Hints>) -> Result<(), signoff::Error> {
    timeout(SOON, hints.heard()).await.unwrap_or_else(|_| panic!("{what}: nobody is told"))
}

async fn silence(what: &str, hints: &Arc<dyn Hints>) {
    assert!(timeout(WHILE, hints.heard()).await.is_err(), "{what}: there was nothing to hear");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_counts_as_heard_when_it_begins_and_when_it_is_over() {
    for broker in Broker::each() {
        let hints = broker.hints();
        heard("at first", &hints).await.unwrap();
        silence("at first", &hints).await;
        for _ in 0..3 {
            tokio::task::block_in_place(|| broker.shout(TOPIC, "", 1));
            heard("a message", &hints).await.unwrap();
            silence("a message", &hints).await;
            // Between two calls as well.
            broker.crash();
            let lost = heard("the end", &hints).await.unwrap_err();
            assert_eq!(lost.kind(), ErrorKind::Unavailable);
            assert!(std::error::Error::source(&lost).is_some(), "the operator can see why");
            assert_eq!(hints.announce().await.unwrap_err().kind(), ErrorKind::Unavailable);
            silence("nobody is there", &hints).await;
            broker.start_again();
            heard("the return", &hints).await.unwrap();
            silence("the return", &hints).await;
            // Whoever was announcing before announces again, and is heard.
            hints.announce().await.unwrap();
            heard("its own voice", &hints).await.unwrap();
        }
    }
}

/// Passes bytes on.
struct Relay {
    port: u16,
    /// Counts how often all connections were cut.
    cuts: watch::Sender<u32>,
    stalled: watch::Sender<bool>,
}

impl Relay {
    async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cuts, stalled) = (watch::Sender::new(0), watch::Sender::new(false));
        let (cut, stall) = (cuts.subscribe(), stalled.subscribe());
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(pass(client, server, cut.clone(), stall.clone()));
            }
        });
        Self { port, cuts, stalled }
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

async fn pass(mut client: TcpStream, server: u16, mut cuts: watch::Receiver<u32>, mut stalled: watch::Receiver<bool>) {
    let before = *cuts.borrow_and_update();
    let mut server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
    let stalls = tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => false,
        _ = cuts.wait_for(|cuts| *cuts > before) => false,
        stalls = stalled.wait_for(|stalled| *stalled) => stalls.is_ok(),
    };
    // Both ends are held open, and wait.
    if stalls {
        std::future::pending::<()>().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_breaks_is_found_out_though_the_next_is_there_at_once() {
    for broker in Broker::each() {
        let relay = Relay::to(broker.port()).await;
        let hints = broker.hints_at(&relay.address(), None);
        heard("at first", &hints).await.unwrap();
        for _ in 0..3 {
            hints.announce().await.unwrap();
            heard("its own voice", &hints).await.unwrap();
            relay.cuts.send_modify(|cuts| *cuts += 1);
            assert!(heard("the end", &hints).await.is_err());
            heard("the return", &hints).await.unwrap();
            silence("the return", &hints).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_half_open_is_found_out() {
    for broker in Broker::each() {
        let relay = Relay::to(broker.port()).await;
        let hints = broker.hints_at(&relay.address(), Some(Duration::from_millis(100)));
        heard("at first", &hints).await.unwrap();
        // The server is asked meanwhile whether it is there, and that is no hint.
        assert!(timeout(Duration::from_millis(2_500), hints.heard()).await.is_err(), "{broker:?}");
        hints.announce().await.unwrap();
        heard("its own voice", &hints).await.unwrap();
        relay.stalled.send_replace(true);
        assert!(timeout(2 * SOON, hints.heard()).await.expect("in time").is_err(), "{broker:?}");
        let _ = timeout(SOON, hints.announce()).await.expect("it does not hang");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_nothing_holds_nobody_up_and_no_secret_gets_out() {
    // It accepts connections, in the queue of the system, and never says anything.
    let mute = StdListener::bind("127.0.0.1:0").unwrap();
    let address = mute.local_addr().unwrap();
    for broker in Broker::each() {
        let hints = broker.hints_at(&format!("alice:s3cret@{address}"), Some(Duration::from_millis(50)));
        let clock = SystemClock::new();
        let began = clock.elapsed();
        let error = hints.announce().await.unwrap_err();
        assert!(clock.elapsed() - began < Duration::from_secs(2), "{broker:?}");
        silence("a server that says nothing", &hints).await;
        assert!(!format!("{error} {error:?} {hints:?}").contains("s3cret"), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_needed_where_one_is_needed() {
    let server = Nats::start_with(&["--user", "alice", "--pass", "s3@cret"]).unwrap();
    let at = |user: &str| NatsHints::open(&format!("nats://{user}127.0.0.1:{}", server.port()), TOPIC).unwrap();
    for wrong in ["", "alice:guess@", "alice@"] {
        let hints = at(wrong);
        let error = hints.announce().await.unwrap_err();
        assert!(!format!("{error:?}").contains("guess"), "{error:?}");
        silence("the wrong password", &(Arc::new(hints) as Arc<dyn Hints>)).await;
    }
    let hints = at("alice:s3%40cret@");
    timeout(SOON, hints.heard()).await.unwrap().unwrap();
    hints.announce().await.unwrap();
    timeout(SOON, hints.heard()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_server_of_a_cluster_is_enough() {
    let (one, two) = (Nats::start().unwrap(), Nats::start().unwrap());
    tokio::task::block_in_place(|| one.crash()).unwrap();
    let hints = NatsHints::open(&format!("{},{}", one.url(), two.url()), TOPIC).unwrap();
    timeout(SOON, hints.heard()).await.unwrap().unwrap();
    hints.announce().await.unwrap();
    timeout(SOON, hints.heard()).await.unwrap().unwrap();
}

#[test]
fn what_cannot_work_is_refused() {
    for subject in ["", ".", "a..b", "a.", "bank.*", ">", "bank logouts", "bank\r\nPUB x"] {
        assert_eq!(NatsHints::open("nats://localhost", subject).unwrap_err().kind(), ErrorKind::Misuse, "{subject:?}");
    }
    for (url, channel) in [("", "a"), ("nats://localhost", "a"), ("redis://localhost", "")] {
        assert_eq!(RedisHints::open(url, channel).unwrap_err().kind(), ErrorKind::Misuse, "{url} {channel}");
    }
}
