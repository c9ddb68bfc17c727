//! Random lives of a service on a store, against a reference that knows nothing of logs, caches and transactions.
//!
//! A life is a sequence of requests, some of them two at once, with waits, clocks that are set forwards and backwards,
//! purges, and restarts on the same store. Every answer must be one that the reference gives as well; those of two
//! requests at once must be the answers of one of the two orders, and what is seen later must agree with the same order.
//! A life that does not is repeated with less and less in it, until what is left is needed.

mod act;
mod reference;

use std::sync::Arc;
use std::time::Duration;

use self::act::{Act, Answer, CLIENTS, Held, Names, SUBJECTS, Said, Scoped, delivery, perform, rejection};
use self::reference::Model;
use super::races::all;
use crate::refresh::Refresh;
use crate::time::{ManualClock, Timestamp};
use crate::{Algorithm, Error, KeySet, SessionId, Settings, SigningKey, Signoff, Store};

/// How many lives, and how long they are.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "three numbers")]
pub struct Lives {
    /// How many lives, one after the other on one store.
    pub lives: u64,
    /// How many operations each has.
    pub operations: usize,
    /// Where the random numbers start: a store that fails does so again.
    pub seed: u64,
}

/// What was seen, so that a test can tell that it saw something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Seen {
    /// Requests that were answered.
    pub answers: u64,
    /// Requests that were made two at once.
    pub pairs: u64,
    /// Answers that let somebody in or did what was asked.
    pub granted: u64,
    /// Answers that refused.
    pub refused: u64,
    /// Restarts.
    pub restarts: u64,
}

/// An operation before it is known what there is to do it to: random numbers choose.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// A request of this kind.
    One(u64, [u64; 3]),
    /// Two at once.
    Two((u64, [u64; 3]), (u64, [u64; 3])),
    Restart,
    /// The wall clock alone is set, so many seconds ahead or back.
    Step(i64),
    /// Time passes, in microseconds.
    Wait(u64),
}

struct Draw(u64);

impl Draw {
    fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn request(&mut self) -> (u64, [u64; 3]) {
        (self.below(100), [self.below(1 << 20), self.below(1 << 20), self.below(1 << 20)])
    }

    fn op(&mut self) -> Op {
        match self.below(100) {
            0..=57 => {
                let (kind, numbers) = self.request();
                Op::One(kind, numbers)
            }
            58..=74 => Op::Two(self.request(), self.request()),
            75..=77 => Op::Restart,
            78 => Op::Step(self.below(4 * 3600) as i64),
            79 => Op::Step(-(self.below(2 * 3600) as i64)),
            80..=94 => Op::Wait(self.below(20_000_000)),
            95..=97 => Op::Wait(self.below(40 * 60_000_000)),
            98 => Op::Wait(self.below(10 * 3_600_000_000)),
            _ => Op::Wait(30 * 3_600_000_000 + self.below(1 << 30)),
        }
    }
}

/// Runs random lives on the store that `open` opens: the same one each time, as it was left.
///
/// # Panics
///
/// When an answer is none of the reference's: with the shortest life that shows it.
pub async fn lives_follow_the_model<S: Store>(mut open: impl AsyncFnMut() -> S, lives: Lives) -> Seen {
    let mut draw = Draw(lives.seed | 1);
    let mut seen = Seen::default();
    let mut start = Timestamp::from_secs(1_800_000_000).expect("a time of our days");
    let mut name = 0;
    for life in 0..lives.lives {
        let mut ops: Vec<_> = (0..lives.operations).map(|_| draw.op()).collect();
        name += 1;
        let outcome = live(&mut open, &ops, Names(name), life, &mut start, &mut seen).await;
        let Err(mut failure) = outcome else { continue };
        // Leaves out what is not needed, in pieces that get smaller.
        let mut piece = ops.len() / 2;
        while piece > 0 {
            let mut from = 0;
            while from < ops.len() {
                let less: Vec<_> = ops[..from].iter().chain(ops.iter().skip(from + piece)).copied().collect();
                name += 1;
                match live(&mut open, &less, Names(name), life, &mut start, &mut Seen::default()).await {
                    Err(smaller) => (ops, failure) = (less, smaller),
                    Ok(()) => from += piece,
                }
            }
            piece /= 2;
        }
        panic!("life {life} of seed {}: {failure}\nof {ops:?}", lives.seed);
    }
    seen
}

/// A service, and what is held and known of it.
struct World {
    signoff: Signoff,
    names: Names,
    held: Vec<Option<Held>>,
    /// More than one when two requests at once could have come in either order.
    models: Vec<Model>,
    history: Vec<String>,
}

fn settings(life: u64) -> Settings {
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.delivery = delivery(life);
    settings.refresh = (settings.delivery == crate::Delivery::Jwt).then(Refresh::default);
    settings.purge_every = None;
    settings
}

async fn start_on<S: Store>(
    open: &mut impl AsyncFnMut() -> S,
    life: u64,
    clock: &ManualClock,
) -> Result<Signoff, Error> {
    let keys = KeySet::new(SigningKey::from_secret(Algorithm::Hs256, &[7; 32])?);
    Signoff::open_with_clock(open().await, keys, settings(life), Arc::new(clock.clone())).await
}

async fn live<S: Store>(
    open: &mut impl AsyncFnMut() -> S,
    ops: &[Op],
    names: Names,
    life: u64,
    start: &mut Timestamp,
    seen: &mut Seen,
) -> Result<(), String> {
    let clock = ManualClock::new(*start);
    let failed = |error: Error| format!("{error}: {error:?}");
    let model = Model::new(*start, &settings(life), Duration::from_secs(10));
    let signoff = start_on(open, life, &clock).await.map_err(failed)?;
    let mut world = World { signoff, names, held: Vec::new(), models: vec![model], history: Vec::new() };
    let mut outcome = Ok(());
    for op in ops {
        outcome = match op {
            Op::Wait(micros) => {
                let by = Duration::from_micros(*micros);
                clock.advance(by);
                world.set(world.models[0].now.saturating_add(by));
                Ok(())
            }
            Op::Step(secs) => {
                let by = Duration::from_secs(secs.unsigned_abs());
                let now = world.models[0].now;
                let now = if *secs < 0 { now.saturating_sub(by) } else { now.saturating_add(by) };
                clock.step(Some(now));
                world.set(now);
                Ok(())
            }
            Op::Restart => {
                seen.restarts += 1;
                world.history.push("restart".to_owned());
                world.signoff.close().await;
                world.signoff = start_on(open, life, &clock).await.map_err(failed)?;
                Ok(())
            }
            Op::One(kind, numbers) => world.ask(&[(*kind, *numbers)], seen).await,
            Op::Two(one, other) => world.ask(&[*one, *other], seen).await,
        };
        *start = (*start).max(world.models.first().map_or(*start, |model| model.now));
        if outcome.is_err() {
            break;
        }
    }
    if outcome.is_ok() {
        // At the end everybody shows everything that they have.
        for slot in 0..world.held.len() {
            let tokens = world.held[slot].as_ref().map_or(0, |held| held.tokens.len());
            for token in 0..tokens {
                if outcome.is_ok() {
                    outcome = world.acts(vec![Act::Authenticate { slot, token }], seen).await;
                }
            }
        }
    }
    world.signoff.close().await;
    // Lives do not overlap: what one of them set the clock to, the next one is after.
    *start = start.saturating_add(Duration::from_secs(24 * 60 * 60));
    outcome
}

impl World {
    fn set(&mut self, now: Timestamp) {
        self.history.push(format!("it is {}", now.as_micros()));
        self.models.iter_mut().for_each(|model| model.now = now);
    }

    /// Makes requests of random numbers, and sends them at once.
    async fn ask(&mut self, requests: &[(u64, [u64; 3])], seen: &mut Seen) -> Result<(), String> {
        let mut acts = Vec::new();
        for (kind, numbers) in requests {
            acts.push(self.prepare(*kind, *numbers, requests.len() > 1, seen).await?);
        }
        self.acts(acts, seen).await
    }

    /// Chooses among what there is. What needs a live token gets it now, by a request of its own.
    async fn prepare(
        &mut self,
        kind: u64,
        numbers: [u64; 3],
        one_of_two: bool,
        seen: &mut Seen,
    ) -> Result<Act, String> {
        let [a, b, c] = numbers;
        let pick = |from: usize, number: u64| usize::try_from(number % from.max(1) as u64).unwrap_or(0);
        let subject = pick(SUBJECTS as usize, b);
        // The first ones are the most likely to have ended; the last ones to live.
        let known = self.held.len();
        let slot =
            if a.is_multiple_of(3) { pick(known, a / 3) } else { known.saturating_sub(1 + pick(3.min(known), a / 3)) };
        let Some(held) = self.held.get(slot).and_then(Option::as_ref).filter(|_| kind >= 14) else {
            self.held.push(None);
            return Ok(Act::LogIn { slot: known, subject, client: pick(CLIENTS as usize, c) });
        };
        let newest = |count: usize, number: u64| count - 1 - pick(count.min(4), number.saturating_sub(4) / 2);
        let at = newest(held.tokens.len(), b % 10);
        let token = held.tokens[at].clone();
        let refresh = (!held.refresh.is_empty()).then(|| held.refresh[newest(held.refresh.len(), b % 8)].clone());
        let (id, client) = (held.id, held.client);
        let presented = match (&refresh, c % 3) {
            (Some(refresh), 0) => refresh.clone(),
            _ => token.clone(),
        };
        match (kind, refresh) {
            (14..=29, _) => return Ok(Act::Authenticate { slot, token: at }),
            (30..=45, Some(presented)) => return Ok(Act::Refresh { slot, presented }),
            (46..=53, _) => return Ok(Act::LogOut { slot, token: presented }),
            (54..=55, _) => return Ok(Act::Everywhere { slot, token: presented }),
            (56..=58, _) if !one_of_two => {
                return Ok(Act::EndSession { slot, subject: if c % 4 == 0 { subject } else { held.subject } });
            }
            (59..=60, _) => return Ok(Act::Revoke(Scoped::Client(client))),
            (61, _) => return Ok(Act::Revoke(Scoped::Everything)),
            (62, _) => return Ok(Act::Revoke(Scoped::Subject(subject))),
            (63..=64, _) => return Ok(Act::Revoke(Scoped::Session(slot, id))),
            (65..=69, _) => return Ok(Act::List { subject }),
            (70..=71, _) => return Ok(Act::Purge),
            _ => {}
        }
        let accepted = rejection(self.signoff.authenticate(&token).await).map_err(|error| format!("{error:?}"))?;
        self.judge(&[Act::Authenticate { slot, token: at }], &[Said::Accepted(accepted.is_ok())], seen)?;
        let Ok(live) = accepted else { return Ok(Act::Nothing) };
        let live = Box::new(live);
        Ok(match kind {
            72..=73 => Act::Others { slot, live },
            74..=76 => match live.token_id() {
                Some(id) => Act::Revoke(Scoped::Token(slot, at, *id.as_bytes())),
                None => Act::Nothing,
            },
            77..=83 if live.token_id().is_some() => Act::Renew { slot, live },
            77..=86 => Act::Touch { slot, live },
            87..=90 => Act::Load { slot, live },
            _ => {
                // Mostly the version that is there, if that is known.
                let loaded = self.signoff.session(&live).await.map_err(|error| format!("{error:?}"))?;
                let said = loaded.map(|session| (session.version, session.data.first().copied().unwrap_or(u8::MAX)));
                let load = Act::Load { slot, live };
                self.judge(std::slice::from_ref(&load), &[Said::Loaded(said)], seen)?;
                let Act::Load { live, .. } = load else { return Ok(Act::Nothing) };
                let version = said.map_or(1, |(version, _)| version);
                let version = if c % 5 == 0 { version.saturating_sub(1) } else { version };
                Act::Save { slot, live, version, data: u8::try_from(c % 200).unwrap_or(0) }
            }
        })
    }

    /// Sends requests at once, and holds the answers against what is known.
    async fn acts(&mut self, acts: Vec<Act>, seen: &mut Seen) -> Result<(), String> {
        let (signoff, names, held) = (&self.signoff, self.names, &self.held);
        let answers = all(acts.iter().map(|act| perform(signoff, names, held, act)).collect()).await;
        let mut said = Vec::with_capacity(answers.len());
        let mut lists = Vec::with_capacity(answers.len());
        for (act, answer) in acts.iter().zip(answers) {
            let mut answer =
                answer.map_err(|error| format!("{act:?}: {error} {error:?}\nafter {:#?}", self.history))?;
            lists.push(answer.listed.take());
            said.push(self.keep(act, answer));
        }
        for (said, listed) in said.iter_mut().zip(lists) {
            if let Some(listed) = listed {
                let holder =
                    |id: &SessionId| self.held.iter().position(|held| held.as_ref().is_some_and(|h| h.id == *id));
                // A session that nobody has is none that the reference knows.
                *said = Said::Listed(listed.iter().map(|id| holder(id).unwrap_or(usize::MAX)).collect());
            }
        }
        self.judge(&acts, &said, seen)
    }

    /// Keeps what somebody got.
    fn keep(&mut self, act: &Act, answer: Answer) -> Said {
        let Answer { said, began, token, .. } = answer;
        match act {
            Act::LogIn { slot, .. } => self.held[*slot] = began,
            Act::Refresh { slot, .. } | Act::Renew { slot, .. } => {
                if let Some(held) = &mut self.held[*slot] {
                    held.tokens.extend(token);
                    if let Said::Refreshed(successor) = &said
                        && !held.refresh.contains(successor)
                    {
                        held.refresh.push(successor.clone());
                    }
                }
            }
            _ => {}
        }
        said
    }

    /// Leaves those models that give these answers, in some order.
    fn judge(&mut self, acts: &[Act], said: &[Said], seen: &mut Seen) -> Result<(), String> {
        self.history.push(format!("{acts:?}: {said:?}"));
        let forwards: Vec<usize> = (0..acts.len()).collect();
        let backwards: Vec<usize> = (0..acts.len()).rev().collect();
        let mut left: Vec<Model> = Vec::new();
        for model in &self.models {
            for order in [&forwards, &backwards] {
                let mut next = model.clone();
                let fits = order.iter().all(|n| next.step(&acts[*n], &said[*n])) && next.settle();
                if fits && !left.contains(&next) {
                    left.push(next);
                }
            }
        }
        if left.is_empty() {
            let models = &self.models;
            return Err(format!("not what the reference says: {models:?}\nafter {:#?}", self.history));
        }
        self.models = left;
        seen.answers += said.len() as u64;
        seen.pairs += u64::from(said.len() > 1);
        for said in said {
            let refused = matches!(
                said,
                Said::Accepted(false)
                    | Said::Ended(None)
                    | Said::Kept(false)
                    | Said::Loaded(None)
                    | Said::NotRefreshed(_)
                    | Said::Renewed(false)
                    | Said::Updated(crate::Update::Conflict | crate::Update::Gone)
            );
            seen.refused += u64::from(refused);
            seen.granted += u64::from(!refused);
        }
        Ok(())
    }
}
