//! A node that cannot know who was logged out: what each route does about it.

use std::sync::Arc;
use std::time::Duration;

use signoff::store::Hints;
use signoff::test_util::Fault;
use signoff::{Algorithm, Cause, Delivery, Error, KeySet, MemoryStore, Reach, SigningKey, Signoff};

use crate::events;
use crate::server::{Adapter, BOTH, Server, bearer, cookie};
use crate::socket::Socket;

/// So long that the node does not renew its lease before a test is over.
const LEASE: Duration = Duration::from_secs(600);

/// Nobody wakes anybody.
#[derive(Debug)]
struct Mute;

#[async_trait::async_trait]
impl Hints for Mute {
    async fn announce(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn heard(&self) -> Result<(), Error> {
        std::future::pending().await
    }
}

/// A server, and another node of its store that it hears nothing from.
async fn start(adapter: Adapter, delivery: Delivery) -> (Server, Signoff) {
    let key = || SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap();
    let database = MemoryStore::shared(LEASE);
    let mut setup = adapter.setup(delivery);
    setup.settings.reach = Reach::Local;
    setup.settings.hints = Some(Arc::new(Mute));
    let settings = setup.settings.clone();
    let elsewhere = Signoff::open(database.another(), KeySet::new(key()), settings).await.unwrap();
    (setup.store, setup.key) = (database.another(), key());
    (setup.start().await, elsewhere)
}

pub(crate) async fn routes_reject_or_read_through(adapter: Adapter) {
    for delivery in BOTH {
        let (server, elsewhere) = start(adapter, delivery).await;
        let statuses = async |token: &str| {
            let quick = server.status("GET", "/private", &[&bearer(token)]).await;
            [quick, server.status("GET", "/patient", &[&bearer(token)]).await]
        };
        let (alive, dead) = (server.log_in("alice").await, server.log_in("alice").await);
        assert_eq!((statuses(&alive).await, statuses(&dead).await), ([200, 200], [200, 200]));
        // Nobody has told this node, and its lease is over.
        server.clock.advance(LEASE + Duration::from_secs(1));
        let _ = elsewhere.log_out(&[&dead], Cause::logout()).await.unwrap();
        assert_eq!(statuses(&alive).await, [503, 200], "the log is read for the one request");
        assert_eq!(statuses(&dead).await, [503, 401], "{delivery:?}");
        server.switch.fail(0, u64::MAX, Fault::Refuse);
        assert_eq!(statuses(&alive).await, [503, 503], "it cannot be read");
    }
}

pub(crate) async fn what_stays_open_ends(adapter: Adapter) {
    for delivery in BOTH {
        let (server, _elsewhere) = start(adapter, delivery).await;
        let token = server.log_in("alice").await;
        let stream = events::open(&server, &token).await;
        let mut socket = Socket::open(&server, "/socket", &[&cookie(&token)]).await.unwrap();
        socket.assert_echoes("open").await;
        server.clock.advance(LEASE + Duration::from_secs(1));
        // Not the code of a logout: another node may know better.
        socket.assert_is_closed(1013, events::SOON, "fenced").await;
        events::assert_ends(stream, "fenced").await;
        assert_eq!(Socket::open(&server, "/socket", &[&cookie(&token)]).await.map(drop), Err(503));
        assert_eq!(server.status("GET", "/events", &[&cookie(&token)]).await, 503);
    }
}
