//! Session data, touching, renewing, listing, and the race with a logout.

use serde::{Deserialize, Serialize};
use signoff::audit::AuditKind;
use signoff::{Cause, Context, Delivery, Denied, ErrorKind, Login, Rejection, Timeouts, Update};

use crate::bank::{BOTH, Bank, secs, subject};

#[tokio::test]
async fn data_is_saved_by_version_and_never_after_a_logout() {
    for delivery in BOTH {
        let bank = Bank::open(delivery).await;
        let issued = bank.log_in("alice").await;
        let live = bank.signoff.authenticate(issued.token.expose()).await.unwrap();
        assert_eq!(bank.signoff.update_session(&live, 1, b"basket").await.unwrap(), Update::Saved(2));
        assert_eq!(bank.signoff.update_session(&live, 1, b"late").await.unwrap(), Update::Conflict);
        assert_eq!(bank.signoff.session(&live).await.unwrap().unwrap().data, b"basket");
        let large = vec![0; 64 * 1024 + 1];
        assert_eq!(bank.signoff.update_session(&live, 2, &large).await.unwrap_err().kind(), ErrorKind::Misuse);

        // A request that was let in before the logout saves after it.
        let _ = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
        assert_eq!(bank.signoff.update_session(&live, 2, b"revived").await.unwrap(), Update::Gone);
        assert!(!bank.signoff.touch(&live).await.unwrap());
        assert!(bank.signoff.session(&live).await.unwrap().is_none());
        assert!(!bank.accepts(issued.token.expose()).await);
    }
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Basket {
    items: Vec<String>,
}

#[tokio::test]
async fn data_has_a_type() {
    let bank = Bank::open(Delivery::Jwt).await;
    let issued = bank.log_in("alice").await;
    let live = bank.signoff.verify(issued.token.expose()).unwrap();
    assert_eq!(issued.session.data_as::<Basket>().unwrap(), None);
    let basket = Basket { items: vec!["a sword".to_owned()] };
    assert_eq!(bank.signoff.update_session_as(&live, 1, &basket).await.unwrap(), Update::Saved(2));
    let session = bank.signoff.session(&live).await.unwrap().unwrap();
    assert_eq!(session.data_as().unwrap(), Some(basket));
    assert_eq!(session.data_as::<u64>().unwrap_err().kind(), ErrorKind::Data);
    let large = Basket { items: vec!["x".repeat(64 * 1024)] };
    assert_eq!(bank.signoff.update_session_as(&live, 2, &large).await.unwrap_err().kind(), ErrorKind::Misuse);
    let no_json = std::collections::BTreeMap::from([((1, 2), 3)]);
    assert_eq!(bank.signoff.update_session_as(&live, 2, &no_json).await.unwrap_err().kind(), ErrorKind::Misuse);
}

/// PCI DSS 8.2.8: whoever has been away for 15 minutes authenticates again.
#[tokio::test]
async fn fifteen_minutes_of_inactivity_are_the_last() {
    let settings = crate::bank::settings(Delivery::Opaque).with_timeouts(Timeouts::PCI);
    let bank = Bank::open_on(signoff::MemoryStore::new(), settings).await;
    let issued = bank.log_in("alice").await;
    bank.clock.advance(secs(899));
    assert!(bank.accepts(issued.token.expose()).await);
    bank.clock.advance(secs(2));
    assert!(!bank.accepts(issued.token.expose()).await);
}

#[tokio::test]
async fn use_extends_the_idle_time_but_never_the_absolute_one() {
    let bank = Bank::open(Delivery::Opaque).await;
    let issued = bank.log_in("alice").await;
    for _ in 0..23 {
        bank.clock.advance(secs(20 * 60));
        let live = bank.signoff.authenticate(issued.token.expose()).await.unwrap();
        assert!(bank.signoff.touch(&live).await.unwrap());
    }
    bank.clock.advance(secs(20 * 60));
    assert!(!bank.accepts(issued.token.expose()).await, "eight hours are over");
}

#[tokio::test]
async fn an_idle_session_ends() {
    let bank = Bank::open(Delivery::Opaque).await;
    let issued = bank.log_in("alice").await;
    bank.clock.advance(secs(30 * 60 - 1));
    assert!(bank.accepts(issued.token.expose()).await);
    bank.clock.advance(secs(1));
    assert!(!bank.accepts(issued.token.expose()).await);
}

#[tokio::test]
async fn touches_within_a_minute_cost_one_write() {
    let store = signoff::test_util::FailingStore::new(signoff::MemoryStore::new());
    let switch = store.switch();
    let bank = Bank::open_on(store, crate::bank::settings(Delivery::Opaque)).await;
    let issued = bank.log_in("alice").await;
    let live = bank.signoff.authenticate(issued.token.expose()).await.unwrap();
    let before = switch.calls();
    for _ in 0..100 {
        assert!(bank.signoff.touch(&live).await.unwrap());
    }
    assert_eq!(switch.calls() - before, 1);
    bank.clock.advance(secs(60));
    assert!(bank.signoff.touch(&live).await.unwrap());
    assert_eq!(switch.calls() - before, 2);
}

#[tokio::test]
async fn a_jwt_is_renewed_while_its_session_lives() {
    let bank = Bank::open(Delivery::Jwt).await;
    let issued = bank.log_in("alice").await;
    let live = bank.signoff.verify(issued.token.expose()).unwrap();
    bank.clock.advance(secs(600));
    let renewed = bank.signoff.renew(&live, Context::new()).await.unwrap();
    assert_ne!(renewed.token.expose(), issued.token.expose());
    bank.clock.advance(secs(600));
    assert!(!bank.accepts(issued.token.expose()).await);
    let live = bank.signoff.verify(renewed.token.expose()).unwrap();
    assert_eq!(live.session_id(), &issued.session.id);

    let _ = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
    assert!(!bank.accepts(renewed.token.expose()).await, "all tokens of the session die");
    let refused = bank.signoff.renew(&live, Context::new()).await.unwrap_err();
    assert!(matches!(refused, Denied::Rejected(Rejection::Revoked)));
    let trail = bank.signoff.audit_trail(&subject("alice")).await.unwrap();
    assert_eq!(trail[0].kind, AuditKind::RefreshRefused);
    assert_eq!(trail[0].session, Some(issued.session.id.fingerprint()));
}

#[tokio::test]
async fn a_renewed_jwt_never_outlives_the_session() {
    let bank = Bank::open(Delivery::Jwt).await;
    let mut issued = bank.log_in("alice").await;
    let end = issued.session.expires_at;
    for _ in 0..47 {
        bank.clock.advance(secs(600));
        let live = bank.signoff.verify(issued.token.expose()).unwrap();
        issued = bank.signoff.renew(&live, Context::new()).await.unwrap();
        assert!(issued.expires_at <= end);
    }
    bank.clock.advance(secs(600));
    assert_eq!(bank.signoff.verify(issued.token.expose()).unwrap_err(), Rejection::Expired);
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Own {
    role: String,
    branches: Vec<u32>,
}

#[tokio::test]
async fn applications_add_claims_of_their_own() {
    for delivery in BOTH {
        let bank = Bank::open(delivery).await;
        let own = Own { role: "tellér \"x\"".into(), branches: vec![1, 2] };
        let login = Login::new(subject("alice")).scope("read pay").claims(&own).unwrap();
        let issued = bank.signoff.log_in(login).await.unwrap();
        let live = bank.signoff.authenticate(issued.token.expose()).await.unwrap();
        assert_eq!(live.application::<Own>().unwrap(), own);
        assert!(live.has_scope("pay") && !live.has_scope("pa"));
        assert_eq!(live.application::<Vec<u8>>().unwrap_err().kind(), ErrorKind::Data);
    }
    for bad in [serde_json::json!([]), serde_json::json!({"sub": "x"}), serde_json::json!({"x": "y".repeat(2048)})] {
        assert_eq!(Login::new(subject("alice")).claims(&bad).unwrap_err().kind(), ErrorKind::Misuse);
    }
    let bank = Bank::open(Delivery::Jwt).await;
    for bad in ["", " ", "a  b", "a\"b", "é", "a\n", &"a".repeat(1025)] {
        assert!(bank.signoff.log_in(Login::new(subject("alice")).scope(bad)).await.is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn devices_are_listed_without_secrets() {
    for delivery in BOTH {
        let bank = Bank::open(delivery).await;
        let issued = bank.signoff.log_in(Login::new(subject("alice")).device("Phone\r\n")).await.unwrap();
        let _ = bank.log_in("bob").await;
        let listed = bank.signoff.sessions(&subject("alice"), None).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].device.as_deref(), Some("Phone"));
        assert!(!format!("{listed:?}").contains(issued.token.expose()));
        assert!(bank.signoff.sessions(&subject("alice"), Some(&listed[0].id)).await.unwrap().is_empty());
    }
}
