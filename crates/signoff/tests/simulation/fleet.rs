//! The nodes of a world, the people who use them, and what goes wrong with them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use signoff::relay::Relayed;
use signoff::{
    Algorithm, Cause, Delivery, Denied, KeySet, Login, MemoryStore, Rejection, Scope, Settings, SigningKey, Signoff,
    Subject,
};
use tokio::task::AbortHandle;

use crate::histories::line::Far;
use crate::histories::mistakes::Mistake;
use crate::histories::{Event, Trouble, What};
use crate::relays::{self, RelayProcess};
use crate::world::{Clocks, HOUR, State, Wire, World};

pub(crate) const LEASE: Duration = Duration::from_secs(2);
/// After a fault a node is as good as before within this: it may have to wait for a call that hangs, to find that its row
/// is gone, and to join again.
const GRACE: Duration = Duration::from_secs(4);
/// How long faults happen, and how long it goes on without.
const ROUGH: Duration = Duration::from_secs(20);
const CALM: Duration = Duration::from_secs(8);

pub(crate) struct Fleet {
    pub(crate) world: Arc<World>,
    store: MemoryStore,
    nodes: Vec<Node>,
    /// In some worlds all nodes but one are behind these.
    relays: Vec<Arc<RelayProcess>>,
    delivery: Delivery,
    tokens: Mutex<Vec<Arc<str>>>,
    events: Mutex<Vec<Event>>,
    troubles: Mutex<Vec<Trouble>>,
}

struct Node {
    wire: Arc<Wire>,
    clocks: Arc<Clocks>,
    mistake: Option<Mistake>,
    running: Mutex<Running>,
}

/// What ends with the process.
#[derive(Default)]
struct Running {
    signoff: Option<Signoff>,
    calls: Vec<AbortHandle>,
}

impl Fleet {
    pub(crate) fn new(world: Arc<World>, mistake: Option<Mistake>) -> Arc<Self> {
        let nodes = 3 + usize::try_from(world.dice(3)).unwrap();
        let node = |number| {
            let mistake = Mistake::of_node(mistake, number);
            let (wire, clocks) = (Wire::new(&world), Clocks::new(&world, mistake));
            Node { wire, clocks, mistake, running: Mutex::default() }
        };
        Arc::new(Self {
            nodes: (0..nodes).map(node).collect(),
            store: MemoryStore::shared(LEASE),
            relays: (0..if world.chance(40) { 2 } else { 0 }).map(|_| RelayProcess::new(&world)).collect(),
            delivery: if world.chance(50) { Delivery::Jwt } else { Delivery::Opaque },
            world,
            tokens: Mutex::default(),
            events: Mutex::default(),
            troubles: Mutex::default(),
        })
    }

    /// Everything from the start of the first node to the end of the world.
    pub(crate) async fn live(self: &Arc<Self>) -> (Vec<Event>, Vec<Trouble>) {
        for relay in &self.relays {
            relay.start(&self.store).await;
        }
        for number in 0..self.nodes.len() {
            self.start(number).await;
        }
        let mut people = Vec::new();
        for person in 0..3 {
            people.push(tokio::spawn(Arc::clone(self).person(person)));
        }
        for _ in 0..2 {
            people.push(tokio::spawn(Arc::clone(self).checker()));
        }
        for _ in 0..2 {
            people.push(tokio::spawn(Arc::clone(self).gremlin()));
        }
        for person in people {
            person.await.unwrap();
        }
        (std::mem::take(&mut *self.events.lock().unwrap()), std::mem::take(&mut *self.troubles.lock().unwrap()))
    }

    fn is_rough(&self) -> bool {
        self.world.now() < ROUGH
    }

    fn is_over(&self) -> bool {
        self.world.now() >= ROUGH + CALM
    }

    async fn start(&self, number: usize) {
        let node = &self.nodes[number];
        let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
        settings.delivery = self.delivery;
        (settings.idle, settings.access_lifetime) = (settings.absolute, settings.absolute);
        settings.purge_every = None;
        loop {
            let store = Far::new(self.store.another(), Arc::clone(&node.wire), node.mistake);
            let clock = Arc::clone(&node.clocks);
            let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32]).unwrap());
            // A process that waits for a store which does not answer is started again.
            let patience = Duration::from_secs(2);
            let opened = if number == 1 || self.relays.is_empty() {
                tokio::time::timeout(patience, Signoff::open_with_clock(store, keys, settings.clone(), clock)).await
            } else {
                let links = self.relays.iter().map(|relay| relay.link(&node.wire)).collect();
                let store = Relayed::new(store, relays::key(), links).unwrap();
                tokio::time::timeout(patience, Signoff::open_with_clock(store, keys, settings.clone(), clock)).await
            };
            if let Ok(Ok(signoff)) = opened {
                self.world.note(|| format!("{number} starts"));
                node.running.lock().unwrap().signoff = Some(signoff);
                return;
            }
            self.world.pause(1, 50).await;
        }
    }

    /// The process is gone, and whatever it was doing.
    fn kill(&self, number: usize) {
        self.world.note(|| format!("{number} is killed"));
        let running = std::mem::take(&mut *self.nodes[number].running.lock().unwrap());
        for call in running.calls {
            call.abort();
        }
    }

    fn running(&self, number: usize) -> Option<Signoff> {
        self.nodes[number].running.lock().unwrap().signoff.clone()
    }

    fn any_node(&self) -> usize {
        usize::try_from(self.world.dice(self.nodes.len() as u64)).unwrap()
    }

    /// A call that ends with the process; `None` then, or when there is none.
    async fn call<T, F>(&self, number: usize, call: impl FnOnce(Signoff) -> F) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let called = {
            let mut running = self.nodes[number].running.lock().unwrap();
            let called = tokio::spawn(call(running.signoff.clone()?));
            running.calls.retain(|call| !call.is_finished());
            running.calls.push(called.abort_handle());
            called
        };
        match called.await {
            Ok(answer) => Some(answer),
            Err(error) if error.is_cancelled() => None,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    fn record(&self, token: u32, node: usize, began: Duration, what: What) {
        let ended = if what == What::Attempted { Duration::MAX } else { self.world.now() };
        self.world.note(|| format!("{node} {what:?} {token}, asked at {:.3}", began.as_secs_f64()));
        self.events.lock().unwrap().push(Event { token, node, began, ended, what });
    }

    /// Logs in and out, on whichever nodes.
    async fn person(self: Arc<Self>, person: u32) {
        let name = format!("person {person}");
        let (mut own, mut haunted) = (Vec::new(), false);
        while !self.is_over() {
            let node = self.any_node();
            if own.len() < 3 && self.is_rough() || own.is_empty() {
                let login = Login::new(Subject::new(&name).unwrap());
                if let Some(Ok(issued)) = self.call(node, |signoff| async move { signoff.log_in(login).await }).await {
                    let mut tokens = self.tokens.lock().unwrap();
                    let number = u32::try_from(tokens.len()).unwrap();
                    tokens.push(issued.token.expose().into());
                    drop(tokens);
                    own.push(number);
                    self.world.note(|| format!("{node} lets {name} in: {number}"));
                    if haunted {
                        self.record(number, node, self.world.now(), What::Attempted);
                    }
                }
            }
            self.world.pause(1, 1_500).await;
            if !own.is_empty() && self.world.chance(70) && self.is_rough() {
                haunted |= self.log_out(&name, &mut own).await;
            }
        }
    }

    /// Until it is acknowledged: this is the promise, so nothing else is done meanwhile. Whether an attempt to end everything
    /// of this person was given up, which may still arrive and end what comes later.
    async fn log_out(&self, name: &str, own: &mut Vec<u32>) -> bool {
        let wide = self.world.dice(10);
        let ends = match wide {
            0 | 1 => std::mem::take(own),
            _ => vec![own.swap_remove(usize::try_from(self.world.dice(own.len() as u64)).unwrap())],
        };
        let text = Arc::clone(&self.tokens.lock().unwrap()[ends[0] as usize]);
        let mut haunts = false;
        while !self.is_over() {
            let (node, began, text, subject) = (self.any_node(), self.world.now(), Arc::clone(&text), name.to_owned());
            let answer = self.call(node, move |signoff| async move {
                match wide {
                    0 => signoff.log_out_everywhere(&[&text], Cause::logout()).await.map(|_| ()),
                    1 => signoff
                        .revoke(Scope::Subject(&subject), Cause::logout())
                        .await
                        .map(|_| ())
                        .map_err(Denied::from),
                    _ => signoff.log_out(&[&text], Cause::logout()).await.map(|_| ()),
                }
            });
            // People do not wait for ever; what they gave up may happen all the same.
            let answer = tokio::time::timeout(self.world.between(1_000, 12_000), answer).await;
            let what = if matches!(answer, Ok(Some(Ok(())))) { What::LoggedOut } else { What::Attempted };
            for token in &ends {
                self.record(*token, node, began, what);
            }
            if what == What::LoggedOut {
                // A nanosecond later nobody may accept them.
                self.world.pause(0, 1).await;
                for number in 0..self.nodes.len() {
                    ends.iter().for_each(|token| self.verify(number, *token));
                }
                return haunts;
            }
            haunts |= wide < 2;
            self.world.pause(1, 500).await;
        }
        haunts
    }

    /// Tries tokens, dead or alive, on whichever nodes.
    async fn checker(self: Arc<Self>) {
        while !self.is_over() {
            self.world.pause(1, 12).await;
            let count = self.tokens.lock().unwrap().len() as u64;
            if count == 0 {
                continue;
            }
            // Mostly the latest ones.
            let back = self.world.dice(if self.world.chance(80) { count.min(9) } else { count });
            let (token, node) = (u32::try_from(count - 1 - back).unwrap(), self.any_node());
            if self.world.chance(80) {
                self.verify(node, token);
            } else {
                tokio::spawn(Arc::clone(&self).authenticate(node, token, self.world.chance(50)));
            }
        }
    }

    fn verify(&self, node: usize, token: u32) {
        let (began, Some(signoff)) = (self.world.now(), self.running(node)) else { return };
        let text = Arc::clone(&self.tokens.lock().unwrap()[token as usize]);
        self.judge(token, node, began, signoff.verify(&text).map(|_| ()).map_err(Denied::from));
    }

    async fn authenticate(self: Arc<Self>, node: usize, token: u32, read_through: bool) {
        let began = self.world.now();
        let text = Arc::clone(&self.tokens.lock().unwrap()[token as usize]);
        let answer = self.call(node, move |signoff| async move {
            match read_through {
                true => signoff.read_through(&text).await.map(|_| ()),
                false => signoff.authenticate(&text).await.map(|_| ()),
            }
        });
        if let Some(answer) = answer.await {
            self.judge(token, node, began, answer);
        }
    }

    fn judge(&self, token: u32, node: usize, began: Duration, answer: Result<(), Denied>) {
        let what = match answer {
            Ok(()) => What::Accepted,
            Err(Denied::Rejected(Rejection::Revoked)) => What::Dead,
            Err(Denied::Rejected(Rejection::UnknownToken)) => What::Gone,
            Err(Denied::Rejected(Rejection::Stale)) => What::Stale,
            // The store did not answer, or was not asked.
            Err(Denied::Failed(_) | Denied::Rejected(Rejection::Unloaded)) => return,
            Err(other) => panic!("token {token} on node {node}: {other}"),
        };
        self.record(token, node, began, what);
    }

    /// Makes things go wrong.
    async fn gremlin(self: Arc<Self>) {
        while self.is_rough() {
            self.world.pause(1, 1_500).await;
            let (number, began) = (self.world.dice((self.nodes.len() + self.relays.len()) as u64), self.world.now());
            let number = usize::try_from(number).unwrap();
            let relay = number.checked_sub(self.nodes.len()).map(|relay| &self.relays[relay]);
            let (wire, clocks) = match relay {
                Some(relay) => (&relay.wire, &relay.clocks),
                None => (&self.nodes[number].wire, &self.nodes[number].clocks),
            };
            // What one gremlin does the other may undo: then both made trouble for longer than they know.
            let (fault, lasts) =
                (self.world.dice(10), self.world.between(5, if self.world.chance(50) { 900 } else { 6_000 }));
            self.world.note(|| format!("fault {fault} at {number} for {:.3}", lasts.as_secs_f64()));
            let mut bad = State::GOOD;
            match fault {
                0 => bad.held = true,
                1 => bad.lost = 100,
                2 => bad.refused = true,
                3 => bad.lost = 1 + self.world.dice(40),
                4 => bad.slow = 20 + self.world.dice(400),
                5 => bad.deaf = 100,
                6 => {
                    self.nodes.iter().for_each(|other| other.clocks.change_rate());
                    self.relays.iter().for_each(|other| other.clocks.change_rate());
                    continue;
                }
                7 => {
                    clocks.set_wall(self.world.dice(2 * HOUR));
                    continue;
                }
                8 => match relay {
                    Some(relay) => relay.kill(),
                    None => self.kill(number),
                },
                _ => {
                    (0..8).for_each(|_| wire.forge());
                    continue;
                }
            }
            wire.set(bad);
            tokio::time::sleep(lasts).await;
            if fault < 3 && self.world.chance(70) {
                // What was cut off comes back slowly: its old messages meet what the others made of its silence.
                wire.set(State { slow: 20 + self.world.dice(400), ..State::GOOD });
                self.world.pause(100, 1_500).await;
            }
            wire.set(State::GOOD);
            match relay {
                Some(relay) if fault == 8 => relay.start(&self.store).await,
                None if fault == 8 && self.running(number).is_none() => self.start(number).await,
                _ => {}
            }
            // A relay is the trouble of all who are behind it.
            let troubled = if relay.is_some() { 0..self.nodes.len() } else { number..number + 1 };
            let end = self.world.now() + GRACE;
            self.troubles.lock().unwrap().extend(troubled.map(|number| (number, began, end)));
        }
    }
}
