//! Contracts of exchanging refresh tokens.

use std::time::Duration;

use super::{at, create, everywhere, hash, id, load, new, one, refuses, run_creates, scope, session, subject};
use crate::audit::{AuditKind, Context, Reason};
use crate::store::{
    CreateOutcome, Exchange, ExchangeOutcome, LogPage, NewFamily, NewSession, Outcome, Purged, Scope, SealedSuccessor,
    SignOff,
};
use crate::time::Timestamp;
use crate::{Actor, LogoutId, Position, Session, SessionId, Store, TokenHash};

/// The key of a family, out of the way of tokens.
fn family(n: u8) -> TokenHash {
    TokenHash::from_bytes([n; 32].map(|byte| byte ^ 0x80))
}

/// A generation of family `n`; the first one is 0.
pub(super) fn token(n: u8, generation: u8) -> TokenHash {
    let mut bytes = [n; 32];
    bytes[31] = generation;
    TokenHash::from_bytes(bytes)
}

fn sealed(token: &TokenHash) -> SealedSuccessor {
    SealedSuccessor::new(token.as_bytes().iter().chain(&[0; 18]).map(|byte| byte ^ 0x55).collect())
}

/// Presents `from` for `to`, with ten seconds of grace, an idle end at 900, and a margin of a minute.
pub(super) fn exchange(n: u8, from: u8, to: u8) -> Exchange {
    let successor = token(n, to);
    Exchange {
        id: LogoutId::generate().expect("random numbers"),
        family: family(n),
        presented: token(n, from),
        successor,
        sealed: sealed(&successor),
        grace: Duration::from_secs(10),
        idle_expires_at: at(900),
        margin: Duration::from_secs(60),
        context: Context::new().with_user_agent("curl/8"),
    }
}

fn strict(n: u8, from: u8, to: u8) -> Exchange {
    Exchange { grace: Duration::ZERO, ..exchange(n, from, to) }
}

/// The first generation of family `n`.
pub(super) fn first(n: u8) -> NewFamily {
    NewFamily { family: family(n), token: token(n, 0) }
}

/// Adds a session with family `n`.
pub(super) async fn create_family(store: &dyn Store, session: &Session, n: u8) -> Session {
    let request = NewSession { refresh: Some(first(n)), ..new(session, None) };
    let created = run_creates(store, &[request], session.created_at).await;
    Session { born: created.page.through, ..session.clone() }
}

pub(super) async fn run(store: &dyn Store, batch: &[Exchange], now: Timestamp) -> (Vec<ExchangeOutcome>, LogPage) {
    let exchanged = store.exchange(batch, now).await.expect("exchanged");
    assert_eq!(exchanged.outcomes.len(), batch.len());
    (exchanged.outcomes, exchanged.page)
}

/// One exchange, which appends nothing to the log unless the token was used before.
async fn ask(store: &dyn Store, request: &Exchange, now: Timestamp) -> ExchangeOutcome {
    let (mut outcomes, page) = run(store, std::slice::from_ref(request), now).await;
    let outcome = outcomes.pop().expect("an outcome");
    if !matches!(outcome, ExchangeOutcome::Reused(_)) {
        assert!(page.entries.is_empty() && page.after == page.through, "the head stays");
    }
    outcome
}

async fn rotates(store: &dyn Store, request: &Exchange, now: Timestamp) -> Session {
    match ask(store, request, now).await {
        ExchangeOutcome::Rotated(session) => session,
        other => panic!("{other:?}"),
    }
}

async fn is_same(store: &dyn Store, request: &Exchange, now: Timestamp, expect: TokenHash) {
    match ask(store, request, now).await {
        ExchangeOutcome::Same { successor, sealed: kept, .. } => {
            assert_eq!((successor, kept), (expect, sealed(&expect)));
        }
        other => panic!("{other:?}"),
    }
}

async fn is_reuse(store: &dyn Store, request: &Exchange, now: Timestamp) {
    let outcome = ask(store, request, now).await;
    assert!(matches!(outcome, ExchangeOutcome::Reused(_)), "{outcome:?}");
}

/// The current token becomes the previous one, its successor the current one; the session counts as used, and its absolute
/// end stays.
pub async fn an_exchange_rotates(store: &dyn Store) {
    let created = create_family(store, &session("alice"), 1).await;
    let other = create_family(store, &session("bob"), 2).await;
    let rotated = rotates(store, &exchange(1, 0, 1), at(50)).await;
    let expect = Session { last_seen_at: at(50), idle_expires_at: at(900), ..created.clone() };
    assert_eq!(rotated, expect);
    assert_eq!(load(store, &created.id, at(899)).await, Some(expect.clone()));
    assert_eq!(load(store, &other.id, at(99)).await, Some(other), "a neighbour is as it was");

    let later = Exchange { idle_expires_at: at(9_999), ..exchange(1, 1, 2) };
    let rotated = rotates(store, &later, at(850)).await;
    assert_eq!((rotated.idle_expires_at, rotated.expires_at), (at(1_000), at(1_000)), "no exchange outlives the end");
    let last = at(1_000).saturating_sub(Duration::from_micros(1));
    rotates(store, &Exchange { idle_expires_at: at(9_999), ..exchange(1, 2, 3) }, last).await;
    assert_eq!(ask(store, &exchange(1, 3, 4), at(1_000)).await, ExchangeOutcome::Gone);
    let found = store.find_by_family(&family(1)).await.expect("found").expect("dead or alive");
    assert_eq!(found.id, created.id);
    assert_eq!(store.find_by_family(&family(9)).await.expect("found"), None);
    assert_eq!(store.find_by_family(&token(1, 3)).await.expect("found"), None, "a token is no family");
    assert!(store.find_by_token(&token(1, 3)).await.expect("found").is_none(), "and opens nothing by itself");
}

/// Whoever presents the token that was just exchanged gets the successor that it was exchanged for: until the grace is
/// over, to the microsecond. Then it is theft.
pub async fn the_grace_gives_the_same_successor(store: &dyn Store) {
    let micro = Duration::from_micros(1);
    let created = create_family(store, &session("alice"), 1).await;
    rotates(store, &exchange(1, 0, 1), at(50)).await;
    let before = load(store, &created.id, at(55)).await;
    is_same(store, &exchange(1, 0, 2), at(50), token(1, 1)).await;
    is_same(store, &exchange(1, 0, 3), at(55), token(1, 1)).await;
    is_same(store, &strict(1, 0, 4), at(60).saturating_sub(micro), token(1, 1)).await;
    assert_eq!(load(store, &created.id, at(55)).await, before, "nothing was written");
    rotates(store, &exchange(1, 1, 2), at(60).saturating_sub(micro)).await;
    is_same(store, &exchange(1, 1, 3), at(69), token(1, 2)).await;
    // The grace is of the last exchange: the one before that is over, however short ago.
    is_reuse(store, &exchange(1, 0, 3), at(60).saturating_sub(micro)).await;

    create_family(store, &session("alice"), 2).await;
    rotates(store, &exchange(2, 0, 1), at(50)).await;
    is_reuse(store, &exchange(2, 0, 2), at(60)).await;
    create_family(store, &session("alice"), 3).await;
    rotates(store, &strict(3, 0, 1), at(50)).await;
    is_reuse(store, &exchange(3, 0, 2), at(50)).await;
}

/// A token that was used before, however long ago, destroys, revokes and records, all at once, and once.
pub async fn a_used_token_ends_its_session(store: &dyn Store) {
    const GENERATIONS: u8 = 5;
    // The last one never was a token of the family at all.
    for used in (0..GENERATIONS).chain([200]) {
        let n = used.wrapping_add(1);
        let created = create_family(store, &session("alice"), n).await;
        let bystander = create(store, &session("alice"), Some(&hash(n))).await;
        for generation in 0..GENERATIONS {
            rotates(store, &exchange(n, generation, generation + 1), at(i64::from(generation))).await;
        }
        let late = at(90);
        let request = exchange(n, used, 100);
        let (outcomes, page) = run(store, std::slice::from_ref(&request), late).await;
        let ExchangeOutcome::Reused(ended) = &outcomes[0] else { panic!("{outcomes:?}") };
        assert_eq!((ended.id, &ended.subject, ended.data.len()), (created.id, &created.subject, 0));
        assert_eq!(page.entries.len(), 1);
        assert_eq!(page.entries[0].scope(), Scope::Session(created.id.as_bytes()));
        assert_eq!(page.entries[0].expires_at(), at(1_060), "the session's absolute end and the margin");
        assert_eq!(page.entries[0].position(), page.through);
        let log = store.log_after(page.after, 10).await.expect("read");
        assert_eq!((log.page.entries, log.head), (page.entries, page.through));
        assert_eq!(load(store, &created.id, late).await, None);
        assert!(load(store, &bystander.id, late).await.is_some(), "another session of the same person lives");

        let trail = store.audit_trail(&subject("alice"), 1).await.expect("read");
        assert_eq!(trail[0].kind, AuditKind::RefreshReused);
        assert_eq!((trail[0].reason, &trail[0].actor), (Some(Reason::RefreshReused), &Actor::System));
        assert_eq!((trail[0].logout, trail[0].at), (Some(request.id), late));
        assert_eq!((trail[0].session.clone(), &trail[0].context), (Some(created.id.fingerprint()), &request.context));
        let records = store.audit_trail(&subject("alice"), 100).await.expect("read").len();

        for presented in (0..=GENERATIONS).chain([used, 100, 201]) {
            assert_eq!(ask(store, &exchange(n, presented, 101), late).await, ExchangeOutcome::Gone);
        }
        let after = store.audit_trail(&subject("alice"), 100).await.expect("read").len();
        assert_eq!(after, records, "what is presented afterwards leaves no record");
        let outcome = store.sign_off(&[one(created.id)], late).await.expect("signed off").outcomes[0];
        assert_eq!(outcome, Outcome { destroyed: 0, gone: 1, unknown: 0 });
    }
    assert_eq!(ask(store, &exchange(99, 0, 1), at(1)).await, ExchangeOutcome::Unknown);
}

/// Several requests in one call are as if made one after the other; the fault of one is not its neighbours'.
pub async fn exchanges_are_one_batch(store: &dyn Store) {
    for n in 1..=4 {
        create_family(store, &session("alice"), n).await;
    }
    let dead = create_family(store, &session("alice"), 5).await;
    store.sign_off(&[one(dead.id)], at(1)).await.expect("signed off");
    let batch = [
        exchange(1, 0, 1),
        exchange(9, 0, 1),
        exchange(1, 0, 2),
        exchange(5, 0, 1),
        strict(2, 0, 1),
        strict(2, 0, 2),
        strict(2, 1, 2),
        exchange(3, 0, 1),
        exchange(3, 1, 2),
        exchange(1, 1, 3),
        exchange(3, 0, 3),
        exchange(4, 0, 1),
    ];
    let (outcomes, page) = run(store, &batch, at(50)).await;
    let words: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            ExchangeOutcome::Gone => "gone",
            ExchangeOutcome::Reused(_) => "reused",
            ExchangeOutcome::Rotated(_) => "rotated",
            ExchangeOutcome::Same { successor, .. } if *successor == token(1, 1) => "same",
            ExchangeOutcome::Same { .. } => "another",
            ExchangeOutcome::Unknown => "unknown",
        })
        .collect();
    let expect = [
        "rotated", "unknown", "same", "gone", "rotated", "reused", "gone", "rotated", "rotated", "rotated", "reused",
        "rotated",
    ];
    assert_eq!(words, expect);
    let positions: Vec<_> = page.entries.iter().map(|entry| entry.position()).collect();
    assert_eq!(positions.len(), 2, "two sessions were ended");
    assert!(page.after < positions[0] && positions[0] < positions[1] && positions[1] == page.through);
    for (n, current) in [(1, 3), (4, 1)] {
        rotates(store, &exchange(n, current, 50), at(51)).await;
    }
    assert_eq!(run(store, &[], at(51)).await.0, []);
}

/// After a sign-off, of whatever target, and after the end of a session, no token of it is exchanged, and nothing happens.
pub async fn no_exchange_after_the_end(store: &dyn Store) {
    type End = fn(SessionId) -> SignOff;
    let ends: [End; 4] =
        [|id| one(id), |_| everywhere("alice", None), |_| scope(Scope::Client("app")), |_| scope(Scope::Everything)];
    for (n, end) in ends.into_iter().enumerate() {
        let n = n as u8 + 1;
        let created = create_family(store, &session("alice"), n).await;
        let elsewhere = Session { client_id: crate::ClientId::new("elsewhere").expect("good"), ..session("bob") };
        create_family(store, &elsewhere, n + 100).await;
        rotates(store, &exchange(n, 0, 1), at(2)).await;
        store.sign_off(&[end(created.id)], at(2)).await.expect("signed off");
        let records = store.audit_trail(&subject("alice"), 100).await.expect("read").len();
        // The current one, the previous one within its grace, and one that was never given out.
        for presented in [1, 0, 77] {
            assert_eq!(ask(store, &exchange(n, presented, 9), at(3)).await, ExchangeOutcome::Gone);
        }
        let after = store.audit_trail(&subject("alice"), 100).await.expect("read").len();
        assert_eq!(after, records, "a refused exchange leaves no record");
        let other = ask(store, &exchange(n + 100, 0, 1), at(3)).await;
        assert_eq!(matches!(other, ExchangeOutcome::Rotated(_)), n != 4, "others live on");
        // A session that was born afterwards is not cut off.
        create_family(store, &session("alice"), n + 50).await;
        rotates(store, &exchange(n + 50, 0, 1), at(3)).await;
    }

    for (n, now) in [(11, at(100)), (12, at(1_000)), (13, at(5_000))] {
        let created = create_family(store, &session("carol"), n).await;
        assert_eq!(ask(store, &exchange(n, 0, 1), now).await, ExchangeOutcome::Gone);
        assert_eq!(ask(store, &exchange(n, 77, 1), now).await, ExchangeOutcome::Gone);
        let outcome = store.sign_off(&[one(created.id)], now).await.expect("signed off").outcomes[0];
        assert_eq!(outcome.destroyed, 1, "what is expired is not destroyed by an exchange");
    }
    let spared = create_family(store, &session("dora"), 21).await;
    let other = create_family(store, &session("dora"), 22).await;
    store.sign_off(&[everywhere("dora", Some(spared.id))], at(1)).await.expect("signed off");
    rotates(store, &exchange(21, 0, 1), at(2)).await;
    assert_eq!(ask(store, &exchange(22, 0, 1), at(2)).await, ExchangeOutcome::Gone);
    assert_eq!(load(store, &other.id, at(2)).await, None);
}

/// A request that is repeated gets the outcome of the first time and changes nothing.
pub async fn a_repeated_exchange_happened_once(store: &dyn Store) {
    let created = create_family(store, &session("alice"), 1).await;
    let request = exchange(1, 0, 1);
    let first = rotates(store, &request, at(10)).await;
    assert_eq!(rotates(store, &request, at(70)).await, first, "not even after the grace is it theft");
    let next = exchange(1, 1, 2);
    rotates(store, &next, at(71)).await;
    rotates(store, &request, at(72)).await;
    rotates(store, &exchange(1, 2, 3), at(73)).await;

    let used = exchange(1, 0, 4);
    is_reuse(store, &used, at(80)).await;
    let head = store.log_after(Position::ZERO, 10).await.expect("read").head;
    let records = store.audit_trail(&subject("alice"), 100).await.expect("read").len();
    for _ in 0..2 {
        let (outcomes, page) = run(store, std::slice::from_ref(&used), at(81)).await;
        assert!(matches!(&outcomes[0], ExchangeOutcome::Reused(ended) if ended.id == created.id), "{outcomes:?}");
        assert!(page.entries.is_empty() && page.through == head);
    }
    assert_eq!(store.audit_trail(&subject("alice"), 100).await.expect("read").len(), records);
    assert_eq!(ask(store, &next, at(81)).await, ExchangeOutcome::Gone, "the session ended since");

    let ended = create_family(store, &session("bob"), 2).await;
    let request = exchange(2, 0, 1);
    rotates(store, &request, at(10)).await;
    store.sign_off(&[one(ended.id)], at(11)).await.expect("signed off");
    assert_eq!(ask(store, &request, at(11)).await, ExchangeOutcome::Gone, "nothing succeeds after a logout");
}

/// A second family under the same key is a conflict, dead or alive, and changes nothing.
pub async fn families_are_never_overwritten(store: &dyn Store) {
    let owner = create_family(store, &session("alice"), 1).await;
    for round in 0..2 {
        let mallory = session("mallory");
        let refresh = NewFamily { family: family(1), token: token(7, 7) };
        let request = NewSession { refresh: Some(refresh), ..new(&mallory, None) };
        refuses(store, request, at(1), CreateOutcome::Conflict).await;
        assert_eq!(load(store, &mallory.id, at(1)).await, None, "a refused session left a row");
        if round == 0 {
            rotates(store, &exchange(1, 0, 1), at(2)).await;
            store.sign_off(&[one(owner.id)], at(2)).await.expect("signed off");
        }
    }
    let refused = Session { id: owner.id, ..session("mallory") };
    let request = NewSession { refresh: Some(first(2)), ..new(&refused, None) };
    refuses(store, request, at(3), CreateOutcome::Conflict).await;
    assert_eq!(store.find_by_family(&family(2)).await.expect("found"), None, "a refused session left a family");
}

/// Families are purged with their sessions, and sealed successors when their grace is long over.
pub async fn purge_takes_families_along(store: &dyn Store) {
    for n in 1..=3 {
        let dead = create_family(store, &session("alice"), n).await;
        rotates(store, &exchange(n, 0, 1), at(1)).await;
        store.sign_off(&[one(dead.id)], at(2)).await.expect("signed off");
    }
    for n in 11..=13 {
        create_family(store, &Session { expires_at: at(9_000), ..session("bob") }, n).await;
        rotates(store, &exchange(n, 0, 1), at(100 - i64::from(n))).await;
    }
    let forgotten = Purged { successors: 3, ..Purged::default() };
    assert_eq!(store.purge(at(89), 10).await.expect("purged"), forgotten, "those of the dead");
    is_same(store, &exchange(12, 0, 9), at(95), token(12, 1)).await;
    // The graces end at 99, 98 and 97. A clock that is behind meets what a purge has forgotten: used before.
    assert_eq!(store.purge(at(97), 10).await.expect("purged").successors, 1);
    is_reuse(store, &exchange(13, 0, 9), at(90)).await;
    is_same(store, &exchange(12, 0, 9), at(90), token(12, 1)).await;
    assert_eq!(store.purge(at(99), 10).await.expect("purged").successors, 2);
    is_reuse(store, &exchange(11, 0, 9), at(90)).await;
    rotates(store, &exchange(12, 1, 2), at(100)).await;

    assert_eq!(store.purge(at(1_000), 2).await.expect("purged").sessions, 2);
    assert_eq!(store.purge(at(1_000), 2).await.expect("purged").sessions, 1);
    for n in 1..=3 {
        assert_eq!(store.find_by_family(&family(n)).await.expect("found"), None);
        assert_eq!(ask(store, &exchange(n, 1, 2), at(3)).await, ExchangeOutcome::Unknown);
    }
    assert!(store.find_by_family(&family(12)).await.expect("found").is_some());
    assert_eq!(load(store, &id(), at(3)).await, None);
}
