//! A load of an opaque token that a logout overtakes: it lets nobody in, and leaves nothing in memory.

use std::sync::Arc;

use signoff::test_util::{FailingStore, Fault};
use signoff::{Cause, Delivery, Denied, MemoryStore, Rejection, Scope};

use crate::bank::{Bank, settings};

#[tokio::test]
async fn what_a_logout_overtook_is_not_remembered() {
    for end in ["the session", "the person", "everything"] {
        let store = FailingStore::new(MemoryStore::new());
        let switch = store.switch();
        let bank = Bank::open_on(store, settings(Delivery::Opaque)).await;
        let issued = bank.log_in("alice").await;
        let token: Arc<str> = issued.token.expose().into();
        assert_eq!(bank.signoff.verify(&token).unwrap_err(), Rejection::Unloaded);

        // The load has read the session, and its answer is under way when the logout passes.
        switch.fail(0, 1, Fault::Late);
        let calls = switch.calls();
        let load = tokio::spawn({
            let (signoff, token) = (bank.signoff.clone(), Arc::clone(&token));
            async move { signoff.authenticate(&token).await.map(|_| ()) }
        });
        while switch.calls() == calls {
            tokio::task::yield_now().await;
        }
        match end {
            "the session" => drop(bank.signoff.log_out(&[&token], Cause::logout()).await.unwrap()),
            "the person" => drop(bank.signoff.log_out_everywhere(&[&token], Cause::logout()).await.unwrap()),
            _ => drop(bank.signoff.revoke(Scope::Everything, Cause::logout()).await.unwrap()),
        }
        assert!(!load.is_finished());
        switch.heal();
        let refused = load.await.unwrap().unwrap_err();
        assert!(matches!(refused, Denied::Rejected(Rejection::Revoked)), "{end}: {refused:?}");
        // It would be found there, dead.
        assert_eq!(bank.signoff.verify(&token).unwrap_err(), Rejection::Unloaded, "{end}");
    }
}

#[tokio::test]
async fn every_hit_is_held_against_the_replica() {
    let bank = Bank::open(Delivery::Opaque).await;
    let issued = bank.log_in("alice").await;
    assert!(bank.accepts(issued.token.expose()).await);
    assert!(bank.signoff.verify(issued.token.expose()).is_ok(), "in memory");
    let _ = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
    assert_eq!(bank.signoff.verify(issued.token.expose()).unwrap_err(), Rejection::Revoked, "found, and dead");
}
