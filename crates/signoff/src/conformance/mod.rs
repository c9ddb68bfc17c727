//! The suite that every store must pass: one function per contract of [`Store`], plain and asynchronous.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! signoff::conformance::run(async || signoff::MemoryStore::new()).await;
//! # }
//! ```
//!
//! Every function wants an empty store and panics where the contract is broken.

#![expect(clippy::panic, reason = "a suite fails by panicking")]

mod creates;
mod elsewhere;
mod exchange_model;
mod exchanges;
mod key_ring;
mod log;
mod model;
mod nodes;
mod races;
mod sessions;

use std::time::Duration;

use crate::audit::{AuditEvent, AuditKind, Cause, Context};
use crate::store::{CreateOutcome, CreatedSessions, NewSession, Scope, SessionTarget, SignOff, Target, Touch};
use crate::time::Timestamp;
use crate::{Actor, ClientId, LogoutId, Position, Session, SessionId, Store, Subject, TokenHash};

pub use creates::{
    a_replacement_is_one_transaction, a_replacement_needs_a_live_session, concurrent_replacements_have_one_heir,
    creates_are_one_batch, replacements_never_outlive_a_sign_off,
};
pub use elsewhere::{
    attempts_are_counted_once, concurrent_attempts_exclude_each_other, every_end_makes_intents,
    intents_come_back_as_they_went, many_intents_are_found_by_pages, purge_keeps_the_unsettled,
    the_expired_are_due_at_their_end,
};
pub use exchange_model::{
    concurrent_exchanges_have_one_successor, exchanges_follow_the_model, exchanges_never_outlive_a_sign_off,
};
pub use exchanges::{
    a_repeated_exchange_happened_once, a_used_token_ends_its_session, an_exchange_rotates, exchanges_are_one_batch,
    families_are_never_overwritten, no_exchange_after_the_end, purge_takes_families_along,
    the_grace_gives_the_same_successor,
};
pub use key_ring::{concurrent_ring_savers_lose_nothing, the_key_ring_compares_versions};
pub use log::{
    a_page_ends_where_it_says, a_scope_is_one_entry, positions_grow_whatever_the_clock_does, purge_keeps_the_living,
    sign_off_is_one_batch, terms_never_shrink, the_log_has_what_a_group_was_told, the_log_is_complete_and_ordered,
    wide_revocations_cut_sessions_off,
};
pub use model::{Lives, Seen, lives_follow_the_model};
pub use nodes::{a_row_is_renewed_and_never_made_by_it, only_what_was_seen_is_expelled, those_behind_are_found};
pub use races::{
    concurrent_creates_conflict, concurrent_sign_offs_destroy_once, concurrent_updates_lose_nothing,
    updates_never_revive,
};
pub use sessions::{
    create_never_overwrites, destroyed_is_gone_for_good, expiry_hides_a_session, listing_pages_by_id,
    lookups_compare_bytes, records_are_written_with_the_change, sessions_come_back_as_they_went,
    touch_moves_the_idle_end, touches_are_one_batch, update_compares_versions,
};

/// Runs the whole suite, each contract on a store of its own.
pub async fn run<S: Store>(mut empty: impl AsyncFnMut() -> S) {
    create_never_overwrites(&empty().await).await;
    sessions_come_back_as_they_went(&empty().await).await;
    lookups_compare_bytes(&empty().await).await;
    expiry_hides_a_session(&empty().await).await;
    update_compares_versions(&empty().await).await;
    touch_moves_the_idle_end(&empty().await).await;
    touches_are_one_batch(&empty().await).await;
    creates_are_one_batch(&empty().await).await;
    a_replacement_is_one_transaction(&empty().await).await;
    a_replacement_needs_a_live_session(&empty().await).await;
    destroyed_is_gone_for_good(&empty().await).await;
    listing_pages_by_id(&empty().await).await;
    records_are_written_with_the_change(&empty().await).await;
    terms_never_shrink(&empty().await).await;
    positions_grow_whatever_the_clock_does(&empty().await).await;
    the_log_is_complete_and_ordered(&empty().await).await;
    a_page_ends_where_it_says(&empty().await).await;
    sign_off_is_one_batch(&empty().await).await;
    the_log_has_what_a_group_was_told(&empty().await).await;
    a_scope_is_one_entry(&empty().await).await;
    wide_revocations_cut_sessions_off(&empty().await).await;
    purge_keeps_the_living(&empty().await).await;
    concurrent_creates_conflict(&empty().await).await;
    concurrent_replacements_have_one_heir(&empty().await).await;
    replacements_never_outlive_a_sign_off(&empty().await).await;
    concurrent_updates_lose_nothing(&empty().await).await;
    concurrent_sign_offs_destroy_once(&empty().await).await;
    updates_never_revive(&empty().await).await;
    an_exchange_rotates(&empty().await).await;
    the_grace_gives_the_same_successor(&empty().await).await;
    a_used_token_ends_its_session(&empty().await).await;
    exchanges_are_one_batch(&empty().await).await;
    no_exchange_after_the_end(&empty().await).await;
    a_repeated_exchange_happened_once(&empty().await).await;
    families_are_never_overwritten(&empty().await).await;
    purge_takes_families_along(&empty().await).await;
    concurrent_exchanges_have_one_successor(&empty().await).await;
    exchanges_never_outlive_a_sign_off(&empty().await).await;
    exchanges_follow_the_model(&empty().await).await;
    intents_come_back_as_they_went(&empty().await).await;
    every_end_makes_intents(&empty().await).await;
    the_expired_are_due_at_their_end(&empty().await).await;
    attempts_are_counted_once(&empty().await).await;
    purge_keeps_the_unsettled(&empty().await).await;
    many_intents_are_found_by_pages(&empty().await).await;
    concurrent_attempts_exclude_each_other(&empty().await).await;
    the_key_ring_compares_versions(&empty().await).await;
    concurrent_ring_savers_lose_nothing(&empty().await).await;
}

/// Runs what stores that nodes share ([`Store::nodes`]) must pass besides, each contract on a store of its own.
pub async fn run_nodes<S: Store>(mut empty: impl AsyncFnMut() -> S) {
    a_row_is_renewed_and_never_made_by_it(&empty().await).await;
    those_behind_are_found(&empty().await).await;
    only_what_was_seen_is_expelled(&empty().await).await;
}

/// A time in the middle of nowhere; stores have no clock.
fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_000_000 + secs).expect("a small time")
}

fn subject(name: &str) -> Subject {
    Subject::new(name).expect("a good subject")
}

fn id() -> SessionId {
    SessionId::generate(at(0)).expect("random numbers")
}

fn hash(n: u8) -> TokenHash {
    TokenHash::from_bytes([n; 32])
}

/// A session of `owner` from second 0: idle end at 100, absolute end at 1,000.
fn session(owner: &str) -> Session {
    Session {
        id: id(),
        subject: subject(owner),
        client_id: ClientId::new("app").expect("a good client id"),
        born: Position::ZERO,
        created_at: at(0),
        authenticated_at: at(0),
        last_seen_at: at(0),
        idle_expires_at: at(100),
        expires_at: at(1_000),
        scope: None,
        claims: None,
        data: b"data".to_vec(),
        version: 1,
        device: None,
        context: Context::new(),
        elsewhere: Vec::new(),
    }
}

fn login(session: &Session) -> AuditEvent {
    AuditEvent {
        at: session.created_at,
        kind: AuditKind::LoggedIn,
        subject: Some(session.subject.clone()),
        actor: Actor::Subject,
        reason: None,
        session: Some(session.id.fingerprint()),
        logout: None,
        detail: None,
        context: session.context.clone(),
    }
}

async fn create(store: &dyn Store, session: &Session, token: Option<&TokenHash>) -> Session {
    let created = run_creates(store, &[new(session, token)], session.created_at).await;
    let page = &created.page;
    assert!(page.entries.is_empty() && page.after < page.through, "a birth moves the head and revokes nothing");
    assert_eq!(created.outcomes, [CreateOutcome::Created(page.through)]);
    Session { born: page.through, ..session.clone() }
}

fn new(session: &Session, token: Option<&TokenHash>) -> NewSession {
    let (session, audit) = (session.clone(), login(session));
    NewSession { session, token: token.copied(), refresh: None, audit, replaces: None }
}

async fn run_creates(store: &dyn Store, batch: &[NewSession], now: Timestamp) -> CreatedSessions {
    let created = store.create_sessions(batch, now).await.expect("answered");
    assert_eq!(created.outcomes.len(), batch.len());
    created
}

/// Asks for a session that must be refused, which leaves the head where it is.
async fn refuses(store: &dyn Store, request: NewSession, now: Timestamp, expect: CreateOutcome) {
    let created = run_creates(store, &[request], now).await;
    assert_eq!(created.outcomes, [expect]);
    assert!(created.page.entries.is_empty() && created.page.after == created.page.through, "nothing happened");
}

async fn touch(store: &dyn Store, id: &SessionId, idle_expires_at: Timestamp, now: Timestamp) -> Option<Session> {
    let mut touched = store.touch_sessions(&[Touch { id: *id, idle_expires_at }], now).await.expect("answered");
    assert_eq!(touched.len(), 1);
    touched.pop().expect("an answer")
}

async fn load(store: &dyn Store, id: &SessionId, now: Timestamp) -> Option<Session> {
    store.load_session(crate::store::SessionKey::Id(id), now).await.expect("loaded")
}

fn sign_off(target: Target) -> SignOff {
    let id = LogoutId::generate().expect("random numbers");
    SignOff { id, target, cause: Cause::logout(), margin: Duration::from_secs(60) }
}

fn one(id: SessionId) -> SignOff {
    sign_off(Target::Sessions(vec![SessionTarget { id, revoke_unknown_until: None }]))
}

fn everywhere(owner: &str, except: Option<SessionId>) -> SignOff {
    sign_off(Target::Subject { subject: subject(owner), except, revoke_until: at(5_000) })
}

fn scope(scope: Scope<'_>) -> SignOff {
    sign_off(Target::Scope { revocation: scope.into(), revoke_until: at(5_000) })
}
