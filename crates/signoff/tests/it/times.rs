//! Clocks that are wrong, and revocations that must not be forgotten.

use signoff::time::Timestamp;
use signoff::{Cause, Delivery, Denied, ErrorKind, Leeway, Rejection};

use crate::bank::{BOTH, Bank, secs, settings, start};

#[tokio::test]
async fn a_token_ends_on_the_second() {
    let bank = Bank::open(Delivery::Jwt).await;
    let issued = bank.log_in("alice").await;
    assert_eq!(issued.expires_in, secs(900));
    bank.clock.advance(secs(900) - std::time::Duration::from_micros(1));
    assert!(bank.signoff.verify(issued.token.expose()).is_ok());
    bank.clock.advance(std::time::Duration::from_micros(1));
    assert_eq!(bank.signoff.verify(issued.token.expose()).unwrap_err(), Rejection::Expired);
}

#[tokio::test]
async fn no_clock_no_entry() {
    for delivery in BOTH {
        let bank = Bank::open(delivery).await;
        let issued = bank.log_in("alice").await;
        assert!(bank.accepts(issued.token.expose()).await);
        bank.clock.step(None);
        assert_eq!(bank.signoff.verify(issued.token.expose()).unwrap_err(), Rejection::Stale);
        let failed = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap_err();
        assert!(matches!(failed, Denied::Failed(error) if error.kind() == ErrorKind::Unavailable));
        bank.clock.step(Some(start()));
        assert!(bank.accepts(issued.token.expose()).await);
    }
}

#[tokio::test]
async fn clocks_at_the_ends_of_time() {
    for wall in [Timestamp::MIN, Timestamp::MAX] {
        for delivery in BOTH {
            let bank = Bank::open(delivery).await;
            let before = bank.log_in("alice").await;
            bank.clock.step(Some(wall));
            let issued = bank.log_in("alice").await;
            // A session cannot live past the year 9999; before that it is as good as any.
            assert_eq!(bank.accepts(issued.token.expose()).await, wall == Timestamp::MIN);
            for issued in [&before, &issued] {
                let _ = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
            }
            bank.clock.step(Some(start()));
            assert!(!bank.accepts(before.token.expose()).await, "{delivery:?} at {wall}");
        }
    }
}

#[tokio::test]
async fn a_clock_that_steps_back_does_not_revive() {
    for delivery in BOTH {
        let bank = Bank::open(delivery).await;
        let issued = bank.log_in("alice").await;
        bank.clock.advance(secs(60));
        let _ = bank.signoff.log_out_everywhere(&[issued.token.expose()], Cause::logout()).await.unwrap();
        for wall in [start(), start().saturating_sub(secs(3600)), Timestamp::MIN] {
            bank.clock.step(Some(wall));
            assert!(!bank.accepts(issued.token.expose()).await);
        }
        // A login while the clock is wrong is born after the logout all the same.
        bank.clock.step(Some(start().saturating_sub(secs(3600))));
        let fresh = bank.log_in("alice").await;
        assert!(bank.accepts(fresh.token.expose()).await);
    }
}

#[tokio::test]
async fn a_revocation_outlives_the_leeway() {
    let mut settings = settings(Delivery::Jwt);
    settings.leeway = Leeway::new(secs(300)).unwrap();
    settings.absolute = settings.access_lifetime;
    settings.idle = settings.access_lifetime;
    let bank = Bank::open_on(signoff::MemoryStore::new(), settings).await;
    let (kept, issued) = (bank.log_in("bob").await, bank.log_in("alice").await);
    let _ = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
    bank.clock.advance(secs(900 + 299));
    assert!(bank.accepts(kept.token.expose()).await, "within its leeway");
    bank.signoff.purge().await.unwrap();
    assert_eq!(bank.signoff.verify(issued.token.expose()).unwrap_err(), Rejection::Revoked);
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_purges_nothing_that_lives() {
    let bank = Bank::open(Delivery::Jwt).await;
    let issued = bank.log_in("alice").await;
    let _ = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
    // The wall clock shows next year; an hour and a bit has really passed.
    bank.clock.advance(secs(4_000));
    bank.clock.step(Some(start().saturating_add(secs(365 * 86_400))));
    assert_eq!(bank.signoff.purge().await.unwrap(), Default::default());
    bank.clock.step(Some(start().saturating_add(secs(1))));
    assert_eq!(bank.signoff.verify(issued.token.expose()).unwrap_err(), Rejection::Revoked);
}

#[tokio::test]
async fn what_is_long_over_is_purged() {
    let bank = Bank::open(Delivery::Jwt).await;
    for n in 0..3 {
        let issued = bank.log_in("alice").await;
        if n > 0 {
            let _ = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
        }
    }
    bank.clock.advance(secs(8 * 3600));
    assert_eq!(bank.signoff.purge().await.unwrap(), Default::default(), "a day's distance is kept");
    bank.clock.advance(secs(24 * 3600 + 600));
    let purged = bank.signoff.purge().await.unwrap();
    assert_eq!((purged.sessions, purged.revocations), (3, 2));
}

#[tokio::test]
async fn a_revocation_made_by_a_clock_that_is_behind_is_kept_as_long() {
    let mut settings = settings(Delivery::Opaque);
    settings.idle = settings.absolute;
    let bank = Bank::open_on(signoff::MemoryStore::new(), settings).await;
    let issued = bank.log_in("alice").await;
    bank.clock.step(Some(start().saturating_sub(secs(3 * 86_400))));
    let cause = Cause::new(signoff::Actor::System, signoff::Reason::Compromised);
    bank.signoff.revoke(signoff::Scope::Everything, cause).await.unwrap();
    bank.clock.step(Some(start()));
    for _ in 0..7 {
        bank.clock.advance(secs(3_600));
        bank.signoff.purge().await.unwrap();
        assert!(!bank.accepts(issued.token.expose()).await, "the session would have lived for eight hours");
    }
}
