//! Exchanging under concurrency, and against a model: what a family does in long random lives.

use std::pin::Pin;
use std::time::Duration;

use super::exchanges::{create_family, exchange, run, token};
use super::races::all;
use super::{at, load, one, session};
use crate::store::{Exchange, ExchangeOutcome};
use crate::time::Timestamp;
use crate::{Position, SessionId, Store};

/// Of many exchanges of one token at once, one rotates; all others get its successor.
pub async fn concurrent_exchanges_have_one_successor(store: &dyn Store) {
    create_family(store, &session("alice"), 1).await;
    let mut current = 0;
    for round in 0..5 {
        let requests: Vec<_> = (0..8).map(|n| exchange(1, current, 10 * (round + 1) + n)).collect();
        let now = at(i64::from(round) * 20);
        let asked = all(requests.iter().map(|request| run(store, std::slice::from_ref(request), now)).collect()).await;
        let outcomes: Vec<_> = asked.into_iter().flat_map(|(outcomes, _)| outcomes).collect();
        let rotated: Vec<_> = (0..8).filter(|n| matches!(outcomes[*n as usize], ExchangeOutcome::Rotated(_))).collect();
        assert_eq!(rotated.len(), 1, "{outcomes:?}");
        current = 10 * (round + 1) + rotated[0];
        for outcome in &outcomes {
            match outcome {
                ExchangeOutcome::Same { successor, .. } => assert_eq!(*successor, token(1, current)),
                ExchangeOutcome::Rotated(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Gives the heads that its exchanges saw, and the position that its sign-off left.
type Racer<'a> = Pin<Box<dyn Future<Output = (Vec<Position>, Position)> + Send + 'a>>;

/// An exchange that finds its session live is before the sign-off in the log, whichever returns first.
pub async fn exchanges_never_outlive_a_sign_off(store: &dyn Store) {
    for round in 0..20 {
        let created = create_family(store, &session("alice"), round).await;
        let refresh = async move {
            let mut heads = Vec::new();
            for generation in 0..40 {
                let request = exchange(round, generation, generation + 1);
                let (outcomes, page) = run(store, &[request], at(1)).await;
                match &outcomes[0] {
                    ExchangeOutcome::Rotated(_) => heads.push(page.through),
                    ExchangeOutcome::Gone => break,
                    other => panic!("{other:?}"),
                }
            }
            (heads, Position::MAX)
        };
        let logout = async move {
            let page = store.sign_off(&[one(created.id)], at(1)).await.expect("signed off").page;
            let (outcomes, _) = run(store, &[exchange(round, 0, 90)], at(1)).await;
            assert_eq!(outcomes, [ExchangeOutcome::Gone]);
            (Vec::new(), page.through)
        };
        let racers: Vec<Racer<'_>> = vec![Box::pin(refresh), Box::pin(logout)];
        let ended = all(racers).await;
        let signed_off = ended[1].1;
        assert!(ended[0].0.iter().all(|head| *head < signed_off), "it saw the sign-off and rotated all the same");
        assert_eq!(load(store, &created.id, at(1)).await, None);
    }
}

/// What a family should do, told in another way than stores do it: by the whole history.
struct Model {
    session: SessionId,
    /// Every token that was current, and when it was exchanged.
    tokens: Vec<(u8, Option<(Timestamp, Duration)>)>,
    idle: Timestamp,
    ended: bool,
    /// Sealed successors whose grace was over by then are forgotten.
    forgotten: Timestamp,
}

#[derive(PartialEq, Debug)]
enum Expect {
    Gone,
    Reused,
    Rotated,
    Same(u8),
}

impl Model {
    fn exchange(&mut self, presented: u8, request: &Exchange, successor: u8, now: Timestamp) -> Expect {
        if self.ended || now >= self.idle || now >= at(1_000) {
            return Expect::Gone;
        }
        let last = self.tokens.len() - 1;
        match self.tokens.iter().rposition(|(token, _)| *token == presented) {
            Some(n) if n == last => {
                self.tokens[n].1 = Some((now, request.grace));
                self.tokens.push((successor, None));
                self.idle = request.idle_expires_at.min(at(1_000));
                Expect::Rotated
            }
            Some(n) if n + 1 == last && self.within_grace(n, now) => Expect::Same(self.tokens[last].0),
            _ => {
                self.ended = true;
                Expect::Reused
            }
        }
    }

    fn within_grace(&self, n: usize, now: Timestamp) -> bool {
        let Some((exchanged, grace)) = self.tokens[n].1 else { return false };
        let until = exchanged.saturating_add(grace);
        !grace.is_zero() && now < until && self.forgotten < until
    }
}

/// Many random lives: any token at any time, logouts, purges, and a clock that is set back, give what the model says.
pub async fn exchanges_follow_the_model(store: &dyn Store) {
    // A fixed seed: a store that fails does so again.
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = move |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let mut seen = [0; 4];
    for life in 0..60 {
        let created = create_family(store, &session("alice"), life).await;
        let (session, idle) = (created.id, created.idle_expires_at);
        let mut model = Model { session, tokens: vec![(0, None)], idle, ended: false, forgotten: Timestamp::MIN };
        let mut now = at(0);
        for successor in 1..40 {
            now = match draw(12) {
                0 => now.saturating_sub(Duration::from_secs(draw(20))),
                1 => now.saturating_add(Duration::from_secs(draw(40))),
                // Exactly where the grace of the last exchange ends, or a microsecond before.
                2 | 3 => match model.tokens.iter().rev().find_map(|(_, exchanged)| *exchanged) {
                    Some((exchanged, grace)) => {
                        exchanged.saturating_add(grace).saturating_sub(Duration::from_micros(draw(2)))
                    }
                    None => now,
                },
                _ => now.saturating_add(Duration::from_micros(draw(3_000_000))),
            }
            .max(at(0));
            match draw(40) {
                0 => {
                    store.sign_off(&[one(model.session)], now).await.expect("signed off");
                    model.ended = true;
                }
                1 => {
                    let horizon = now.min(at(999));
                    store.purge(horizon, 1_000).await.expect("purged");
                    model.forgotten = model.forgotten.max(horizon);
                }
                _ => {}
            }
            let known = model.tokens.len() as u64;
            let presented = match draw(20) {
                0 => model.tokens[draw(known) as usize].0,
                1 => 250,
                2..=6 => model.tokens[(known.max(2) - 2) as usize].0,
                _ => model.tokens[known as usize - 1].0,
            };
            let request = Exchange {
                grace: Duration::from_secs(draw(4) * 5),
                idle_expires_at: now.saturating_add(Duration::from_secs(20 + draw(100))),
                ..exchange(life, presented, successor)
            };
            let expect = model.exchange(presented, &request, successor, now);
            let outcome = run(store, std::slice::from_ref(&request), now).await.0.remove(0);
            let found = match &outcome {
                ExchangeOutcome::Gone => Expect::Gone,
                ExchangeOutcome::Reused(_) => Expect::Reused,
                ExchangeOutcome::Rotated(session) => {
                    assert_eq!((session.idle_expires_at, session.last_seen_at), (model.idle, now));
                    Expect::Rotated
                }
                ExchangeOutcome::Same { successor, .. } => Expect::Same(successor.as_bytes()[31]),
                ExchangeOutcome::Unknown => panic!("life {life}: the family vanished"),
            };
            assert_eq!(found, expect, "life {life}, step {successor}, {presented} at {now:?} of {:?}", model.tokens);
            seen[match expect {
                Expect::Gone => 0,
                Expect::Reused => 1,
                Expect::Rotated => 2,
                Expect::Same(_) => 3,
            }] += 1;
            let is_live = load(store, &model.session, now).await.is_some();
            assert_eq!(is_live, !model.ended && now < model.idle && now < at(1_000), "life {life}, step {successor}");
        }
    }
    assert!(seen.iter().all(|count| *count >= 20), "the lives are too much alike: {seen:?}");
}
