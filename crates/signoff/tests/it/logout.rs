//! Logging out: what dies, what lives, and what the trail says.

use signoff::audit::AuditKind;
use signoff::test_util::FailingStore;
use signoff::{Actor, Cause, CookieLedger, CookieSpec, Denied, MemoryStore, Reason, Rejection, Scope};

use crate::bank::{BOTH, Bank, secs, settings, subject};

fn rejected(denied: Denied) -> Rejection {
    match denied {
        Denied::Rejected(rejection) => rejection,
        Denied::Failed(error) => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_captured_token_dies_and_its_sibling_lives() {
    for delivery in BOTH {
        let bank = Bank::open(delivery).await;
        let (phone, laptop) = (bank.log_in("alice").await, bank.log_in("alice").await);
        assert!(bank.accepts(phone.token.expose()).await);
        assert!(bank.accepts(laptop.token.expose()).await);

        let receipt = bank.signoff.log_out(&[phone.token.expose()], Cause::logout()).await.unwrap();
        assert_eq!(receipt.destroyed(), 1);
        assert_eq!(
            receipt.body(),
            format!(r#"{{"status":"destroyed","session":true,"tokens":true,"logout_id":"{}"}}"#, receipt.logout_id())
        );
        assert!(!bank.accepts(phone.token.expose()).await);
        assert!(bank.signoff.verify(phone.token.expose()).is_err());
        assert!(bank.accepts(laptop.token.expose()).await);
    }
}

#[tokio::test]
async fn logging_out_twice_succeeds() {
    for delivery in BOTH {
        let bank = Bank::open(delivery).await;
        let issued = bank.log_in("alice").await;
        let first = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
        let second = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
        assert_eq!((first.destroyed(), second.destroyed()), (1, 0));
        let trail = bank.signoff.audit_trail(&subject("alice")).await.unwrap();
        assert_eq!(trail.len(), 2, "one login, one logout");
    }
}

#[tokio::test]
async fn a_token_in_memory_costs_the_store_its_commit_alone() {
    for delivery in BOTH {
        let store = FailingStore::new(MemoryStore::new());
        let switch = store.switch();
        let bank = Bank::open_on(store, settings(delivery)).await;
        let issued = bank.log_in("alice").await;
        assert!(bank.accepts(issued.token.expose()).await);
        let before = switch.calls();
        let receipt = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
        assert_eq!((receipt.destroyed(), switch.calls() - before), (1, 1), "{delivery:?}");
        assert!(!bank.accepts(issued.token.expose()).await);
    }
}

#[tokio::test]
async fn expired_tokens_log_out() {
    for delivery in BOTH {
        let bank = Bank::open(delivery).await;
        let issued = bank.log_in("alice").await;
        for wait in [31 * 60, 9 * 3600, 30 * 86_400] {
            bank.clock.advance(secs(wait));
            assert!(!bank.accepts(issued.token.expose()).await);
        }
        let receipt = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
        assert_eq!(receipt.destroyed(), 1);
    }
}

#[tokio::test]
async fn every_presented_credential_is_destroyed() {
    for delivery in BOTH {
        let bank = Bank::open(delivery).await;
        let (one, two) = (bank.log_in("alice").await, bank.log_in("bob").await);
        let presented = ["garbage", one.token.expose(), "soa_garbage", two.token.expose(), one.token.expose()];
        let receipt = bank.signoff.log_out(&presented, Cause::logout()).await.unwrap();
        assert_eq!(receipt.destroyed(), 2);
        assert!(!bank.accepts(one.token.expose()).await);
        assert!(!bank.accepts(two.token.expose()).await);
    }
}

#[tokio::test]
async fn what_is_not_ours_logs_nobody_out() {
    for delivery in BOTH {
        let bank = Bank::open(delivery).await;
        let theirs = Bank::open(delivery).await.log_in("alice").await;
        let mut forged = theirs.token.expose().to_owned();
        forged.pop();
        for token in ["", "x", forged.as_str()] {
            rejected(bank.signoff.log_out(&[token], Cause::logout()).await.unwrap_err());
        }
        assert_eq!(rejected(bank.signoff.log_out(&[], Cause::logout()).await.unwrap_err()), Rejection::Malformed);
    }
}

#[tokio::test]
async fn a_session_that_the_store_lost_is_revoked_all_the_same() {
    // The same key, another (restored, empty) store: the JWT verifies, but no row is left of its session.
    let bank = Bank::open(signoff::Delivery::Jwt).await;
    let issued = Bank::open(signoff::Delivery::Jwt).await.log_in("alice").await;
    assert!(bank.accepts(issued.token.expose()).await);
    for _ in 0..2 {
        let receipt = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
        assert_eq!(receipt.destroyed(), 0);
        assert!(!bank.accepts(issued.token.expose()).await);
    }
}

#[tokio::test]
async fn everywhere_ends_all_sessions_and_no_later_one() {
    for delivery in BOTH {
        let bank = Bank::open(delivery).await;
        let (phone, laptop, bob) = (bank.log_in("alice").await, bank.log_in("alice").await, bank.log_in("bob").await);
        let receipt = bank.signoff.log_out_everywhere(&[phone.token.expose()], Cause::logout()).await.unwrap();
        assert_eq!(receipt.destroyed(), 2);
        // The clock stands still: the new session is born in the same microsecond as the logout.
        let again = bank.log_in("alice").await;
        for (issued, live) in [(&phone, false), (&laptop, false), (&bob, true), (&again, true)] {
            assert_eq!(bank.accepts(issued.token.expose()).await, live);
        }
        let both = [again.token.expose(), bob.token.expose()];
        let ambiguous = bank.signoff.log_out_everywhere(&both, Cause::logout()).await.unwrap_err();
        assert_eq!(rejected(ambiguous), Rejection::Ambiguous);
    }
}

#[tokio::test]
async fn others_can_be_ended_without_oneself() {
    for delivery in BOTH {
        let bank = Bank::open(delivery).await;
        let (phone, laptop) = (bank.log_in("alice").await, bank.log_in("alice").await);
        let live = bank.signoff.authenticate(phone.token.expose()).await.unwrap();
        let cause = Cause::new(Actor::Subject, Reason::CredentialsChanged);
        assert_eq!(bank.signoff.log_out_others(&live, cause).await.unwrap().destroyed, 1);
        assert!(bank.accepts(phone.token.expose()).await);
        assert!(!bank.accepts(laptop.token.expose()).await);
    }
}

#[tokio::test]
async fn a_device_can_be_ended_by_its_owner_only() {
    for delivery in BOTH {
        let bank = Bank::open(delivery).await;
        let (phone, laptop) = (bank.log_in("alice").await, bank.log_in("alice").await);
        let id = laptop.session.id;
        assert!(bank.signoff.end_session(&subject("mallory"), &id, Cause::logout()).await.unwrap().is_none());
        assert!(bank.accepts(laptop.token.expose()).await);
        let receipt = bank.signoff.end_session(&subject("alice"), &id, Cause::logout()).await.unwrap().unwrap();
        assert_eq!(receipt.destroyed(), 1);
        assert!(!bank.accepts(laptop.token.expose()).await);
        assert!(bank.accepts(phone.token.expose()).await);
        assert!(bank.signoff.end_session(&subject("alice"), &id, Cause::logout()).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn every_scope_can_be_revoked() {
    let cause = || Cause::new(Actor::Operator(subject("root")), Reason::Compromised);
    for delivery in BOTH {
        let bank = Bank::open(delivery).await;
        for _ in 0..5 {
            let (one, other) = (bank.log_in("alice").await, bank.log_in("bob").await);
            let live = bank.signoff.authenticate(one.token.expose()).await.unwrap();
            let scopes = [
                Some(Scope::Session(live.session_id().as_bytes())),
                live.token_id().map(|id| Scope::Token(id.as_bytes())),
                Some(Scope::Subject("alice")),
            ];
            for scope in scopes.into_iter().flatten() {
                let one = bank.log_in("alice").await;
                let live = bank.signoff.authenticate(one.token.expose()).await.unwrap();
                let scope = match scope {
                    Scope::Session(_) => Scope::Session(live.session_id().as_bytes()),
                    Scope::Token(_) => Scope::Token(live.token_id().unwrap().as_bytes()),
                    wide => wide,
                };
                bank.signoff.revoke(scope, cause()).await.unwrap();
                assert!(!bank.accepts(one.token.expose()).await, "{scope:?}");
                assert!(bank.accepts(other.token.expose()).await, "{scope:?}");
            }
        }
        for scope in [Scope::Client("https://bank.example/api"), Scope::Everything] {
            let one = bank.log_in("alice").await;
            bank.signoff.revoke(scope, cause()).await.unwrap();
            assert!(!bank.accepts(one.token.expose()).await, "{scope:?}");
            let after = bank.log_in("alice").await;
            assert!(bank.accepts(after.token.expose()).await, "{scope:?}");
        }
        for bad in [Scope::Session(b"short"), Scope::Token(&[0; 17]), Scope::Subject("")] {
            assert!(bank.signoff.revoke(bad, cause()).await.is_err());
        }
    }
}

#[tokio::test]
async fn a_leaked_key_kills_its_tokens_and_signs_no_more() {
    let bank = Bank::open(signoff::Delivery::Jwt).await;
    let issued = bank.log_in("alice").await;
    let key = crate::bank::key();
    let cause = Cause::new(Actor::System, Reason::Compromised);
    bank.signoff.revoke(Scope::Key(key.kid()), cause).await.unwrap();
    assert_eq!(bank.signoff.verify(issued.token.expose()).unwrap_err(), Rejection::Revoked);
    let refused = bank.signoff.log_in(signoff::Login::new(subject("alice"))).await.unwrap_err();
    assert_eq!(refused.kind(), signoff::ErrorKind::Misuse);
}

#[tokio::test]
async fn the_receipt_clears_each_cookie_with_every_attribute() {
    let bank = Bank::open(signoff::Delivery::Jwt).await;
    let issued = bank.log_in("alice").await;
    let receipt = bank.signoff.log_out(&[issued.token.expose()], Cause::logout()).await.unwrap();
    let cookies = CookieLedger::new(CookieSpec::host("sid").unwrap());
    let cookies = cookies.and(CookieSpec::secure("rt", "/auth", None).unwrap()).unwrap();
    let headers = receipt.headers(&cookies, None);
    assert_eq!(headers.len(), 2, "no Clear-Site-Data without proof of origin");
    assert!(
        headers
            .iter()
            .all(|(name, value)| *name == "set-cookie" && value.contains("Max-Age=0; Expires=Thu, 01 Jan 1970"))
    );
    let fetch = signoff::site::Fetch { site: Some(b"same-origin"), ..Default::default() };
    let proof = signoff::site::judge(&fetch, &[], Default::default()).unwrap();
    assert_eq!(receipt.headers(&cookies, proof.as_ref())[2], ("clear-site-data", "\"storage\"".to_owned()));
}

#[tokio::test]
async fn the_trail_tells_who_and_why_and_holds_no_token() {
    for delivery in BOTH {
        let bank = Bank::open(delivery).await;
        let issued = bank.log_in("alice").await;
        let context = signoff::Context::new().with_address([192, 0, 2, 1].into()).with_user_agent("Browser/1.0");
        let cause = Cause::new(Actor::Operator(subject("root")), Reason::AccountDisabled).from(context.clone());
        let _ = bank.signoff.log_out(&[issued.token.expose()], cause).await.unwrap();
        let trail = bank.signoff.audit_trail(&subject("alice")).await.unwrap();
        assert_eq!((trail[0].kind, trail[1].kind), (AuditKind::LoggedOut, AuditKind::LoggedIn));
        assert_eq!(trail[0].actor, Actor::Operator(subject("root")));
        assert_eq!(trail[0].reason, Some(Reason::AccountDisabled));
        assert_eq!(trail[0].context, context);
        assert_eq!(trail[0].session, Some(issued.session.id.fingerprint()));
        let text = format!("{trail:?} {issued:?} {:?}", bank.signoff);
        assert!(!text.contains(issued.token.expose()));
        assert!(!text.contains(&issued.session.id.to_string()), "ids stay out of logs");
    }
}
