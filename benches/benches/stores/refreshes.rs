//! Refreshes of 256 callers at once.
//!
//! Claims: how many times as many group commit does as a transaction for each, written by hand. Both sign a JWT for each;
//! ours also seals the successor, and finds out thefts and repetitions.

use std::sync::Arc;

use ring::signature::{Ed25519KeyPair, KeyPair};
use signoff::Context;
use signoff::time::{Clock, SystemClock};
use signoff_benches::random::mix;
use signoff_benches::{Contestant, Length, Unit, claim, interleave};
use tokio::runtime::Runtime;

use crate::Failure;
use crate::crowd::{POOLS, best};
use crate::database::Database;
use crate::hand::Hand;
use crate::rows::Rows;
use crate::service::{CALLERS, crowd, log_in, open};

/// As long as what is signed of a JWT of ours.
const SIGNED: [u8; 300] = [b'a'; 300];

/// Measures.
pub(crate) fn run(length: Length, runtime: &Runtime, database: &Database) -> Result<(), Failure> {
    let each = length.pick(40, 4);
    let place = database.place()?;
    let signoff = runtime.block_on(async { open(place.store().await?).await })?;
    let mut callers: Vec<_> = runtime.block_on(log_in(&signoff, CALLERS))?.into_iter().map(Some).collect();

    let now = SystemClock::new().wall().ok_or("the clock is unreadable")?.as_micros();
    // One set of callers for each time that the base is measured.
    let sets = POOLS.len() + length.pick(5, 3) + 1;
    let rows = Arc::new(Rows::new((CALLERS * sets) as u64, now + 30 * 3_600_000_000));
    let beside = database.place()?;
    runtime.block_on(async {
        beside.prepare().await?;
        rows.sessions(&beside).await?;
        rows.families(&beside).await?;
        Hand::prepare(&beside).await
    })?;
    let key = Arc::new(Ed25519KeyPair::from_seed_unchecked(&[7; 32]).map_err(|_| "a seed is a key")?);
    assert_eq!(key.public_key().as_ref().len(), 32);
    let set = std::cell::Cell::new(0);
    let by_hand = |pool: u32| {
        let first = set.replace(set.get() + 1) * CALLERS as u64;
        let each = length.pick(10, 2);
        runtime.block_on(async {
            let hand = Hand::open(&beside, pool).await?;
            let rate = crowd((first..first + CALLERS as u64).collect(), each, |number| {
                let (hand, rows, key) = (hand.clone(), Arc::clone(&rows), Arc::clone(&key));
                async move {
                    let id = rows.nth(number);
                    let family = Rows::family(&id);
                    let mut current = family.clone();
                    for n in 0..each as u64 {
                        let at = SystemClock::new().wall().ok_or("the clock is unreadable")?.as_micros();
                        let successor = mix(number << 32 | n).to_be_bytes().repeat(4);
                        hand.refresh(id, &family, &current, &successor, at).await?;
                        current = successor;
                        let _ = key.sign(&SIGNED);
                    }
                    Ok(())
                }
            });
            let rate = rate.await?;
            hand.close().await;
            Ok(rate)
        })
    };
    let pool = best(database, "refreshes, one transaction each", by_hand)?;
    let [ours, base] = interleave(
        &format!("{}: refreshes, {CALLERS} callers at once", database.name()),
        Unit::PerSecond,
        length.pick(5, 3),
        [
            Contestant::new("group commit, the default settings", || {
                let work = |tokens: Option<crate::service::Tokens>| {
                    let signoff = signoff.clone();
                    async move {
                        let mut token = tokens.ok_or("each has a token")?.refresh;
                        for _ in 0..each {
                            token = signoff.refresh(token.expose(), Context::new()).await?.refresh_token;
                        }
                        Ok(())
                    }
                };
                let now = std::mem::take(&mut callers);
                let rate = runtime.block_on(crowd(now, each, work)).expect("refreshes succeed");
                callers = runtime
                    .block_on(log_in(&signoff, CALLERS))
                    .expect("logins succeed")
                    .into_iter()
                    .map(Some)
                    .collect();
                rate
            }),
            Contestant::new(&format!("one transaction each, {pool} connections"), || {
                by_hand(pool).expect("refreshes succeed")
            }),
        ],
    );
    claim(&format!("refresh-256-{}", database.name()), &ours, &base);
    runtime.block_on(signoff.close());
    Ok(())
}
