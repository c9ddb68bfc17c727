//! Refreshing: one successor for everybody who asks in time, and the end of the session for whoever asks too late.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use signoff::audit::AuditKind;
use signoff::opaque::{Kind, Pepper, Peppers, generate};
use signoff::refresh::{Refresh, Refreshed, Reuse};
use signoff::test_util::FailingStore;
use signoff::{
    Actor, Cause, Context, Delivery, Denied, ErrorKind, MemoryStore, Reason, Rejection, Scope, Settings, Signoff,
};

use crate::bank::{self, Bank, secs, subject};

pub(crate) fn settings() -> Settings {
    let mut settings = bank::settings(Delivery::Jwt);
    settings.refresh = Some(Refresh::default());
    settings
}

pub(crate) async fn open() -> Bank {
    Bank::open_on(MemoryStore::new(), settings()).await
}

/// Logs somebody in: the access token and the refresh token.
pub(crate) async fn log_in(bank: &Bank, name: &str) -> (String, String) {
    let issued = bank.log_in(name).await;
    (issued.token.expose().to_owned(), issued.refresh_token.unwrap().expose().to_owned())
}

pub(crate) async fn refresh(bank: &Bank, token: &str) -> Result<Refreshed, Denied> {
    bank.signoff.refresh(token, Context::new()).await
}

/// The refresh token that another one is exchanged for.
pub(crate) async fn next(bank: &Bank, token: &str) -> String {
    refresh(bank, token).await.unwrap().refresh_token.expose().to_owned()
}

pub(crate) fn refusal(outcome: Result<Refreshed, Denied>) -> Rejection {
    match outcome {
        Ok(_) => panic!("it was exchanged"),
        Err(Denied::Rejected(rejection)) => rejection,
        Err(Denied::Failed(error)) => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_refresh_gives_two_tokens_and_uses_one_up() {
    let bank = open().await;
    let (access, first) = log_in(&bank, "alice").await;
    let mut token = first.clone();
    for _ in 0..20 {
        bank.clock.advance(secs(60));
        let refreshed = refresh(&bank, &token).await.unwrap();
        assert_eq!(refreshed.refresh_token.expose().len(), 53);
        assert_eq!(refreshed.refresh_token.expose()[..25], first[..25]);
        assert_ne!(refreshed.refresh_token.expose(), token);
        let live = bank.signoff.verify(refreshed.token.expose()).unwrap();
        assert_eq!((live.subject(), live.session_id()), ("alice", &refreshed.session.id));
        assert_eq!(refreshed.expires_in, secs(15 * 60));
        token = refreshed.refresh_token.expose().to_owned();
    }
    assert!(!bank.accepts(&access).await, "the first JWT is over by now");
    assert_eq!(bank.signoff.sessions(&subject("alice"), None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn refreshing_is_off_unless_asked_for() {
    let store = Arc::new(MemoryStore::new());
    let bank = Bank::open_on(Arc::clone(&store), settings()).await;
    let (_, token) = log_in(&bank, "alice").await;
    bank.signoff.close().await;

    let bank = Bank::open_on(store, bank::settings(Delivery::Jwt)).await;
    assert!(bank.log_in("bob").await.refresh_token.is_none());
    let off = refresh(&bank, &token).await.unwrap_err();
    assert!(matches!(off, Denied::Failed(error) if error.kind() == ErrorKind::Misuse));
    // What was given out before still logs out.
    assert_eq!(bank.signoff.log_out(&[&token], Cause::logout()).await.unwrap().destroyed(), 1);

    let mut opaque = settings();
    opaque.delivery = Delivery::Opaque;
    let keys = signoff::KeySet::new(bank::key());
    assert_eq!(Signoff::open(MemoryStore::new(), keys, opaque).await.unwrap_err().kind(), ErrorKind::Misuse);
    let (half, most) = (Duration::from_micros(1), Refresh::MAX_GRACE);
    assert_eq!(Refresh::default().grace(most + half).unwrap_err().kind(), ErrorKind::Misuse);
    assert!(Refresh::default().grace(most).is_ok() && Refresh::default().grace(Duration::ZERO).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_tabs_get_one_successor() {
    let bank = Arc::new(open().await);
    let (_, mut token) = log_in(&bank, "alice").await;
    for _ in 0..5 {
        let tabs: Vec<_> = (0..100)
            .map(|_| {
                let (bank, token) = (Arc::clone(&bank), token.clone());
                tokio::spawn(async move {
                    let refreshed = refresh(&bank, &token).await.unwrap();
                    assert!(bank.accepts(refreshed.token.expose()).await);
                    refreshed.refresh_token.expose().to_owned()
                })
            })
            .collect();
        let mut successors = Vec::new();
        for tab in tabs {
            successors.push(tab.await.unwrap());
        }
        successors.sort();
        successors.dedup();
        assert_eq!(successors.len(), 1);
        token = successors.remove(0);
    }
}

#[tokio::test]
async fn the_grace_ends_to_the_microsecond() {
    let bank = open().await;
    let (_, token) = log_in(&bank, "alice").await;
    let successor = next(&bank, &token).await;
    bank.clock.advance(secs(10) - Duration::from_micros(1));
    assert_eq!(next(&bank, &token).await, successor);
    bank.clock.advance(Duration::from_micros(1));
    assert_eq!(refusal(refresh(&bank, &token).await), Rejection::Reused);
    assert_eq!(refusal(refresh(&bank, &successor).await), Rejection::Revoked);
}

#[tokio::test]
async fn without_grace_the_second_one_is_a_thief() {
    let mut settings = settings();
    settings.refresh = Some(Refresh::default().grace(Duration::ZERO).unwrap());
    let bank = Bank::open_on(MemoryStore::new(), settings).await;
    let (access, token) = log_in(&bank, "alice").await;
    let successor = next(&bank, &token).await;
    assert_eq!(refusal(refresh(&bank, &token).await), Rejection::Reused);
    assert!(!bank.accepts(&access).await);
    assert_eq!(refusal(refresh(&bank, &successor).await), Rejection::Revoked);
}

#[tokio::test]
async fn a_token_of_any_age_ends_the_session_and_the_person_is_told_once() {
    for age in 0..6 {
        let heard: Arc<std::sync::Mutex<Vec<Reuse>>> = Arc::default();
        let ear = Arc::clone(&heard);
        let mut settings = settings();
        settings.refresh = Some(Refresh::default().on_reuse(move |reuse| ear.lock().unwrap().push(reuse.clone())));
        let bank = Bank::open_on(MemoryStore::new(), settings).await;
        let (_, mut token) = log_in(&bank, "alice").await;
        let sibling = bank.log_in("alice").await;
        let mut tokens = vec![token.clone()];
        for _ in 0..6 {
            token = next(&bank, &token).await;
            tokens.push(token.clone());
        }
        let access = refresh(&bank, &tokens[5]).await.unwrap();
        bank.clock.advance(secs(11));
        let thief = Context::new().with_user_agent("thief/1.0");
        let outcome = bank.signoff.refresh(&tokens[age], thief.clone()).await;
        assert_eq!(refusal(outcome), Rejection::Reused);
        assert!(!bank.accepts(access.token.expose()).await, "dead before anybody heard of it");
        assert!(bank.accepts(sibling.token.expose()).await);
        for token in &tokens {
            assert_eq!(refusal(refresh(&bank, token).await), Rejection::Revoked);
        }
        let heard = std::mem::take(&mut *heard.lock().unwrap());
        assert_eq!(heard.len(), 1, "told once, however often it is tried");
        assert_eq!((&heard[0].session.subject, &heard[0].context), (&subject("alice"), &thief));
        assert!(heard[0].session.data.is_empty() && heard[0].session.claims.is_none());
        let trail = bank.signoff.audit_trail(&subject("alice")).await.unwrap();
        assert_eq!((trail[0].kind, trail[0].reason), (AuditKind::RefreshReused, Some(Reason::RefreshReused)));
        assert_eq!((&trail[0].actor, &trail[0].context), (&Actor::System, &thief));
        assert_eq!((trail[0].logout, trail[0].at), (Some(heard[0].logout_id), heard[0].at));
        assert_eq!(trail.len(), 3, "two logins and one theft");
        let text = format!("{trail:?} {heard:?} {:?} {:?}", bank.signoff, bank.signoff.settings());
        assert!(tokens.iter().all(|token| !text.contains(&token[4..47])));
    }
}

#[tokio::test]
async fn a_hook_that_panics_changes_nothing() {
    let calls = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&calls);
    let mut settings = settings();
    settings.refresh = Some(Refresh::default().grace(Duration::ZERO).unwrap().on_reuse(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        panic!("the mail server is down");
    }));
    let bank = Bank::open_on(MemoryStore::new(), settings).await;
    for n in 1..=3 {
        let (access, token) = log_in(&bank, "alice").await;
        let _ = refresh(&bank, &token).await.unwrap();
        assert_eq!(refusal(refresh(&bank, &token).await), Rejection::Reused);
        assert!(!bank.accepts(&access).await);
        assert_eq!(calls.load(Ordering::SeqCst), n);
    }
}

#[tokio::test]
async fn every_generation_logs_out() {
    for everywhere in [false, true] {
        for age in 0..4 {
            let bank = open().await;
            let (access, first) = log_in(&bank, "alice").await;
            let (sibling, _) = log_in(&bank, "alice").await;
            let mut tokens = vec![first];
            for n in 0..3 {
                tokens.push(next(&bank, &tokens[n]).await);
            }
            // Long after the grace, and after the idle end, a logout is a logout and no theft.
            bank.clock.advance(secs(if age % 2 == 0 { 60 } else { 2 * 60 * 60 }));
            let presented = [tokens[age].as_str()];
            let receipt = match everywhere {
                true => bank.signoff.log_out_everywhere(&presented, Cause::logout()).await.unwrap(),
                false => bank.signoff.log_out(&presented, Cause::logout()).await.unwrap(),
            };
            assert_eq!(receipt.destroyed(), if everywhere { 2 } else { 1 });
            assert!(!bank.accepts(&access).await);
            assert_eq!(bank.accepts(&sibling).await, !everywhere && age % 2 == 0);
            for token in &tokens {
                assert_eq!(refusal(refresh(&bank, token).await), Rejection::Revoked);
            }
            let again = bank.signoff.log_out(&presented, Cause::logout()).await.unwrap();
            assert_eq!(again.destroyed(), 0, "twice succeeds");
            let trail = bank.signoff.audit_trail(&subject("alice")).await.unwrap();
            assert!(trail.iter().all(|event| event.kind != AuditKind::RefreshReused));
        }
    }
}

#[tokio::test]
async fn whatever_ends_a_session_ends_its_refresh_tokens() {
    let cause = || Cause::new(Actor::Operator(subject("root")), Reason::Compromised);
    for way in 0..8 {
        let bank = open().await;
        let issued = bank.log_in("alice").await;
        let (access, token) = (issued.token.expose(), issued.refresh_token.unwrap());
        let successor = next(&bank, token.expose()).await;
        let (signoff, revoke) = (&bank.signoff, async |scope| drop(bank.signoff.revoke(scope, cause()).await));
        match way {
            0 => drop(signoff.log_out(&[access], cause()).await.unwrap()),
            1 => drop(signoff.log_out_everywhere(&[access], cause()).await.unwrap()),
            2 => drop(signoff.end_session(&subject("alice"), &issued.session.id, cause()).await.unwrap()),
            3 => revoke(Scope::Subject("alice")).await,
            4 => revoke(Scope::Client("https://bank.example/api")).await,
            5 => revoke(Scope::Everything).await,
            6 => {
                let other = bank.log_in("alice").await;
                let live = signoff.verify(other.token.expose()).unwrap();
                assert_eq!(signoff.log_out_others(&live, cause()).await.unwrap().destroyed, 1);
            }
            _ => revoke(Scope::Session(issued.session.id.as_bytes())).await,
        }
        // Within the grace too.
        for token in [token.expose(), &successor] {
            assert_eq!(refusal(refresh(&bank, token).await), Rejection::Revoked, "way {way}");
        }
    }
}

#[tokio::test]
async fn use_moves_the_idle_end_and_never_the_absolute_one() {
    let bank = open().await;
    let start = bank::start();
    let (_, mut token) = log_in(&bank, "alice").await;
    let end = start.saturating_add(secs(8 * 60 * 60));
    for n in 1..=23 {
        bank.clock.advance(secs(20 * 60));
        let refreshed = refresh(&bank, &token).await.unwrap();
        let now = start.saturating_add(secs(n * 20 * 60));
        assert_eq!(refreshed.session.last_seen_at, now);
        assert_eq!(refreshed.session.idle_expires_at, now.saturating_add(secs(30 * 60)).min(end));
        assert_eq!(refreshed.session.expires_at, end);
        assert!(refreshed.expires_at <= end, "no token outlives its session");
        token = refreshed.refresh_token.expose().to_owned();
    }
    bank.clock.advance(secs(20 * 60) - Duration::from_micros(1));
    token = next(&bank, &token).await;
    bank.clock.advance(Duration::from_micros(1));
    assert_eq!(refusal(refresh(&bank, &token).await), Rejection::Revoked);

    let (_, token) = log_in(&bank, "bob").await;
    bank.clock.advance(secs(30 * 60));
    assert_eq!(refusal(refresh(&bank, &token).await), Rejection::Revoked, "idle for too long");
}

#[tokio::test]
async fn what_is_no_refresh_token_of_ours_is_refused() {
    let bank = open().await;
    let (access, token) = log_in(&bank, "alice").await;
    let other = |kind| generate(kind, &Peppers::none()).unwrap().0.expose().to_owned();
    for (text, expect) in [
        ("", Rejection::Malformed),
        (&access, Rejection::Malformed),
        (&token[..52], Rejection::Malformed),
        (&token.replacen("sor_", "sos_", 1), Rejection::WrongType),
        (&other(Kind::Access), Rejection::WrongType),
        (&other(Kind::Session), Rejection::WrongType),
        (&other(Kind::Refresh), Rejection::UnknownToken),
    ] {
        assert_eq!(refusal(refresh(&bank, text).await), expect, "{text}");
    }
    assert_eq!(bank.signoff.verify(&token).unwrap_err(), Rejection::WrongType, "it opens nothing");
    assert!(!bank.accepts(&token).await);
    let _ = refresh(&bank, &token).await.unwrap();
}

/// A right locator with a guessed secret: nobody gets in, and the session is over.
#[tokio::test]
async fn a_known_locator_ends_the_session_and_opens_nothing() {
    let bank = open().await;
    let (access, token) = log_in(&bank, "alice").await;
    // The checksum of a token is of its digits, so a forged one is found by trying.
    let (stranger, _) = generate(Kind::Refresh, &Peppers::none()).unwrap();
    let mut digits = token[4..25].to_owned();
    digits.push_str(&stranger.expose()[25..47]);
    let forged = format!("sor_{digits}{}", checksum(digits.as_bytes()));
    assert_eq!(refusal(refresh(&bank, &forged).await), Rejection::Reused);
    assert!(!bank.accepts(&access).await);
    assert_eq!(refusal(refresh(&bank, &token).await), Rejection::Revoked);
}

fn checksum(digits: &[u8]) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut crc = !0_u32;
    for byte in digits {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    crc = !crc;
    let mut text = [b'0'; 6];
    for digit in text.iter_mut().rev() {
        *digit = DIGITS[(crc % 62) as usize];
        crc /= 62;
    }
    String::from_utf8(text.to_vec()).unwrap()
}

#[tokio::test]
async fn a_family_outlives_the_pepper_that_it_was_born_with() {
    let pepper = |id| Pepper::new(id, &[id; 32]).unwrap();
    let store = Arc::new(MemoryStore::new());
    let stages = [
        Peppers::none(),
        Peppers::new(pepper(1)).with_unpeppered(),
        Peppers::new(pepper(2)).with_older(pepper(1)).with_unpeppered(),
    ];
    let mut tokens: Vec<String> = Vec::new();
    for peppers in stages {
        let mut settings = settings();
        settings.peppers = peppers;
        let bank = Bank::open_on(Arc::clone(&store), settings).await;
        for token in &mut tokens {
            let successor = next(&bank, token).await;
            assert_eq!(next(&bank, token).await, successor, "sealed with the pepper of the family");
            *token = successor;
        }
        tokens.push(log_in(&bank, "alice").await.1);
        bank.signoff.close().await;
    }
    let mut settings = settings();
    settings.peppers = Peppers::new(pepper(2));
    let bank = Bank::open_on(store, settings).await;
    assert_eq!(refusal(refresh(&bank, &tokens[0]).await), Rejection::UnknownToken);
    assert_eq!(refusal(refresh(&bank, &tokens[1]).await), Rejection::UnknownToken);
    let _ = refresh(&bank, &tokens[2]).await.unwrap();
}

#[tokio::test]
async fn many_refreshes_at_once_share_transactions() {
    let store = FailingStore::new(MemoryStore::new());
    let switch = store.switch();
    let bank = Arc::new(Bank::open_on(store, settings()).await);
    let mut tokens = Vec::new();
    for n in 0..200 {
        tokens.push(log_in(&bank, &format!("user {n}")).await.1);
    }
    let before = switch.calls();
    let refreshes: Vec<_> = tokens
        .into_iter()
        .map(|token| {
            let bank = Arc::clone(&bank);
            tokio::spawn(async move { refresh(&bank, &token).await.unwrap().session.subject })
        })
        .collect();
    for (n, refreshed) in refreshes.into_iter().enumerate() {
        assert_eq!(refreshed.await.unwrap(), subject(&format!("user {n}")), "each gets its own");
    }
    let transactions = switch.calls() - before;
    assert!(transactions < 20, "{transactions} transactions for 200 refreshes");
}

/// Replaying a dead token, as often as one likes, writes nothing.
#[tokio::test]
async fn replays_leave_nothing_behind() {
    let bank = open().await;
    let (_, token) = log_in(&bank, "alice").await;
    let _ = bank.signoff.log_out(&[&token], Cause::logout()).await.unwrap();
    let records = bank.signoff.audit_trail(&subject("alice")).await.unwrap();
    for _ in 0..1_000 {
        assert_eq!(refusal(refresh(&bank, &token).await), Rejection::Revoked);
    }
    assert_eq!(bank.signoff.audit_trail(&subject("alice")).await.unwrap(), records);
}
