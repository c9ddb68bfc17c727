//! Contracts of sessions that are kept in other stores: when they become intents, and how those end.

use std::time::Duration;

use super::creates::heir;
use super::races::all;
use super::{
    at, create, everywhere, hash, id, load, new, one, refuses, run_creates, scope, session, sign_off, subject,
};
use crate::audit::{AuditEvent, AuditKind};
use crate::conformance::login;
use crate::elsewhere::{Elsewhere, Trouble};
use crate::store::{
    CreateOutcome, Intent, IntentKey, IntentsOf, NewSession, Postponed, Purged, Scope, SessionKey, Settled, SignOff,
    Target,
};
use crate::time::Timestamp;
use crate::{Session, SessionId, Store};

fn linked(owner: &str, keys: &[&str]) -> Session {
    let elsewhere = keys.iter().map(|key| Elsewhere::new("redis", *key)).collect();
    Session { elsewhere, ..session(owner) }
}

async fn create_linked(store: &dyn Store, owner: &str, keys: &[&str]) -> SessionId {
    let linked = linked(owner, keys);
    create(store, &linked, None).await;
    linked.id
}

async fn ask(store: &dyn Store, of: IntentsOf<'_>, now: Timestamp) -> Vec<Intent> {
    store.intents(of, 100, now).await.expect("read")
}

fn keys(intents: &[Intent]) -> Vec<String> {
    let mut keys: Vec<_> = intents.iter().map(|intent| intent.elsewhere.key().to_owned()).collect();
    keys.sort();
    keys
}

/// The keys of what is due, of everybody.
async fn due(store: &dyn Store, now: Timestamp) -> Vec<String> {
    keys(&ask(store, IntentsOf::Due, now).await)
}

fn record(kind: AuditKind, owner: &str) -> AuditEvent {
    AuditEvent { kind, ..login(&session(owner)) }
}

fn settled(intent: &Intent) -> Settled {
    Settled { key: intent.key, audit: record(AuditKind::ElsewhereDestroyed, intent.subject.as_str()) }
}

fn tried(intent: &Intent, retry_at: Timestamp) -> Postponed {
    let (key, read) = (intent.key, intent.attempts);
    Postponed { key, read, attempts: read + 1, retry_at, trouble: None, audit: None }
}

/// A link comes back as it went, with its session's subject, and with no session that is loaded.
pub async fn intents_come_back_as_they_went(store: &dyn Store) {
    let odd = ["ключ ", "ключ", "Ключ", r#"'"\{}[]%_$1?"#, &"é".repeat(256)];
    let mut linked = linked("älice ", &odd);
    linked.elsewhere.push(Elsewhere::new("another store", "ключ"));
    create(store, &linked, Some(&hash(1))).await;
    for found in [
        load(store, &linked.id, at(1)).await,
        store.load_session(SessionKey::Token(&hash(1)), at(1)).await.expect("loaded"),
        store.find_by_token(&hash(1)).await.expect("found"),
        store.list_sessions(&linked.subject, None, 10, at(1)).await.expect("listed").pop(),
    ] {
        assert!(found.expect("live").elsewhere.is_empty(), "loading a session does not read its links");
    }
    store.sign_off(&[one(linked.id)], at(2)).await.expect("signed off");
    let mut intents = ask(store, IntentsOf::Sessions(&[linked.id]), at(2)).await;
    intents.sort_by_key(|intent| intent.key);
    let elsewhere: Vec<_> = intents.iter().map(|intent| intent.elsewhere.clone()).collect();
    assert_eq!(elsewhere, linked.elsewhere);
    for (number, intent) in (0..).zip(&intents) {
        assert_eq!(intent.key, IntentKey { session: linked.id, number });
        assert_eq!((&intent.subject, intent.attempts, intent.trouble), (&linked.subject, 0, None));
    }
    refuses(store, new(&linked, None), at(3), CreateOutcome::Conflict).await;
}

/// Whatever verb destroys a session makes intents of its links, at once, and of no others.
pub async fn every_end_makes_intents(store: &dyn Store) {
    type End = fn(SessionId, SessionId) -> SignOff;
    let ends: [(End, &[&str]); 4] = [
        (|mine, _| one(mine), &["mine"]),
        (|_, _| everywhere("alice", None), &["mine", "other"]),
        (|_, other| everywhere("alice", Some(other)), &["mine"]),
        (|mine, other| sign_off(Target::Sessions([mine, other].map(target).to_vec())), &["mine", "other"]),
    ];
    let bob = create_linked(store, "bob", &["bob"]).await;
    for (end, expect) in ends {
        let mine = create_linked(store, "alice", &["mine"]).await;
        let other = create_linked(store, "alice", &["other"]).await;
        create(store, &session("alice"), None).await;
        assert!(due(store, at(1)).await.is_empty(), "the living have no intents");
        store.sign_off(&[end(mine, other)], at(2)).await.expect("signed off");
        let both = [mine, other, bob];
        assert_eq!(keys(&ask(store, IntentsOf::Sessions(&both), at(2)).await), expect);
        assert_eq!(keys(&ask(store, IntentsOf::Subject(&subject("alice")), at(2)).await), expect);
        assert!(ask(store, IntentsOf::Subject(&subject("bob")), at(2)).await.is_empty());
        assert_eq!(due(store, at(2)).await, expect);
        let all = ask(store, IntentsOf::All, at(2)).await;
        assert_eq!(keys(&all), expect);
        let first = store.intents(IntentsOf::All, 1, at(2)).await.expect("read");
        assert_eq!(first.len(), 1, "at most so many");
        store.settle(&all.iter().map(settled).collect::<Vec<_>>()).await.expect("settled");
        for of in [IntentsOf::All, IntentsOf::Due, IntentsOf::Sessions(&both), IntentsOf::Subject(&subject("alice"))] {
            assert!(ask(store, of, at(3)).await.is_empty());
        }
        store.sign_off(&[everywhere("alice", None)], at(4)).await.expect("signed off");
        let rest: Vec<_> = ask(store, IntentsOf::All, at(4)).await.iter().map(settled).collect();
        store.settle(&rest).await.expect("settled");
    }
    assert!(load(store, &bob, at(5)).await.is_some());

    let old = create_linked(store, "carol", &["old"]).await;
    let request = NewSession { session: linked("carol", &["new"]), ..heir("carol", old, None) };
    let heir = request.session.id;
    run_creates(store, &[request], at(6)).await;
    assert_eq!(keys(&ask(store, IntentsOf::Sessions(&[old, heir]), at(6)).await), ["old"]);
    assert_eq!(due(store, at(6)).await, ["old"], "a session that another takes the place of ends too");
}

/// What was not destroyed, but merely ended, is due when its time is over in any case.
pub async fn the_expired_are_due_at_their_end(store: &dyn Store) {
    let expired = create_linked(store, "alice", &["expired"]).await;
    let cut_off = create_linked(store, "bob", &["cut off"]).await;
    store.sign_off(&[scope(Scope::Everything)], at(1)).await.expect("signed off");
    let last = at(1_000).saturating_sub(Duration::from_micros(1));
    assert!(due(store, last).await.is_empty());
    assert!(ask(store, IntentsOf::All, last).await.is_empty());
    assert_eq!(due(store, at(1_000)).await, ["cut off", "expired"]);
    assert_eq!(keys(&ask(store, IntentsOf::All, at(1_000)).await), ["cut off", "expired"]);
    assert!(ask(store, IntentsOf::Sessions(&[expired, cut_off]), at(1_000)).await.is_empty(), "nobody ended them");
    let intents = ask(store, IntentsOf::Due, at(1_000)).await;
    let claims: Vec<_> = intents.iter().map(|intent| tried(intent, at(1_010))).collect();
    assert_eq!(store.postpone(&claims).await.expect("postponed"), [true, true]);
    assert!(due(store, at(1_009)).await.is_empty());
    assert_eq!(keys(&ask(store, IntentsOf::Sessions(&[expired, cut_off]), at(1_009)).await), ["cut off", "expired"]);
    // A logout that comes late ends the same.
    store.sign_off(&[one(expired)], at(1_005)).await.expect("signed off");
    assert_eq!(due(store, at(1_010)).await, ["cut off", "expired"]);
}

/// An attempt is written by one of those who read the same; what was postponed is not due, and still there.
pub async fn attempts_are_counted_once(store: &dyn Store) {
    let ended = create_linked(store, "alice", &["one", "two"]).await;
    store.sign_off(&[one(ended)], at(1)).await.expect("signed off");
    let mut intents = ask(store, IntentsOf::Due, at(1)).await;
    intents.sort_by_key(|intent| intent.key);
    let records = || async { store.audit_trail(&subject("alice"), 100).await.expect("read").len() };
    let before = records().await;
    let audit = Some(record(AuditKind::ElsewhereDelayed, "alice"));
    let failed = Postponed { trouble: Some(Trouble::Failed), audit, ..tried(&intents[0], at(20)) };
    let batch = [failed.clone(), tried(&intents[1], at(10))];
    assert_eq!(store.postpone(&batch).await.expect("postponed"), [true, true]);
    assert_eq!(store.postpone(&batch).await.expect("postponed"), [false, false], "somebody else has tried since");
    assert_eq!(records().await, before + 1);
    assert!(due(store, at(9)).await.is_empty());
    assert_eq!(due(store, at(10)).await, ["two"]);
    let all = ask(store, IntentsOf::All, at(2)).await;
    let numbers = |intents: &[Intent]| intents.iter().map(|intent| intent.key.number).collect::<Vec<_>>();
    assert_eq!(numbers(&all), [1, 0], "in the order of the next attempt");
    assert_eq!((all[1].attempts, all[1].retry_at, all[1].trouble), (1, at(20), Some(Trouble::Failed)));
    assert_eq!(numbers(&ask(store, IntentsOf::Due, at(50)).await), [1, 0], "the longest waiting first");
    assert_eq!(ask(store, IntentsOf::Sessions(&[ended]), at(2)).await.len(), 2, "a logout does not wait for its turn");

    store.settle(&[settled(&all[0])]).await.expect("settled");
    store.settle(&[settled(&all[0]), settled(&all[1])]).await.expect("settled");
    store
        .settle(&[Settled { key: IntentKey { session: id(), number: 0 }, ..settled(&all[0]) }])
        .await
        .expect("settled");
    assert_eq!(records().await, before + 3, "each is recorded once");
    let late = Postponed { read: 1, ..failed };
    assert_eq!(store.postpone(&[late]).await.expect("postponed"), [false], "what is settled stays settled");
    assert!(ask(store, IntentsOf::All, at(9_000)).await.is_empty());
    assert_eq!(records().await, before + 3);
    assert!(store.postpone(&[]).await.expect("postponed").is_empty());
    store.settle(&[]).await.expect("settled");
}

/// Nothing that is unsettled is purged, and it keeps nothing else from being.
pub async fn purge_keeps_the_unsettled(store: &dyn Store) {
    let destroyed = create_linked(store, "alice", &["destroyed"]).await;
    let expired = create_linked(store, "alice", &["expired"]).await;
    for _ in 0..3 {
        create(store, &session("alice"), None).await;
    }
    store.sign_off(&[one(destroyed)], at(1)).await.expect("signed off");
    assert_eq!(store.purge(at(9_000), 2).await.expect("purged").sessions, 2);
    assert_eq!(store.purge(at(9_000), 2).await.expect("purged").sessions, 1);
    assert_eq!(store.purge(at(9_000), 2).await.expect("purged"), Purged::default());
    let again = store.sign_off(&[one(destroyed)], at(9_000)).await.expect("signed off").outcomes[0];
    assert_eq!(again.gone, 1, "a retry of its logout finds it gone, not unknown");
    // Its entry of the log is gone by now; it is due all the same.
    assert_eq!(due(store, at(9_000)).await, ["destroyed", "expired"]);
    for intent in ask(store, IntentsOf::Due, at(9_000)).await {
        store.settle(&[settled(&intent)]).await.expect("settled");
    }
    assert_eq!(store.purge(at(9_000), 10).await.expect("purged").sessions, 2);
    let outcomes = store.sign_off(&[one(destroyed), one(expired)], at(9_000)).await.expect("signed off").outcomes;
    assert!(outcomes.iter().all(|outcome| outcome.unknown == 1));
}

/// Many that end at once are all found, a few at a time.
pub async fn many_intents_are_found_by_pages(store: &dyn Store) {
    const MANY: usize = 150;
    let mut ids = Vec::new();
    for n in 0..MANY {
        ids.push(create_linked(store, "alice", &[&n.to_string()]).await);
        create(store, &session("alice"), None).await;
    }
    store
        .sign_off(&[sign_off(Target::Sessions(ids.iter().map(|id| target(*id)).collect()))], at(1))
        .await
        .expect("off");
    let mut found = 0;
    loop {
        let page = store.intents(IntentsOf::Due, 40, at(2)).await.expect("read");
        assert!(page.len() <= 40);
        if page.is_empty() {
            break;
        }
        found += page.len();
        let claims: Vec<_> = page.iter().map(|intent| tried(intent, at(100))).collect();
        assert!(store.postpone(&claims).await.expect("postponed").into_iter().all(|written| written));
    }
    assert_eq!(found, MANY);
}

/// Of many nodes that try the same intent, one is told to; of many that settle it, one leaves a record.
pub async fn concurrent_attempts_exclude_each_other(store: &dyn Store) {
    let ended = create_linked(store, "alice", &["one", "two", "three"]).await;
    store.sign_off(&[one(ended)], at(1)).await.expect("signed off");
    let intents = ask(store, IntentsOf::Due, at(1)).await;
    for round in 0..3 {
        let claims: Vec<_> = intents
            .iter()
            .map(|intent| Postponed { read: round, attempts: round + 1, ..tried(intent, at(9)) })
            .collect();
        let claims = &claims;
        let nodes = (0..6).map(|_| async move { store.postpone(claims).await.expect("postponed") });
        let told = all(nodes.collect()).await;
        for number in 0..3 {
            assert_eq!(told.iter().filter(|told| told[number]).count(), 1, "{told:?}");
        }
    }
    let before = store.audit_trail(&subject("alice"), 100).await.expect("read").len();
    let batch: Vec<_> = intents.iter().map(settled).collect();
    let batch = &batch;
    all((0..6).map(|_| async move { store.settle(batch).await.expect("settled") }).collect()).await;
    assert_eq!(store.audit_trail(&subject("alice"), 100).await.expect("read").len(), before + 3);
    // Several nodes that look at the log at once, while sessions end.
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(create_linked(store, "bob", &[&n.to_string()]).await);
    }
    let ids = &ids;
    let ends = (0..4_usize).map(|node| async move {
        for id in ids.iter().skip(node).step_by(4) {
            store.sign_off(&[one(*id)], at(2)).await.expect("signed off");
            store.intents(IntentsOf::Due, 10, at(3)).await.expect("read");
        }
    });
    all(ends.collect()).await;
    assert_eq!(due(store, at(3)).await.len(), 20, "none is overlooked");
}

fn target(id: SessionId) -> crate::store::SessionTarget {
    crate::store::SessionTarget { id, revoke_unknown_until: None }
}
