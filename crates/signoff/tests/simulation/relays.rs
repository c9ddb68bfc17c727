//! Relays as processes of the simulation, and the lines of nodes to them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use signoff::relay::{Relay, RelayKey, RelayLink, RelaySettings};
use signoff::{Error, ErrorKind, MemoryStore};
use tokio::task::AbortHandle;

use crate::histories::line::{Far, Line};
use crate::world::{Clocks, Wire, World};

/// What all relays and nodes know.
pub(crate) fn key() -> RelayKey {
    RelayKey::new(&[3; 32]).unwrap()
}

#[derive(Debug)]
pub(crate) struct RelayProcess {
    world: Arc<World>,
    /// Its line to the store.
    pub(crate) wire: Arc<Wire>,
    pub(crate) clocks: Arc<Clocks>,
    running: Mutex<Option<Relay>>,
    calls: Mutex<Vec<AbortHandle>>,
}

impl RelayProcess {
    pub(crate) fn new(world: &Arc<World>) -> Arc<Self> {
        let (wire, clocks) = (Wire::new(world), Clocks::new(world, None));
        Arc::new(Self { world: Arc::clone(world), wire, clocks, running: Mutex::default(), calls: Mutex::default() })
    }

    pub(crate) async fn start(&self, store: &MemoryStore) {
        while self.running.lock().unwrap().is_none() {
            let store = Far::new(store.another(), Arc::clone(&self.wire), None);
            let clocks = Arc::<Clocks>::clone(&self.clocks);
            let opened = Relay::open_with_clock(store, key(), RelaySettings::default(), clocks);
            match tokio::time::timeout(Duration::from_secs(2), opened).await {
                Ok(Ok(relay)) => *self.running.lock().unwrap() = Some(relay),
                _ => self.world.pause(1, 50).await,
            }
        }
        self.world.note(|| "a relay starts".to_owned());
    }

    pub(crate) fn kill(&self) {
        self.world.note(|| "a relay is killed".to_owned());
        self.calls.lock().unwrap().drain(..).for_each(|call| call.abort());
        *self.running.lock().unwrap() = None;
    }

    /// How a node with this line to the world reaches it.
    pub(crate) fn link(self: &Arc<Self>, wire: &Arc<Wire>) -> Arc<dyn RelayLink> {
        Arc::new(Link { relay: Arc::clone(self), wire: Arc::clone(wire) })
    }
}

#[derive(Debug)]
struct Link {
    relay: Arc<RelayProcess>,
    wire: Arc<Wire>,
}

#[async_trait]
impl RelayLink for Link {
    async fn ask(&self, message: Vec<u8>) -> Result<Vec<u8>, Error> {
        let (process, wire) = (Arc::clone(&self.relay), Arc::clone(&self.wire));
        let nobody = || Error::new(ErrorKind::Unavailable, "there is no relay");
        // What was sent arrives, even if nobody waits for the answer any more.
        let sent = tokio::spawn(async move {
            wire.pass().await?;
            let relay = process.running.lock().unwrap().clone().ok_or_else(nobody)?;
            let answering = tokio::spawn(async move { relay.answer(&message).await });
            {
                let mut calls = process.calls.lock().unwrap();
                calls.retain(|call| !call.is_finished());
                calls.push(answering.abort_handle());
            }
            let Ok(answer) = answering.await else { return std::future::pending().await };
            wire.pass().await?;
            answer.ok_or_else(nobody)
        });
        sent.await.map_err(|_| nobody())?
    }
}
