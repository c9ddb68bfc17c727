//! What was said between nodes and relays, said again by somebody who has no key, as it was and changed.

use std::time::Duration;

use signoff::{Cause, Rejection};

use crate::broker::Broker;
use crate::fleet::Fleet;
use crate::relays::{ONE, SHORT, TWO, log_in, until};
use crate::wire::{Said, eavesdrop, say};

/// Thirty-two digits, as those who ask have.
const STRANGER: &str = "00000000000000000000000000000bad";

/// What was said there, but for the echo by which a relay on NATS hears that it is connected.
fn of<'a>(heard: &'a [Said], topic: &str) -> Vec<&'a Said> {
    heard.iter().filter(|said| said.topic == topic && said.what != b"?").collect()
}

/// Everything with one bit different, somewhere in the message itself.
fn changed(all: &[&Said]) -> Vec<Said> {
    let change = |(n, said): (usize, &&Said)| {
        let mut said = (*said).clone();
        // With Redis the first 40 bytes are around the message.
        let from = if said.reply.is_none() { 40 } else { 0 };
        let at = from + (n * 7) % (said.what.len() - from);
        said.what[at] ^= 1 << (n % 8);
        said
    };
    all.iter().enumerate().map(change).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_repeated_or_forged_revives_nothing_and_expels_nobody() {
    for broker in Broker::each() {
        let (what, fleet) = (format!("{broker:?}"), Fleet::with(SHORT));
        let heard = eavesdrop(&broker);
        let one = broker.serve(fleet.relay(broker.hints()).await, ONE).await;
        let two = broker.serve(fleet.relay(broker.hints()).await, TWO).await;
        let a = fleet.join_behind(vec![broker.link(ONE)], broker.hints()).await;
        let b = fleet.join_behind(vec![broker.link(TWO)], broker.hints()).await;
        // One that leaves, and one that is gone without a word.
        let (leaves, dies) = (
            fleet.join_behind(vec![broker.link(ONE)], broker.hints()).await,
            fleet.join_behind(vec![broker.link(ONE)], broker.hints()).await,
        );
        let mut dead = Vec::new();
        for _ in 0..10 {
            let token = log_in(&a).await;
            until("out", async || b.log_out(&[&token], Cause::logout()).await.is_ok()).await;
            dead.push(token);
        }
        leaves.close().await;
        drop(dies);
        until("gone", async || one.nodes() == 1).await;

        // All that was said until now, to the relays and by them.
        let said = heard.lock().unwrap().clone();
        let (to_one, to_two) = (of(&said, ONE), of(&said, TWO));
        assert!(to_one.len() >= 20 && to_two.len() >= 20, "{what}: {} {}", to_one.len(), to_two.len());
        let answers: Vec<Said> =
            said.iter().filter(|said| said.topic.starts_with("bank.relay.o") && said.topic != ONE).cloned().collect();
        assert!(answers.len() >= 20, "{what}: {}", answers.len());

        let mut again: Vec<Said> = said.iter().filter(|said| said.topic.starts_with("bank.relay")).cloned().collect();
        // What was meant for one relay, said to the other; questions as answers; everything changed.
        again.extend(to_one.iter().map(|said| Said { topic: TWO.to_owned(), ..(*said).clone() }));
        again.extend(to_two.iter().map(|said| Said { topic: ONE.to_owned(), ..(*said).clone() }));
        for (n, answer) in answers.iter().enumerate() {
            again.push(Said { what: to_one[n % to_one.len()].what.clone(), ..answer.clone() });
        }
        again.extend(changed(&to_one));
        let before = [&a, &b].map(|node| node.node_metrics().unwrap());
        for _ in 0..3 {
            for some in again.chunks(100) {
                tokio::task::block_in_place(|| say(&broker, some));
                tokio::time::sleep(Duration::from_millis(20)).await;
                for node in [&a, &b] {
                    assert!(dead.iter().all(|token| node.verify(token).is_err()), "{what}");
                }
            }
            assert_eq!((one.nodes(), two.nodes()), (1, 1), "{what}: nobody came back, and nobody was expelled");
        }
        let token = log_in(&b).await;
        until("good", async || a.verify(&token).is_ok() && b.verify(&token).is_ok()).await;
        until("out", async || a.log_out(&[&token], Cause::logout()).await.is_ok()).await;
        assert_eq!([&a, &b].map(|node| node.verify(&token).err()), [Some(Rejection::Revoked); 2], "{what}");
        for (node, before) in [&a, &b].into_iter().zip(before) {
            let now = node.node_metrics().unwrap();
            assert_eq!((now.joined, now.expelled), (before.joined, before.expelled), "{what}: {now:?}");
        }

        // The relay says nothing to what has no valid MAC. What has is answered, and that is of no use.
        let replies = format!("{ONE}.{STRANGER}");
        let answered = || heard.lock().unwrap().iter().filter(|said| said.topic.starts_with(&replies)).count();
        let forged: Vec<Said> = changed(&to_one).iter().map(|said| said.to_be_answered(STRANGER)).collect();
        tokio::task::block_in_place(|| forged.chunks(100).for_each(|some| say(&broker, some)));
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(answered(), 0, "{what}");
        let repeated: Vec<Said> = to_one.iter().take(5).map(|said| said.to_be_answered(STRANGER)).collect();
        tokio::task::block_in_place(|| say(&broker, &repeated));
        until("or the above would mean nothing", async || answered() > 0).await;
    }
}
