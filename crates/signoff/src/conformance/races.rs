//! Contracts under concurrency: what two callers at once may see. Run them on a runtime with several threads.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::{at, create, hash, load, new, one, run_creates, session, touch};
use crate::store::CreateOutcome;
use crate::{Store, Update};

/// Polls all futures until all are done: many callers at once, in one task.
pub(super) async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(move |context: &mut Context<'_>| {
        for (future, slot) in running.iter_mut().zip(done.iter_mut()) {
            if slot.is_none()
                && let Poll::Ready(output) = future.as_mut().poll(context)
            {
                *slot = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(done.drain(..).flatten().collect()) } else { Poll::Pending }
    })
    .await
}

/// Of many creates of one id, one wins.
pub async fn concurrent_creates_conflict(store: &dyn Store) {
    let template = session("alice");
    let attempts: Vec<_> = (0..8)
        .map(|n| {
            let attempt = crate::Session { data: vec![n], ..template.clone() };
            async move { (n, run_creates(store, &[new(&attempt, Some(&hash(n)))], at(0)).await.outcomes[0]) }
        })
        .collect();
    let results = all(attempts).await;
    let (winners, losers): (Vec<_>, Vec<_>) =
        results.into_iter().partition(|(_, outcome)| matches!(outcome, CreateOutcome::Created(_)));
    assert_eq!(winners.len(), 1);
    assert!(losers.iter().all(|(_, outcome)| *outcome == CreateOutcome::Conflict), "{losers:?}");
    assert_eq!(load(store, &template.id, at(1)).await.expect("live").data, [winners[0].0]);
}

/// Compare and set loses no increment.
pub async fn concurrent_updates_lose_nothing(store: &dyn Store) {
    let created = create(store, &crate::Session { data: vec![0], ..session("alice") }, None).await;
    let workers: Vec<_> = (0..5)
        .map(|_| async move {
            for _ in 0..10 {
                loop {
                    let current = load(store, &created.id, at(1)).await.expect("live");
                    let next = [current.data[0] + 1];
                    let update = store.update_session(&created.id, current.version, &next, at(1)).await;
                    match update.expect("answered") {
                        Update::Saved(_) => break,
                        Update::Conflict => {}
                        Update::Gone => panic!("the session vanished"),
                    }
                }
            }
        })
        .collect();
    all(workers).await;
    let end = load(store, &created.id, at(1)).await.expect("live");
    assert_eq!((end.data, end.version), (vec![50], 51));
}

/// Of many logouts of one session, one destroys it and all succeed; the log gets one entry.
pub async fn concurrent_sign_offs_destroy_once(store: &dyn Store) {
    let created = create(store, &session("alice"), None).await;
    let results = all((0..8).map(|_| async move { store.sign_off(&[one(created.id)], at(1)).await }).collect()).await;
    let outcomes: Vec<_> = results.into_iter().map(|result| result.expect("signed off").outcomes[0]).collect();
    assert_eq!(outcomes.iter().map(|outcome| outcome.destroyed).sum::<u64>(), 1);
    assert_eq!(outcomes.iter().map(|outcome| outcome.gone).sum::<u64>(), 7);
    let log = store.log_after(crate::Position::ZERO, 10).await.expect("read");
    assert_eq!(log.page.entries.len(), 1);
}

/// Saves and touches that race with a logout never bring the session back.
pub async fn updates_never_revive(store: &dyn Store) {
    for _ in 0..20 {
        let created = create(store, &session("alice"), None).await;
        let id = &created.id;
        let save = async move {
            let mut version = 1;
            while let Update::Saved(next) = store.update_session(id, version, b"late", at(1)).await.expect("answered") {
                version = next;
                if version > 20 {
                    break;
                }
            }
        };
        let note = async move {
            let mut touches = 0;
            while touch(store, id, at(500), at(1)).await.is_some() && touches < 20 {
                touches += 1;
            }
        };
        let logout = async move {
            store.sign_off(&[one(*id)], at(1)).await.expect("signed off");
            assert_eq!(load(store, id, at(1)).await, None);
            assert_eq!(touch(store, id, at(500), at(1)).await, None);
            assert_eq!(store.update_session(id, 1, b"late", at(1)).await.expect("answered"), Update::Gone);
        };
        let racers: Vec<Pin<Box<dyn Future<Output = ()> + Send>>> =
            vec![Box::pin(save), Box::pin(note), Box::pin(logout)];
        all(racers).await;
        assert_eq!(load(store, id, at(1)).await, None);
    }
}
