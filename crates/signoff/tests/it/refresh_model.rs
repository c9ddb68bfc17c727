//! One login against a model: whatever tokens are presented, when, and between which restarts, exactly what the history
//! demands is given out.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use signoff::refresh::Refresh;
use signoff::time::Timestamp;
use signoff::{Cause, KeySet, MemoryStore, Rejection, Signoff};

use crate::bank::{Bank, key, secs};
use crate::refresh::{log_in, refresh, refusal, settings};

#[derive(Clone, Debug)]
enum Op {
    /// Presents the token that is so many generations old.
    Refresh(usize),
    /// Lets time pass, in microseconds.
    Wait(u64),
    /// Sets the wall clock back by so many seconds.
    StepBack(u64),
    /// Logs out with the token that is so many generations old.
    LogOut(usize),
    Restart,
}

fn op() -> impl Strategy<Value = Op> {
    let edge =
        prop_oneof![Just(10_000_000_u64), Just(9_999_999), Just(10_000_001), 0..30_000_000_u64, 0..2_000_000_000_u64];
    prop_oneof![
        8 => Just(Op::Refresh(0)),
        4 => Just(Op::Refresh(1)),
        1 => (2..6_usize).prop_map(Op::Refresh),
        6 => edge.prop_map(Op::Wait),
        1 => (0..15_u64).prop_map(Op::StepBack),
        1 => (0..6_usize).prop_map(Op::LogOut),
        2 => Just(Op::Restart),
    ]
}

/// The history of one login.
struct Model {
    now: Timestamp,
    tokens: Vec<String>,
    exchanged_at: Option<Timestamp>,
    idle_end: Timestamp,
    end: Timestamp,
    ended: bool,
}

impl Model {
    fn age(&self, age: usize) -> (usize, &str) {
        let age = age.min(self.tokens.len() - 1);
        (age, &self.tokens[self.tokens.len() - 1 - age])
    }

    fn is_over(&self) -> bool {
        self.ended || self.now >= self.idle_end || self.now >= self.end
    }

    /// What presenting a token of this age must come to: `Ok` when it is exchanged.
    fn verdict(&self, age: usize) -> Result<(), Rejection> {
        let in_grace = |at: Timestamp| self.now < at.saturating_add(secs(10));
        match age {
            _ if self.is_over() => Err(Rejection::Revoked),
            0 => Ok(()),
            1 if self.exchanged_at.is_some_and(in_grace) => Ok(()),
            _ => Err(Rejection::Reused),
        }
    }
}

async fn live(ops: Vec<Op>) {
    let store = Arc::new(MemoryStore::new());
    let mut bank = Bank::open_on(Arc::clone(&store), settings()).await;
    let start = crate::bank::start();
    let (first_access, token) = log_in(&bank, "alice").await;
    let mut given = vec![first_access];
    let mut model = Model {
        now: start,
        tokens: vec![token],
        exchanged_at: None,
        idle_end: start.saturating_add(secs(30 * 60)),
        end: start.saturating_add(secs(8 * 60 * 60)),
        ended: false,
    };
    for op in ops {
        match op {
            Op::Wait(micros) => {
                bank.clock.advance(Duration::from_micros(micros));
                model.now = model.now.saturating_add(Duration::from_micros(micros));
            }
            Op::StepBack(back) => {
                model.now = model.now.saturating_sub(secs(back)).max(start);
                bank.clock.step(Some(model.now));
            }
            Op::Restart => {
                let Bank { signoff, clock } = bank;
                signoff.close().await;
                let mut settings = settings();
                settings.refresh = Some(Refresh::default());
                let clock_of = Arc::new(clock.clone());
                let signoff = Signoff::open_with_clock(Arc::clone(&store), KeySet::new(key()), settings, clock_of);
                bank = Bank { signoff: signoff.await.unwrap(), clock };
            }
            Op::LogOut(age) => {
                let token = model.age(age).1;
                let destroyed = bank.signoff.log_out(&[token], Cause::logout()).await.unwrap().destroyed();
                assert_eq!(destroyed, u64::from(!model.ended));
                model.ended = true;
            }
            Op::Refresh(age) => {
                let (age, token) = model.age(age);
                let outcome = refresh(&bank, token).await;
                match model.verdict(age) {
                    Ok(()) => {
                        let refreshed = outcome.unwrap();
                        assert!(refreshed.expires_at <= model.end && refreshed.session.expires_at == model.end);
                        given.push(refreshed.token.expose().to_owned());
                        let successor = refreshed.refresh_token.expose().to_owned();
                        if age == 0 {
                            assert!(!model.tokens.contains(&successor));
                            model.tokens.push(successor);
                            model.exchanged_at = Some(model.now);
                            model.idle_end = model.now.saturating_add(secs(30 * 60)).min(model.end);
                        } else {
                            assert_eq!(successor, model.tokens[model.tokens.len() - 1], "a second branch");
                        }
                    }
                    Err(expect) => {
                        assert_eq!(refusal(outcome), expect);
                        model.ended |= expect == Rejection::Reused;
                    }
                }
            }
        }
        if model.ended {
            assert!(given.iter().all(|token| bank.signoff.verify(token).is_err()), "a JWT outlived its session");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_login_follows_the_model(ops in prop::collection::vec(op(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(live(ops));
    }
}
