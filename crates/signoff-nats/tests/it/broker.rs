//! A broker, and what others can do to it.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use signoff::relay::{Relay, RelayLink};
use signoff::store::Hints;
use signoff_nats::{NatsHints, NatsLink, NatsRelay};
use signoff_redis::{RedisHints, RedisLink, RedisRelay};
use signoff_test_servers::{Nats, Redis};

pub(crate) enum Broker {
    Nats(Nats),
    Redis(Redis),
}

/// Where the nodes of these tests meet.
pub(crate) const TOPIC: &str = "bank.logouts";

/// A relay that is reached by a broker.
pub(crate) enum Served {
    Nats(NatsRelay),
    Redis(RedisRelay),
}

impl Served {
    pub(crate) fn nodes(&self) -> usize {
        match self {
            Self::Nats(relay) => relay.relay().nodes(),
            Self::Redis(relay) => relay.relay().nodes(),
        }
    }

    pub(crate) async fn ready(&self) {
        match self {
            Self::Nats(relay) => relay.ready().await,
            Self::Redis(relay) => relay.ready().await,
        }
    }

    pub(crate) async fn close(self) {
        match self {
            Self::Nats(relay) => relay.close().await,
            Self::Redis(relay) => relay.close().await,
        }
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nats(_) => "NATS",
            Self::Redis(_) => "Redis",
        })
    }
}

impl Broker {
    pub(crate) fn each() -> [Self; 2] {
        [Self::Nats(Nats::start().unwrap()), Self::Redis(Redis::start().unwrap())]
    }

    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Nats(nats) => nats.port(),
            Self::Redis(redis) => redis.port(),
        }
    }

    pub(crate) fn hints(&self) -> Arc<dyn Hints> {
        self.hints_at(&format!("127.0.0.1:{}", self.port()), None)
    }

    /// By way of another address, with another patience.
    pub(crate) fn hints_at(&self, address: &str, limit: Option<Duration>) -> Arc<dyn Hints> {
        match self {
            Self::Nats(_) => {
                let hints = NatsHints::open(&format!("nats://{address}"), TOPIC).unwrap();
                Arc::new(match limit {
                    Some(limit) => hints.within(limit),
                    None => hints,
                })
            }
            Self::Redis(_) => {
                let hints = RedisHints::open(&format!("redis://{address}"), TOPIC).unwrap();
                Arc::new(match limit {
                    Some(limit) => hints.within(limit),
                    None => hints,
                })
            }
        }
    }

    pub(crate) fn is_there(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port())).is_ok()
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Nats(nats) => format!("nats://127.0.0.1:{}", nats.port()),
            Self::Redis(redis) => redis.url(),
        }
    }

    /// To the relay of this name.
    pub(crate) fn link(&self, name: &str) -> Arc<dyn RelayLink> {
        match self {
            Self::Nats(_) => Arc::new(NatsLink::open(&self.url(), name).unwrap()),
            Self::Redis(_) => Arc::new(RedisLink::open(&self.url(), name).unwrap()),
        }
    }

    /// Returns when nodes may be opened behind it.
    pub(crate) async fn serve(&self, relay: Relay, name: &str) -> Served {
        let served = self.begin_to_serve(relay, name);
        served.ready().await;
        served
    }

    pub(crate) fn begin_to_serve(&self, relay: Relay, name: &str) -> Served {
        match self {
            Self::Nats(_) => Served::Nats(NatsRelay::open(relay, &self.url(), name).unwrap()),
            Self::Redis(_) => Served::Redis(RedisRelay::open(relay, &self.url(), name).unwrap()),
        }
    }

    pub(crate) fn crash(&self) {
        tokio::task::block_in_place(|| match self {
            Self::Nats(nats) => nats.crash().unwrap(),
            Self::Redis(redis) => redis.crash().unwrap(),
        });
    }

    pub(crate) fn start_again(&self) {
        tokio::task::block_in_place(|| match self {
            Self::Nats(nats) => nats.start_again().unwrap(),
            Self::Redis(redis) => redis.start_again().unwrap(),
        });
    }

    /// Somebody else publishes, with none of our code. When it returns the broker has taken everything.
    pub(crate) fn shout(&self, topic: &str, what: &str, times: usize) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port())).unwrap();
        stream.set_nodelay(true).unwrap();
        let answers = BufReader::new(stream.try_clone().unwrap()).lines();
        let length = what.len();
        match self {
            Self::Nats(_) => {
                stream.write_all(b"CONNECT {\"verbose\":false}\r\n").unwrap();
                stream.write_all(format!("PUB {topic} {length}\r\n{what}\r\n").repeat(times).as_bytes()).unwrap();
                stream.write_all(b"PING\r\n").unwrap();
                assert!(answers.map(Result::unwrap).any(|line| line == "PONG"));
            }
            Self::Redis(_) => {
                let name = topic.len();
                let publish = format!("*3\r\n$7\r\nPUBLISH\r\n${name}\r\n{topic}\r\n${length}\r\n{what}\r\n");
                stream.write_all(publish.repeat(times).as_bytes()).unwrap();
                assert!(answers.map(Result::unwrap).take(times).all(|line| line.starts_with(':')));
            }
        }
    }
}
