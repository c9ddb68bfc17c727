//! Refresh tokens on several nodes at once: once a logout has returned, no exchange of any node finds its session live.

use std::sync::Arc;
use std::time::Duration;

use signoff::audit::Context;
use signoff::store::{Exchange, ExchangeOutcome, NewFamily, NewSession, Scope, SealedSuccessor, SessionKey, Target};
use signoff::{ClientId, LogoutId, Position, Session, SessionId, Store, Subject, TokenHash};

use crate::ordering::{add, at, end, login, sign_off};
use crate::service::Database;

/// The hash of a token of the family `family`, or of the family itself.
pub(crate) fn hash(family: u8, generation: u8) -> TokenHash {
    let mut bytes = [generation; 32];
    bytes[0] = family;
    TokenHash::from_bytes(bytes)
}

pub(crate) fn exchange(family: u8, presented: u8, successor: u8) -> Exchange {
    Exchange {
        id: LogoutId::generate().unwrap(),
        family: hash(family, 255),
        presented: hash(family, presented),
        successor: hash(family, successor),
        sealed: SealedSuccessor::new(vec![successor; 64]),
        grace: Duration::from_secs(10),
        idle_expires_at: at(9_000),
        margin: Duration::from_secs(60),
        context: Context::new(),
    }
}

/// A session of this person, whose first refresh token is of generation 0.
pub(crate) async fn log_in(store: &dyn Store, owner: &str, family: u8) -> SessionId {
    let session = Session {
        id: SessionId::generate(at(0)).unwrap(),
        subject: Subject::new(owner).unwrap(),
        client_id: ClientId::new("app").unwrap(),
        born: Position::ZERO,
        created_at: at(0),
        authenticated_at: at(0),
        last_seen_at: at(0),
        idle_expires_at: at(9_000),
        expires_at: at(9_000),
        scope: None,
        claims: None,
        data: Vec::new(),
        version: 1,
        device: None,
        context: Context::new(),
        elsewhere: Vec::new(),
    };
    let id = session.id;
    let first = NewFamily { family: hash(family, 255), token: hash(family, 0) };
    let new = NewSession { session, token: None, refresh: Some(first), audit: login(owner), replaces: None };
    add(store, new).await;
    id
}

/// A login whose refresh token is exchanged once, for those who test something else at the same time.
pub(crate) async fn refresh_once(store: &dyn Store, family: u8) {
    log_in(store, "alice", family).await;
    let exchanged = store.exchange(&[exchange(family, 0, 1)], at(1)).await.unwrap();
    assert!(matches!(exchanged.outcomes[0], ExchangeOutcome::Rotated(_)), "{exchanged:?}");
}

/// Exchanges until the session is gone, and says what head each exchange that found it live has seen.
async fn exchange_until_gone(store: Arc<dyn Store>, family: u8) -> Vec<Position> {
    let mut heads = Vec::new();
    for generation in 0..254 {
        let request = [exchange(family, generation, generation + 1)];
        let exchanged = loop {
            match store.exchange(&request, at(1)).await {
                Ok(exchanged) => break exchanged,
                // A second deadlock in a row: nothing happened.
                Err(error) => assert_eq!(error.kind(), signoff::ErrorKind::Unavailable),
            }
        };
        match &exchanged.outcomes[0] {
            ExchangeOutcome::Rotated(_) => heads.push(exchanged.page.through),
            ExchangeOutcome::Gone => break,
            other => panic!("{other:?}"),
        }
    }
    heads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_that_finds_its_session_live_is_before_the_logout_of_another_node() {
    for database in Database::each() {
        let refreshing: Arc<dyn Store> = Arc::from(database.join().await.unwrap());
        let ending: Arc<dyn Store> = Arc::from(database.join().await.unwrap());
        let mut raced = 0;
        for round in 0..24 {
            let id = log_in(&*refreshing, "alice", round).await;
            let wide = |scope: Scope<'_>| Target::Scope { revocation: scope.into(), revoke_until: at(9_000) };
            let request = match round % 4 {
                0 => end(&[id]),
                1 => sign_off(Target::Subject {
                    subject: Subject::new("alice").unwrap(),
                    except: None,
                    revoke_until: at(9_000),
                }),
                // These touch no row of the session.
                2 => sign_off(wide(Scope::Client("app"))),
                _ => sign_off(wide(Scope::Everything)),
            };
            let refreshes = tokio::spawn(exchange_until_gone(Arc::clone(&refreshing), round));
            tokio::time::sleep(Duration::from_millis(u64::from(round) * 2)).await;
            let signed_off = ending.sign_off(&[request], at(1)).await.unwrap();
            let late = ending.exchange(&[exchange(round, 0, 254)], at(1)).await.unwrap();
            assert_eq!(late.outcomes, [ExchangeOutcome::Gone], "{database:?}, round {round}");
            let heads = refreshes.await.unwrap();
            let last = heads.iter().max();
            assert!(last.is_none_or(|head| *head < signed_off.page.through), "{database:?}, round {round}");
            raced += usize::from(!heads.is_empty());
        }
        assert!(raced > 12, "{database:?}: {raced} rounds had an exchange before the logout");
    }
}

/// Each finds a thief and rotates another family's token in the same transaction, the other one meanwhile the other way round:
/// none waits for the other for ever, and each session ends once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thieves_that_two_nodes_find_at_once_end_each_session_once() {
    const PEOPLE: u8 = 40;
    for database in Database::each() {
        let nodes: [Arc<dyn Store>; 2] =
            [Arc::from(database.join().await.unwrap()), Arc::from(database.join().await.unwrap())];
        let mut ids = Vec::new();
        for family in 0..PEOPLE {
            ids.push(log_in(&*nodes[0], "alice", family).await);
        }
        let searches = nodes.each_ref().map(|node| {
            let node = Arc::clone(node);
            tokio::spawn(async move {
                for family in 0..PEOPLE {
                    let other = (family + PEOPLE / 2) % PEOPLE;
                    let batch = [exchange(family, 9, 8), exchange(other, 0, 1)];
                    while let Err(error) = node.exchange(&batch, at(1)).await {
                        assert_eq!(error.kind(), signoff::ErrorKind::Unavailable, "a second deadlock in a row");
                    }
                }
            })
        });
        for search in searches {
            search.await.unwrap();
        }
        let log = nodes[0].log_after(Position::ZERO, 1_000).await.unwrap().page.entries;
        for id in &ids {
            let ends = log.iter().filter(|entry| entry.scope() == Scope::Session(id.as_bytes())).count();
            assert_eq!(ends, 1, "{database:?}");
            assert!(nodes[1].load_session(SessionKey::Id(id), at(2)).await.unwrap().is_none());
        }
        assert_eq!(log.len(), ids.len());
    }
}
