//! Contracts of creating sessions in batches, and in the place of others.

use std::pin::Pin;
use std::time::Duration;

use super::exchanges::{exchange, first, run};
use super::races::all;
use super::{
    at, create, everywhere, hash, id, load, new, one, refuses, run_creates, scope, session, sign_off, subject, touch,
};
use crate::audit::{AuditKind, Cause, Reason};
use crate::store::{
    CreateOutcome, ExchangeOutcome, NewSession, Outcome, Replace, Scope, SessionKey, SessionTarget, SignOff, Target,
};
use crate::{Actor, LogoutId, Position, Session, SessionId, Store, TokenHash, Update};

/// A session of `owner` in the place of `old`, with a margin of a minute.
pub(super) fn heir(owner: &str, old: SessionId, token: Option<&TokenHash>) -> NewSession {
    let cause = Cause::new(Actor::Subject, Reason::Replaced);
    let logout = LogoutId::generate().expect("random numbers");
    let replace = Replace { id: old, version: None, logout, cause, margin: Duration::from_secs(60) };
    NewSession { replaces: Some(replace), ..new(&session(owner), token) }
}

fn from_version(version: u64, request: NewSession) -> NewSession {
    let replaces = request.replaces.map(|replace| Replace { version: Some(version), ..replace });
    NewSession { replaces, ..request }
}

fn born(outcome: CreateOutcome) -> Option<Position> {
    match outcome {
        CreateOutcome::Created(born) => Some(born),
        _ => None,
    }
}

/// Each request of a batch has an outcome of its own, as if they had come one after the other; positions grow across it.
pub async fn creates_are_one_batch(store: &dyn Store) {
    assert_eq!(run_creates(store, &[], at(0)).await.page.through, Position::ZERO);
    let old = create(store, &session("alice"), Some(&hash(1))).await;
    let dead = create(store, &session("alice"), None).await;
    store.sign_off(&[one(dead.id)], at(0)).await.expect("signed off");
    let plain = new(&session("bob"), Some(&hash(2)));
    let same_id = new(&Session { id: plain.session.id, ..session("mallory") }, Some(&hash(3)));
    let same_token = new(&session("mallory"), Some(&hash(2)));
    let same_family = |owner| NewSession { refresh: Some(first(1)), ..new(&session(owner), None) };
    let batch = [
        plain.clone(),
        same_id.clone(),
        same_token.clone(),
        heir("alice", old.id, Some(&hash(4))),
        // Its place is taken, and the one that took it was not there before.
        heir("mallory", old.id, Some(&hash(5))),
        same_family("carol"),
        same_family("mallory"),
        new(&session("mallory"), Some(&hash(1))),
        heir("mallory", dead.id, None),
        heir("mallory", plain.session.id, None),
        from_version(2, heir("mallory", id(), None)),
        // What was refused left nothing in the way.
        new(&session("dave"), Some(&hash(3))),
        new(&session("dave"), Some(&hash(5))),
    ];
    let head = store.log_after(Position::ZERO, 10).await.expect("read").head;
    let created = run_creates(store, &batch, at(1)).await;
    let born: Vec<_> = created.outcomes.iter().filter_map(|outcome| born(*outcome)).collect();
    assert_eq!(born.len(), 5);
    let refused: Vec<_> =
        created.outcomes.iter().filter(|outcome| !matches!(outcome, CreateOutcome::Created(_))).collect();
    let (conflict, gone) = (&CreateOutcome::Conflict, &CreateOutcome::Gone);
    assert_eq!(refused, [conflict, conflict, gone, conflict, conflict, gone, gone, gone]);
    let next = |position: Position| Position::new(position.get() + 1).expect("a position");
    // One of alice's old session between the first and the second birth.
    let revoked = next(born[0]);
    assert_eq!(born, [born[0], next(revoked), next(next(revoked)), next(next(next(revoked))), created.page.through]);
    assert_eq!((created.page.after, created.page.entries.len()), (head, 1));
    assert_eq!(created.page.entries[0].position(), revoked);
    assert_eq!(store.log_after(head, 10).await.expect("read").page, created.page);
    for (request, outcome) in batch.iter().zip(&created.outcomes) {
        let expect = match outcome {
            CreateOutcome::Created(born) => Some(Session { born: *born, ..request.session.clone() }),
            // The id is another's.
            CreateOutcome::Conflict if request.session.id == plain.session.id => continue,
            _ => None,
        };
        assert_eq!(load(store, &request.session.id, at(2)).await, expect);
    }
    let trail = store.audit_trail(&subject("mallory"), 10).await.expect("read");
    assert!(trail.is_empty(), "what did not happen leaves no record");
    let by_token = store.load_session(SessionKey::Token(&hash(5)), at(2)).await.expect("loaded").expect("live");
    assert_eq!(by_token.subject, subject("dave"));
}

/// The old session is destroyed, revoked and recorded before the new one is born; its tokens and families end with it.
pub async fn a_replacement_is_one_transaction(store: &dyn Store) {
    let old = Session { expires_at: at(700), claims: Some("{}".into()), ..session("alice") };
    let request = NewSession { refresh: Some(first(1)), ..new(&old, Some(&hash(1))) };
    let old = Session { born: run_creates(store, &[request], at(0)).await.page.through, ..old };
    assert_eq!(store.update_session(&old.id, 1, b"two", at(1)).await.expect("answered"), Update::Saved(2));
    let request = NewSession { refresh: Some(first(2)), ..heir("bob", old.id, Some(&hash(2))) };
    let created = run_creates(store, &[from_version(2, request.clone())], at(3)).await;
    let [entry] = created.page.entries.as_slice() else { panic!("one entry: {:?}", created.page) };
    assert_eq!((entry.scope(), entry.expires_at()), (Scope::Session(old.id.as_bytes()), at(760)));
    assert!(created.page.after < entry.position() && entry.position() < created.page.through);
    assert_eq!(created.outcomes, [CreateOutcome::Created(created.page.through)]);

    assert_eq!(load(store, &old.id, at(3)).await, None);
    assert_eq!(touch(store, &old.id, at(500), at(3)).await, None);
    assert_eq!(store.update_session(&old.id, 2, b"late", at(3)).await.expect("answered"), Update::Gone);
    let tombstone = store.find_by_token(&hash(1)).await.expect("found").expect("kept until purged");
    assert!(tombstone.data.is_empty() && tombstone.claims.is_none());
    assert_eq!(run(store, &[exchange(1, 0, 1)], at(3)).await.0, [ExchangeOutcome::Gone]);
    let again = store.sign_off(&[one(old.id)], at(4)).await.expect("signed off");
    assert_eq!(again.outcomes, [Outcome { destroyed: 0, gone: 1, unknown: 0 }]);

    let expect = Session { born: created.page.through, version: 1, ..request.session.clone() };
    assert_eq!(load(store, &expect.id, at(4)).await, Some(expect.clone()));
    assert_eq!(store.find_by_token(&hash(2)).await.expect("found"), Some(expect));
    assert!(matches!(run(store, &[exchange(2, 0, 1)], at(4)).await.0[0], ExchangeOutcome::Rotated(_)));
    let trail = store.audit_trail(&subject("alice"), 10).await.expect("read");
    assert_eq!(trail.len(), 2);
    assert_eq!((trail[0].kind, trail[0].reason, trail[0].at), (AuditKind::LoggedOut, Some(Reason::Replaced), at(3)));
    assert_eq!(trail[0].logout, request.replaces.map(|replace| replace.logout));
    assert_eq!(store.audit_trail(&subject("bob"), 10).await.expect("read").len(), 1);
}

/// Who is not live has no heir, nor who changed since; nothing is created then, and nothing ends.
pub async fn a_replacement_needs_a_live_session(store: &dyn Store) {
    let expired = create(store, &session("alice"), None).await;
    refuses(store, heir("alice", expired.id, Some(&hash(9))), at(100), CreateOutcome::Gone).await;
    refuses(store, heir("alice", id(), Some(&hash(9))), at(1), CreateOutcome::Gone).await;
    let live = create(store, &session("bob"), Some(&hash(1))).await;
    assert_eq!(store.update_session(&live.id, 1, b"two", at(1)).await.expect("answered"), Update::Saved(2));
    for version in [1, 3] {
        let request = from_version(version, heir("bob", live.id, Some(&hash(9))));
        refuses(store, request, at(1), CreateOutcome::Changed).await;
    }
    refuses(store, heir("bob", live.id, Some(&hash(1))), at(1), CreateOutcome::Conflict).await;
    let same_id = heir("bob", live.id, None);
    let same_id = NewSession { session: Session { id: live.id, ..same_id.session }, ..same_id };
    refuses(store, same_id, at(1), CreateOutcome::Conflict).await;
    assert_eq!(load(store, &live.id, at(1)).await.expect("alive still").version, 2);
    assert_eq!(store.find_by_token(&hash(9)).await.expect("found"), None);

    store.sign_off(&[one(live.id)], at(2)).await.expect("signed off");
    refuses(store, heir("bob", live.id, Some(&hash(9))), at(2), CreateOutcome::Gone).await;
    for (n, wide) in [Scope::Subject("carol"), Scope::Client("app"), Scope::Everything].into_iter().enumerate() {
        let cut_off = create(store, &session("carol"), None).await;
        refuses_nothing_else(store, wide, &cut_off, at(3 + n as i64)).await;
    }
    let trail = store.audit_trail(&subject("carol"), 10).await.expect("read");
    assert!(trail.iter().all(|event| event.kind == AuditKind::LoggedIn), "{trail:?}");
}

async fn refuses_nothing_else(store: &dyn Store, wide: Scope<'_>, cut_off: &Session, now: crate::time::Timestamp) {
    store.sign_off(&[scope(wide)], now).await.expect("signed off");
    refuses(store, heir("carol", cut_off.id, Some(&hash(9))), now, CreateOutcome::Gone).await;
}

/// Of many who take the place of one session, one does.
pub async fn concurrent_replacements_have_one_heir(store: &dyn Store) {
    for round in 0..10 {
        let old = create(store, &session("alice"), None).await;
        let requests: Vec<_> = (0..6).map(|_| heir("alice", old.id, None)).collect();
        // Some share a batch.
        let batches: Vec<_> = requests.chunks(1 + round % 3).collect();
        let results = all(batches.into_iter().map(|batch| run_creates(store, batch, at(1))).collect()).await;
        let outcomes: Vec<_> = results.iter().flat_map(|created| created.outcomes.iter().copied()).collect();
        let heirs: Vec<_> = requests.iter().zip(&outcomes).filter(|(_, outcome)| born(**outcome).is_some()).collect();
        assert_eq!(heirs.len(), 1);
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == CreateOutcome::Gone).count(), 5);
        let living = store.list_sessions(&subject("alice"), None, 10, at(1)).await.expect("listed");
        let living: Vec<_> = living.iter().map(|session| session.id).collect();
        assert_eq!(living, [heirs[0].0.session.id]);
        store.sign_off(&[everywhere("alice", None)], at(1)).await.expect("signed off");
    }
}

/// However a sign-off and a chain of replacements meet, nothing that comes from a session that it covers is live when it
/// has returned.
pub async fn replacements_never_outlive_a_sign_off(store: &dyn Store) {
    for round in 0..12 {
        let owner = format!("alice {round}");
        let spared = create(store, &session(&owner), None).await;
        let mut old = Vec::new();
        for _ in 0..4 {
            old.push(create(store, &session(&owner), None).await.id);
        }
        let owner = owner.as_str();
        let chain = |mut from: SessionId| async move {
            for _ in 0..5 {
                let next = heir(owner, from, None);
                match run_creates(store, std::slice::from_ref(&next), at(1)).await.outcomes[0] {
                    CreateOutcome::Created(_) => from = next.session.id,
                    CreateOutcome::Gone => return,
                    other => panic!("{other:?}"),
                }
            }
        };
        let (request, survivors): (SignOff, Vec<SessionId>) = match round % 4 {
            0 => (everywhere(owner, None), Vec::new()),
            1 => (everywhere(owner, Some(spared.id)), vec![spared.id]),
            2 => (scope(Scope::Client("app")), Vec::new()),
            _ => (scope(Scope::Everything), Vec::new()),
        };
        let logout = async move {
            store.sign_off(&[request], at(1)).await.expect("signed off");
            let living = store.list_sessions(&subject(owner), None, 10, at(1)).await.expect("listed");
            let living: Vec<_> = living.iter().map(|session| session.id).collect();
            assert_eq!(living, survivors, "round {round}");
        };
        let mut racers: Vec<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = vec![Box::pin(logout)];
        for id in old {
            racers.push(Box::pin(chain(id)));
        }
        // The logout meets the chains at another link each time.
        let place = round % racers.len();
        racers.swap(0, place);
        all(racers).await;
    }
    // By its own id the old session ends once; whose place was taken before is gone.
    let old = create(store, &session("bob"), None).await;
    let target = Target::Sessions(vec![SessionTarget { id: old.id, revoke_unknown_until: None }]);
    let (created, signed_off) = (heir("bob", old.id, None), sign_off(target));
    let replace = async move { run_creates(store, &[created], at(1)).await.outcomes[0] };
    let replaced: Pin<Box<dyn Future<Output = u64> + Send>> =
        Box::pin(async move { u64::from(born(replace.await).is_some()) });
    let ended =
        Box::pin(async move { store.sign_off(&[signed_off], at(1)).await.expect("signed off").outcomes[0].destroyed });
    assert_eq!(all(vec![replaced, ended]).await.iter().sum::<u64>(), 1);
}
