//! Contracts of the revocation log.

use std::time::Duration;

use super::{at, create, everywhere, hash, load, one, scope, session, touch};
use crate::store::{Outcome, Purged, Revocation, Scope, SessionKey, SignedOff, Terms};
use crate::time::Timestamp;
use crate::{ClientId, Position, Session, Store, Update};

async fn read(store: &dyn Store, after: Position) -> (Vec<Revocation>, Position) {
    let read = store.log_after(after, 1_000).await.expect("read");
    assert_eq!(read.page.after, after);
    assert_eq!(read.page.through, read.head, "a page that is not full goes through to the head");
    (read.page.entries, read.head)
}

/// Terms grow part by part and never shrink.
pub async fn terms_never_shrink(store: &dyn Store) {
    let terms =
        |longest, leeway| Terms { longest_session: Duration::from_secs(longest), leeway: Duration::from_secs(leeway) };
    assert_eq!(store.agree(terms(100, 5)).await.expect("agreed"), terms(100, 5));
    assert_eq!(store.agree(terms(50, 9)).await.expect("agreed"), terms(100, 9));
    assert_eq!(store.agree(terms(200, 0)).await.expect("agreed"), terms(200, 9));
}

/// Births and entries get positions that follow the clock when it leads and count on when it does not.
pub async fn positions_grow_whatever_the_clock_does(store: &dyn Store) {
    assert_eq!(read(store, Position::ZERO).await, (vec![], Position::ZERO));
    let micros = |time: Timestamp| Position::new(time.as_micros().unsigned_abs()).expect("a small position");
    let first = create(store, &session("alice"), None).await;
    assert_eq!(first.born, micros(at(0)));
    let second = create(store, &session("alice"), None).await;
    assert_eq!(Some(second.born), first.born.following(), "the clock stands still");
    let early = Session { created_at: Timestamp::MIN, ..session("alice") };
    let third = create(store, &early, None).await;
    assert_eq!(Some(third.born), second.born.following(), "the clock is back in 1970");
    assert_eq!(read(store, Position::ZERO).await, (vec![], third.born), "a birth moves the head");
    let page = store.sign_off(&[one(first.id)], at(5)).await.expect("signed off").page;
    assert_eq!(page.after, third.born);
    assert_eq!(page.through, micros(at(5)));
    assert_eq!(page.entries[0].position(), micros(at(5)));
}

/// Reading from any position gives exactly the entries behind it.
pub async fn the_log_is_complete_and_ordered(store: &dyn Store) {
    let mut entries = Vec::new();
    for n in 0..5 {
        let created = create(store, &session("alice"), None).await;
        let page = store.sign_off(&[one(created.id)], at(n)).await.expect("signed off").page;
        assert_eq!(page.entries.len(), 1);
        assert_eq!(page.entries[0].scope(), Scope::Session(created.id.as_bytes()));
        assert_eq!(page.entries[0].expires_at(), at(1_060), "the session's absolute end and the margin");
        entries.extend(page.entries);
    }
    assert!(entries.windows(2).all(|pair| pair[0].position() < pair[1].position()));
    for n in 0..entries.len() {
        let (behind, head) = read(store, entries[n].position()).await;
        assert_eq!(behind, entries[n + 1..]);
        assert_eq!(head, entries[4].position());
    }
    // Whoever has applied more than there is learns where the log ends.
    let beyond = entries[4].position().following().expect("a following position");
    let (nothing, head) = read(store, beyond).await;
    assert!(nothing.is_empty() && head < beyond);
}

/// A full page ends at its last entry, so that the next one begins there.
pub async fn a_page_ends_where_it_says(store: &dyn Store) {
    for n in 0..5 {
        store.sign_off(&[scope(Scope::Token(&[n; 16]))], at(0)).await.expect("signed off");
    }
    let (all, head) = read(store, Position::ZERO).await;
    let mut after = Position::ZERO;
    let mut paged = Vec::new();
    while after < head {
        let read = store.log_after(after, 2).await.expect("read");
        assert!(read.page.entries.len() <= 2);
        assert_eq!(read.head, head);
        assert!(read.page.through > after);
        paged.extend(read.page.entries);
        after = read.page.through;
    }
    assert_eq!(paged, all);
}

/// Several requests in one call: an outcome for each in order, positions that grow, one page.
pub async fn sign_off_is_one_batch(store: &dyn Store) {
    let mut created = Vec::new();
    for _ in 0..3 {
        created.push(create(store, &session("alice"), None).await);
    }
    create(store, &session("bob"), None).await;
    let batch = [
        one(created[0].id),
        one(created[0].id),
        everywhere("alice", Some(created[2].id)),
        everywhere("bob", None),
        everywhere("nobody", None),
        scope(Scope::Key("kid")),
    ];
    let signed_off = store.sign_off(&batch, at(1)).await.expect("signed off");
    let outcome = |destroyed, gone| Outcome { destroyed, gone, unknown: 0 };
    let expect = [outcome(1, 0), outcome(0, 1), outcome(1, 0), outcome(1, 0), outcome(0, 0), outcome(0, 0)];
    assert_eq!(signed_off.outcomes, expect);
    let scopes: Vec<_> = signed_off.page.entries.iter().map(Revocation::scope).collect();
    let expect = [
        Scope::Session(created[0].id.as_bytes()),
        Scope::Session(created[1].id.as_bytes()),
        Scope::Subject("bob"),
        Scope::Subject("nobody"),
        Scope::Key("kid"),
    ];
    assert_eq!(scopes, expect);
    let micros = |time: Timestamp| Position::new(time.as_micros().unsigned_abs());
    assert_eq!(signed_off.page.entries.first().map(Revocation::position), micros(at(1)), "max(head + 1, now)");
    assert_eq!(signed_off.page.entries.last().map(Revocation::position), Some(signed_off.page.through));
    let again = [scope(Scope::Token(&[1; 16])), scope(Scope::Token(&[2; 16]))];
    let again = store.sign_off(&again, at(1)).await.expect("signed off").page;
    assert_eq!(again.after, signed_off.page.through);
    let first = again.entries.first().map(Revocation::position);
    assert_eq!(first, again.after.following(), "the clock stands still, the positions do not");
    let entries = [signed_off.page.entries, again.entries].concat();
    assert_eq!(read(store, signed_off.page.after).await, (entries, again.through));
    assert!(load(store, &created[2].id, at(1)).await.is_some(), "the spared session lives");
    assert_eq!(store.sign_off(&[], at(1)).await.expect("signed off").outcomes, []);
}

/// What the answer says of a group of sessions, some of them gone or unknown, is what the log has.
pub async fn the_log_has_what_a_group_was_told(store: &dyn Store) {
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(create(store, &session("alice"), None).await.id);
    }
    store.sign_off(&[one(ids[1])], at(1)).await.expect("signed off");
    let batch: Vec<_> = ids.iter().copied().map(one).collect();
    let SignedOff { outcomes, page } = store.sign_off(&batch, at(1)).await.expect("signed off");
    assert_eq!(outcomes.iter().map(|outcome| outcome.destroyed).collect::<Vec<_>>(), [1, 0, 1, 1]);
    let scopes: Vec<_> = page.entries.iter().map(Revocation::scope).collect();
    assert_eq!(scopes, [0, 2, 3].map(|n| Scope::Session(ids[n].as_bytes())));
    assert_eq!(read(store, page.after).await, (page.entries, page.through));
}

/// Revoking a scope costs one entry, and destroys no rows.
pub async fn a_scope_is_one_entry(store: &dyn Store) {
    for _ in 0..3 {
        create(store, &session("alice"), None).await;
    }
    // What a foreign issuer calls a session, a subject or a client has names that none of ours can have.
    let revoked = [
        Scope::Token(&[1; 16]),
        Scope::Session(&[2; 16]),
        Scope::Subject("foreign:\u{1f}name"),
        Scope::Client("foreign:\u{1f}name"),
        Scope::Key("kid"),
        Scope::Client("app"),
        Scope::Everything,
    ];
    for (n, revoked) in revoked.iter().enumerate() {
        let page = store.sign_off(&[scope(*revoked)], at(1)).await.expect("signed off").page;
        assert_eq!(page.entries.len(), 1);
        assert_eq!(page.entries[0].scope(), *revoked);
        assert_eq!(page.entries[0].expires_at(), at(5_000));
        assert_eq!(read(store, Position::ZERO).await.0.len(), n + 1);
    }
}

/// What was born before a wide revocation is dead to every verb; what is born after lives.
pub async fn wide_revocations_cut_sessions_off(store: &dyn Store) {
    for (n, request) in
        [scope(Scope::Client("app")), scope(Scope::Everything), everywhere("alice", None)].iter().enumerate()
    {
        let n = n as u8;
        let elsewhere = Session { client_id: ClientId::new("elsewhere").expect("a good client id"), ..session("bob") };
        let elsewhere = create(store, &elsewhere, None).await;
        let before = create(store, &session("alice"), Some(&hash(n))).await;
        store.sign_off(std::slice::from_ref(request), at(0)).await.expect("signed off");
        let after = create(store, &session("alice"), None).await;
        assert_eq!(load(store, &before.id, at(1)).await, None);
        assert!(store.load_session(SessionKey::Token(&hash(n)), at(1)).await.expect("loaded").is_none());
        assert_eq!(store.update_session(&before.id, 1, b"x", at(1)).await.expect("answered"), Update::Gone);
        assert_eq!(touch(store, &before.id, at(90), at(1)).await, None);
        let listed = store.list_sessions(&before.subject, None, 10, at(1)).await.expect("listed");
        assert_eq!(listed, std::slice::from_ref(&after));
        assert_eq!(store.update_session(&after.id, 1, b"x", at(1)).await.expect("answered"), Update::Saved(2));
        assert_eq!(load(store, &elsewhere.id, at(1)).await.is_some(), n != 1, "other clients and people live on");
        store.sign_off(&[one(after.id)], at(1)).await.expect("signed off");
    }
}

/// Purging deletes what is over at the horizon, no more than asked, and never what still kills or lives.
pub async fn purge_keeps_the_living(store: &dyn Store) {
    let mut ids = Vec::new();
    for n in 0..4 {
        let created = create(store, &session("alice"), Some(&hash(n))).await;
        store.sign_off(&[one(created.id)], at(1)).await.expect("signed off");
        ids.push(created.id);
    }
    let alive = create(store, &Session { expires_at: at(2_000), ..session("alice") }, Some(&hash(9))).await;
    assert_eq!(store.purge(at(999), 10).await.expect("purged"), Purged::default());
    // The sessions end at 1,000; their revocations stay for the margin.
    assert_eq!(store.purge(at(1_000), 3).await.expect("purged"), Purged { sessions: 3, revocations: 0, successors: 0 });
    assert_eq!(store.purge(at(1_000), 3).await.expect("purged"), Purged { sessions: 1, revocations: 0, successors: 0 });
    assert_eq!(read(store, Position::ZERO).await.0.len(), 4);
    for n in 0..4 {
        assert!(store.find_by_token(&hash(n)).await.expect("found").is_none());
    }
    let head = read(store, Position::ZERO).await.1;
    assert_eq!(store.purge(at(1_060), 3).await.expect("purged"), Purged { sessions: 0, revocations: 3, successors: 0 });
    assert_eq!(store.purge(at(1_060), 3).await.expect("purged"), Purged { sessions: 0, revocations: 1, successors: 0 });
    assert_eq!(read(store, Position::ZERO).await, (vec![], head), "the head stays");
    assert!(load(store, &alive.id, at(50)).await.is_some());
    assert!(store.audit_trail(&alive.subject, 100).await.expect("read").len() >= 9, "records are kept");
}
