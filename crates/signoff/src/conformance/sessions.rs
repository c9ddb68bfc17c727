//! Contracts of single sessions.

use super::{at, create, everywhere, hash, id, load, login, new, one, refuses, session, sign_off, subject, touch};
use crate::audit::{AuditKind, Context, Reason};
use crate::store::{CreateOutcome, Outcome, SessionKey, SessionTarget, Target, Touch};
use crate::{Position, Session, SessionId, Store, Update};

/// A second session under the same id or token is a conflict, dead or alive, and changes nothing.
pub async fn create_never_overwrites(store: &dyn Store) {
    let first = create(store, &session("alice"), Some(&hash(1))).await;
    let same_id = Session { id: first.id, ..session("mallory") };
    refuses(store, new(&same_id, Some(&hash(2))), at(1), CreateOutcome::Conflict).await;
    let same_token = session("mallory");
    refuses(store, new(&same_token, Some(&hash(1))), at(1), CreateOutcome::Conflict).await;
    assert_eq!(load(store, &first.id, at(1)).await, Some(first.clone()));
    assert_eq!(load(store, &same_token.id, at(1)).await, None, "a refused session left a row");
    assert!(store.find_by_token(&hash(2)).await.expect("found").is_none(), "a refused session left a token");
    assert!(store.audit_trail(&subject("mallory"), 10).await.expect("read").is_empty());

    store.sign_off(&[one(first.id)], at(2)).await.expect("signed off");
    // The dead keep their id.
    refuses(store, new(&same_id, None), at(3), CreateOutcome::Conflict).await;
}

/// Every part of a session survives, to the last byte.
pub async fn sessions_come_back_as_they_went(store: &dyn Store) {
    let full = Session {
        authenticated_at: at(-500),
        scope: Some("read write".into()),
        claims: Some(r#"{"role":"ädmin"}"#.into()),
        data: (0..=255).collect(),
        device: Some("Фирефокс on Linux".into()),
        context: Context::new().with_address("2001:db8::1".parse().expect("an address")).with_user_agent("curl/8"),
        ..session("älice ")
    };
    let bare = Session { data: Vec::new(), ..session("bob") };
    for (key, session) in [(hash(1), full), (hash(2), bare)] {
        let created = create(store, &session, Some(&key)).await;
        assert!(created.born > Position::ZERO);
        assert_eq!(load(store, &session.id, at(1)).await, Some(created.clone()));
        assert_eq!(store.load_session(SessionKey::Token(&key), at(1)).await.expect("loaded"), Some(created.clone()));
        assert_eq!(store.find_by_token(&key).await.expect("found"), Some(created));
    }
}

/// Neither case, nor accents, nor trailing blanks are folded; unknown things are unknown.
pub async fn lookups_compare_bytes(store: &dyn Store) {
    let alice = create(store, &session("alice"), Some(&hash(1))).await;
    for other in ["Alice", "alice ", "alicé", "alic"] {
        create(store, &session(other), None).await;
        let outcome = store.sign_off(&[everywhere(other, None)], at(1)).await.expect("signed off").outcomes[0];
        assert_eq!(outcome.destroyed, 1, "{other:?}");
        assert!(store.list_sessions(&subject(other), None, 10, at(2)).await.expect("listed").is_empty());
    }
    assert_eq!(load(store, &alice.id, at(2)).await, Some(alice));
    assert_eq!(load(store, &id(), at(2)).await, None);
    assert!(store.load_session(SessionKey::Token(&hash(9)), at(2)).await.expect("loaded").is_none());
    assert!(store.find_by_token(&hash(9)).await.expect("found").is_none());
}

/// At its idle or absolute end, and not before, a session is as good as unknown; logging out still finds it.
pub async fn expiry_hides_a_session(store: &dyn Store) {
    let idle = create(store, &session("alice"), Some(&hash(1))).await;
    let last = at(100).saturating_sub(std::time::Duration::from_micros(1));
    assert!(load(store, &idle.id, last).await.is_some());
    for now in [at(100), at(999), at(1_000), at(9_999)] {
        assert_eq!(load(store, &idle.id, now).await, None);
        assert!(store.list_sessions(&subject("alice"), None, 10, now).await.expect("listed").is_empty());
        assert_eq!(store.update_session(&idle.id, 1, b"x", now).await.expect("answered"), Update::Gone);
        assert_eq!(touch(store, &idle.id, at(99_999), now).await, None);
        assert!(store.find_by_token(&hash(1)).await.expect("found").is_some());
    }
    let outcome = store.sign_off(&[one(idle.id)], at(9_999)).await.expect("signed off").outcomes[0];
    assert_eq!(outcome, Outcome { destroyed: 1, gone: 0, unknown: 0 });
}

/// An update names the version that it is based on.
pub async fn update_compares_versions(store: &dyn Store) {
    let created = create(store, &session("alice"), None).await;
    assert_eq!(store.update_session(&created.id, 1, b"two", at(1)).await.expect("answered"), Update::Saved(2));
    assert_eq!(store.update_session(&created.id, 1, b"late", at(1)).await.expect("answered"), Update::Conflict);
    assert_eq!(store.update_session(&created.id, 3, b"early", at(1)).await.expect("answered"), Update::Conflict);
    let expect = Session { data: b"two".to_vec(), version: 2, ..created.clone() };
    assert_eq!(load(store, &created.id, at(1)).await, Some(expect));
    assert_eq!(store.update_session(&id(), 1, b"x", at(1)).await.expect("answered"), Update::Gone);
}

/// A touch moves the idle end, never past the absolute end, and nothing else.
pub async fn touch_moves_the_idle_end(store: &dyn Store) {
    let created = create(store, &session("alice"), None).await;
    let touched = touch(store, &created.id, at(150), at(50)).await;
    let expect = Session { last_seen_at: at(50), idle_expires_at: at(150), ..created.clone() };
    assert_eq!(touched, Some(expect.clone()));
    assert_eq!(load(store, &created.id, at(149)).await, Some(expect));
    let capped = touch(store, &created.id, at(9_999), at(149)).await.expect("live");
    assert_eq!(capped.idle_expires_at, at(1_000));
    assert_eq!(touch(store, &id(), at(150), at(50)).await, None);
}

/// All touches of a batch are answered in order, with what the sessions are after the whole batch; the dead and unknown do
/// not disturb their neighbours; nothing ever goes back.
pub async fn touches_are_one_batch(store: &dyn Store) {
    let alice = create(store, &session("alice"), None).await;
    let bob = create(store, &session("bob"), Some(&hash(1))).await;
    let dead = create(store, &session("carol"), None).await;
    store.sign_off(&[one(dead.id)], at(1)).await.expect("signed off");
    assert!(store.touch_sessions(&[], at(50)).await.expect("answered").is_empty());
    let ids = [bob.id, alice.id, dead.id, id(), alice.id, alice.id];
    let ends = [120, 160, 500, 500, 190, 170];
    let batch: Vec<_> = ids.into_iter().zip(ends).map(|(id, end)| Touch { id, idle_expires_at: at(end) }).collect();
    let touched = store.touch_sessions(&batch, at(50)).await.expect("answered");
    let alice = Session { last_seen_at: at(50), idle_expires_at: at(190), ..alice };
    let bob = Session { last_seen_at: at(50), idle_expires_at: at(120), ..bob };
    let expect = [Some(bob.clone()), Some(alice.clone()), None, None, Some(alice.clone()), Some(alice.clone())];
    assert_eq!(touched, expect);
    // A touch that was under way for long, or whose clock is behind.
    assert_eq!(touch(store, &alice.id, at(130), at(40)).await, Some(alice.clone()));
    let seen = Session { last_seen_at: at(60), ..alice };
    assert_eq!(touch(store, &seen.id, at(130), at(60)).await, Some(seen.clone()));
    assert_eq!(load(store, &seen.id, at(189)).await, Some(seen));
    assert_eq!(load(store, &bob.id, at(119)).await, Some(bob));
    assert_eq!(load(store, &dead.id, at(50)).await, None);
}

/// A destroyed session has no data, cannot be used, updated or touched, and is found gone by the next logout.
pub async fn destroyed_is_gone_for_good(store: &dyn Store) {
    let mine = Session { claims: Some("{}".into()), ..session("alice") };
    let mine = create(store, &mine, Some(&hash(1))).await;
    let other = create(store, &session("alice"), Some(&hash(2))).await;
    let signed_off = store.sign_off(&[one(mine.id)], at(1)).await.expect("signed off");
    assert_eq!(signed_off.outcomes, [Outcome { destroyed: 1, gone: 0, unknown: 0 }]);

    assert_eq!(load(store, &mine.id, at(1)).await, None);
    assert!(store.load_session(SessionKey::Token(&hash(1)), at(1)).await.expect("loaded").is_none());
    assert_eq!(store.update_session(&mine.id, 1, b"late", at(1)).await.expect("answered"), Update::Gone);
    assert_eq!(touch(store, &mine.id, at(500), at(1)).await, None);
    let tombstone = store.find_by_token(&hash(1)).await.expect("found").expect("kept until purged");
    assert_eq!((tombstone.id, &tombstone.subject), (mine.id, &mine.subject));
    assert!(tombstone.data.is_empty() && tombstone.claims.is_none(), "what a destroyed session carried is gone");

    let again = store.sign_off(&[one(mine.id)], at(2)).await.expect("signed off");
    assert_eq!(again.outcomes, [Outcome { destroyed: 0, gone: 1, unknown: 0 }]);
    assert!(again.page.entries.is_empty(), "a second logout adds nothing to the log");
    assert_eq!(again.page.through, signed_off.page.through);
    let unknown = store.sign_off(&[one(id())], at(2)).await.expect("signed off");
    assert_eq!(unknown.outcomes, [Outcome { destroyed: 0, gone: 0, unknown: 1 }]);
    assert!(unknown.page.entries.is_empty());
    let lost = SessionTarget { id: id(), revoke_unknown_until: Some(at(7_000)) };
    let lost = store.sign_off(&[sign_off(Target::Sessions(vec![lost]))], at(2)).await.expect("signed off");
    assert_eq!(lost.page.entries.len(), 1, "an unknown session is revoked when that is asked for");
    assert_eq!(lost.page.entries[0].expires_at(), at(7_000));
    assert!(load(store, &other.id, at(2)).await.is_some(), "the sibling lives");
}

/// Pages are in the order of ids, complete and without repetition.
pub async fn listing_pages_by_id(store: &dyn Store) {
    let mut ids: Vec<SessionId> = Vec::new();
    for _ in 0..7 {
        ids.push(create(store, &session("alice"), None).await.id);
    }
    create(store, &session("bob"), None).await;
    store.sign_off(&[one(ids.swap_remove(3))], at(1)).await.expect("signed off");
    ids.sort_unstable();
    let mut listed: Vec<SessionId> = Vec::new();
    loop {
        let page = store.list_sessions(&subject("alice"), listed.last(), 4, at(1)).await.expect("listed");
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 4);
        listed.extend(page.iter().map(|session| session.id));
    }
    assert_eq!(listed, ids);
}

/// Logins and logouts leave records with fingerprints; what did not happen leaves none.
pub async fn records_are_written_with_the_change(store: &dyn Store) {
    let alice = create(store, &session("alice"), None).await;
    let request = one(alice.id);
    store.sign_off(std::slice::from_ref(&request), at(1)).await.expect("signed off");
    store.sign_off(&[one(alice.id)], at(2)).await.expect("signed off");
    create(store, &session("alice"), None).await;
    store.sign_off(&[everywhere("alice", None)], at(3)).await.expect("signed off");
    let trail = store.audit_trail(&subject("alice"), 10).await.expect("read");
    let kinds: Vec<_> = trail.iter().rev().map(|event| event.kind).collect();
    assert_eq!(kinds[..3], [AuditKind::LoggedIn, AuditKind::LoggedOut, AuditKind::LoggedIn]);
    assert_eq!(kinds[3..], [AuditKind::LoggedOut, AuditKind::Revoked], "one per session and one for the subject");
    let logout = &trail[trail.len() - 2];
    assert_eq!(logout.at, at(1));
    assert_eq!(logout.logout, Some(request.id));
    assert_eq!(logout.reason, Some(Reason::Logout));
    assert_eq!(logout.session, Some(alice.id.fingerprint()));
    assert_eq!(store.audit_trail(&subject("alice"), 2).await.expect("read").len(), 2);

    let lone = login(&session("carol"));
    store.record(&lone).await.expect("recorded");
    assert_eq!(store.audit_trail(&subject("carol"), 10).await.expect("read"), [lone]);
}
