//! One logout at a time.
//!
//! Claims: how many times as long it takes as the cheapest durable write there is in the same database, a row of its own
//! through sqlx on a connection that is held. Beside them, the same logout by hand in its fastest shape, which verifies no token
//! and does not say what it found.

use signoff::Cause;
use signoff::time::{Clock, SystemClock};
use signoff_benches::{Contestant, Length, Unit, claim, interleave, now};
use tokio::runtime::Runtime;

use crate::Failure;
use crate::database::Database;
use crate::hand::{Hand, Head};
use crate::rows::Rows;
use crate::service::{log_in, nanos_at, on_a_worker, open};

/// Measures.
pub(crate) fn run(length: Length, runtime: &Runtime, database: &Database) -> Result<(), Failure> {
    let (rounds, each) = (length.pick(51, 9), 50);
    let place = database.place()?;
    let signoff = runtime.block_on(async { open(place.store().await?).await })?;
    let mut tokens = runtime.block_on(log_in(&signoff, (rounds + 1) * each))?;
    let beside = database.place()?;
    let mut plain = Some(runtime.block_on(async {
        let mut plain = beside.connect().await?;
        plain.prepare_append().await?;
        Ok::<_, Failure>(plain)
    })?);

    let by_hand = database.place()?;
    let ends = SystemClock::new().wall().ok_or("the clock is unreadable")?.as_micros() + 30 * 3_600_000_000;
    let rows = Rows::new(((rounds + 1) * each) as u64, ends);
    let hand = runtime.block_on(async {
        by_hand.prepare().await?;
        rows.sessions(&by_hand).await?;
        Hand::prepare(&by_hand).await?;
        Hand::open(&by_hand, 1).await
    })?;
    let mut next = 0;

    let [ours, base, _] = interleave(
        &format!("{}: one at a time, p50 of {each}", database.name()),
        Unit::Nanoseconds,
        rounds,
        [
            Contestant::new("logout", || {
                let (signoff, tokens) = (signoff.clone(), tokens.split_off(tokens.len() - each));
                on_a_worker(runtime, async move {
                    let mut taken = Vec::with_capacity(each);
                    for token in &tokens {
                        signoff.verify(token.access.expose()).expect("nobody logs out who has not been there");
                        let start = now();
                        let receipt = signoff.log_out(&[token.access.expose()], Cause::logout()).await;
                        taken.push(now() - start);
                        assert!(receipt.is_ok_and(|receipt| receipt.destroyed() == 1), "a logout succeeds");
                    }
                    nanos_at(&taken, 0.5)
                })
            }),
            Contestant::new("one-row INSERT through sqlx, held connection", || {
                let mut held = plain.take().expect("it is put back");
                let (taken, held) = on_a_worker(runtime, async move {
                    let mut taken = Vec::with_capacity(each);
                    for _ in 0..each {
                        let start = now();
                        let inserted = held.append().await;
                        taken.push(now() - start);
                        assert!(inserted.is_ok(), "an insert succeeds");
                    }
                    (nanos_at(&taken, 0.5), held)
                });
                plain = Some(held);
                taken
            }),
            Contestant::new("the logout by hand, one round trip", || {
                let hand = hand.clone();
                let ids: Vec<_> = (next..next + each as u64).map(|number| rows.nth(number)).collect();
                next += each as u64;
                on_a_worker(runtime, async move {
                    let mut taken = Vec::with_capacity(each);
                    for id in ids {
                        let at = SystemClock::new().wall().expect("the clock is readable").as_micros();
                        let start = now();
                        let done = hand.log_out(id, at, 0, Head::Locked).await;
                        taken.push(now() - start);
                        assert!(done.is_ok(), "a logout succeeds");
                    }
                    nanos_at(&taken, 0.5)
                })
            }),
        ],
    );
    claim(&format!("logout-lone-{}", database.name()), &ours, &base);
    if let Some(plain) = plain {
        runtime.block_on(plain.close())?;
    }
    runtime.block_on(hand.close());
    runtime.block_on(signoff.close());
    Ok(())
}
