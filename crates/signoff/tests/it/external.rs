//! Sessions that another layer's credential opens: as good, and as dead, as our own.

use signoff::opaque::{External, Pepper, Peppers};
use signoff::{
    Actor, Cause, Delivery, Denied, ErrorKind, Login, MemoryStore, Position, Reason, Rejection, Scope, Session, Update,
};

use crate::bank::{BOTH, Bank, secs, settings, subject};

fn cookie(secret: &[u8; 16]) -> External<'_> {
    External::new("test", secret).unwrap()
}

async fn open(bank: &Bank, secret: &[u8; 16], name: &str, continues: Option<Position>) -> Result<Session, Denied> {
    bank.signoff.open_external(cookie(secret), Login::new(subject(name)).data("first"), continues).await
}

fn cause() -> Cause {
    Cause::new(Actor::System, Reason::Compromised)
}

#[tokio::test]
async fn it_lives_changes_and_dies_as_others_do() {
    for delivery in BOTH {
        let bank = Bank::open(delivery).await;
        let opened = open(&bank, &[1; 16], "alice", None).await.unwrap();
        let (live, session) = bank.signoff.authenticate_external(cookie(&[1; 16])).await.unwrap();
        assert_eq!((live.subject(), session.data.as_slice(), &session), ("alice", &b"first"[..], &opened));
        assert_eq!(bank.signoff.update_session(&live, session.version, b"next").await.unwrap(), Update::Saved(2));

        // A token that is minted for it dies with it.
        let minted = bank.signoff.mint(&session).unwrap();
        assert!(bank.accepts(minted.token.expose()).await);
        let receipt = bank.signoff.log_out_external(cookie(&[1; 16]), Cause::logout()).await.unwrap();
        assert_eq!(receipt.destroyed(), 1);
        assert!(!bank.accepts(minted.token.expose()).await);
        assert!(bank.signoff.authenticate_external(cookie(&[1; 16])).await.is_err());
        assert_eq!(bank.signoff.update_session(&live, 2, b"late").await.unwrap(), Update::Gone);
        assert!(!bank.signoff.touch(&live).await.unwrap());
        let again = bank.signoff.log_out_external(cookie(&[1; 16]), Cause::logout()).await.unwrap();
        assert_eq!(again.destroyed(), 0);
    }
}

#[tokio::test]
async fn a_credential_opens_one_session_ever_and_only_of_its_kind() {
    let bank = Bank::open(Delivery::Jwt).await;
    let _ = open(&bank, &[1; 16], "alice", None).await.unwrap();
    let other_kind = External::new("other", &[1; 16]).unwrap();
    for unknown in [other_kind, cookie(&[2; 16])] {
        let refused = bank.signoff.authenticate_external(unknown).await.unwrap_err();
        assert!(matches!(refused, Denied::Rejected(Rejection::UnknownToken)));
        assert!(matches!(bank.signoff.recognise_external(unknown).await, Err(Denied::Rejected(_))));
    }
    for _ in 0..2 {
        match open(&bank, &[1; 16], "mallory", None).await {
            Err(Denied::Failed(error)) => assert_eq!(error.kind(), ErrorKind::Conflict),
            other => panic!("{other:?}"),
        }
        let _ = bank.signoff.log_out_external(cookie(&[1; 16]), Cause::logout()).await.unwrap();
    }
}

#[tokio::test]
async fn what_continues_a_session_shares_its_fate() {
    let bank = Bank::open(Delivery::Jwt).await;
    let born = open(&bank, &[1; 16], "alice", None).await.unwrap().born;
    assert!(open(&bank, &[2; 16], "alice", Some(born)).await.is_ok());
    let _ = bank.signoff.revoke(Scope::Subject("alice"), cause()).await.unwrap();
    let refused = open(&bank, &[3; 16], "alice", Some(born)).await.unwrap_err();
    assert!(matches!(refused, Denied::Rejected(Rejection::Revoked)), "{refused:?}");
    assert!(bank.signoff.authenticate_external(cookie(&[3; 16])).await.is_err());
    assert!(bank.signoff.sessions(&subject("alice"), None).await.unwrap().is_empty());
    // It has nothing to do with those who log in by themselves, or with others.
    assert!(open(&bank, &[4; 16], "alice", None).await.is_ok());
    assert!(open(&bank, &[5; 16], "bob", Some(born)).await.is_ok());
}

#[tokio::test]
async fn use_moves_the_idle_end_as_far_as_is_allowed() {
    let bank = Bank::open(Delivery::Jwt).await;
    let opened = open(&bank, &[1; 16], "alice", None).await.unwrap();
    bank.clock.advance(secs(29 * 60));
    let (live, _) = bank.signoff.authenticate_external(cookie(&[1; 16])).await.unwrap();
    let latest = opened.idle_expires_at.saturating_add(secs(60));
    assert!(bank.signoff.touch_until(&live, latest).await.unwrap());
    let (_, session) = bank.signoff.authenticate_external(cookie(&[1; 16])).await.unwrap();
    assert_eq!(session.idle_expires_at, latest);
    bank.clock.advance(secs(2 * 60));
    let refused = bank.signoff.authenticate_external(cookie(&[1; 16])).await.unwrap_err();
    assert!(matches!(refused, Denied::Rejected(_)));
}

#[tokio::test]
async fn peppers_rotate() {
    let store = std::sync::Arc::new(MemoryStore::new());
    let pepper = |id| Pepper::new(id, &[id; 32]).unwrap();
    let with = |peppers| {
        let mut settings = settings(Delivery::Jwt);
        settings.peppers = peppers;
        settings
    };
    let bank = Bank::open_on(std::sync::Arc::clone(&store), with(Peppers::new(pepper(1)))).await;
    let _ = open(&bank, &[1; 16], "alice", None).await.unwrap();
    bank.signoff.close().await;
    let rotated = Peppers::new(pepper(2)).with_older(pepper(1));
    let bank = Bank::open_on(std::sync::Arc::clone(&store), with(rotated)).await;
    assert!(bank.signoff.authenticate_external(cookie(&[1; 16])).await.is_ok());
    bank.signoff.close().await;
    let bank = Bank::open_on(store, with(Peppers::new(pepper(2)))).await;
    assert!(bank.signoff.authenticate_external(cookie(&[1; 16])).await.is_err());
}
