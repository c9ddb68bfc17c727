//! The store for tower-sessions, verb by verb, and what a `Signoff` does to its sessions.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use signoff::test_util::{FailingStore, Fault, ManualClock, Switch};
use signoff::time::Timestamp;
use signoff::{Actor, Cause, KeySet, MemoryStore, Reason, Scope, Settings, SigningKey, Signoff, Store, Subject};
use signoff_sqlx::SqliteStore;
use signoff_tower_sessions::TowerSessions;
use tower_sessions::session::{Id, Record};
use tower_sessions::{Expiry, Session, SessionStore};

fn user(data: &HashMap<String, Value>) -> Result<Option<Subject>, signoff::Error> {
    data.get("user").and_then(Value::as_str).map(Subject::new).transpose()
}

struct Shop {
    store: TowerSessions,
    signoff: Signoff,
    clock: ManualClock,
}

impl Shop {
    async fn open() -> Self {
        Self::open_on(MemoryStore::new()).await
    }

    async fn open_on(store: impl Store) -> Self {
        // tower-sessions reads the real clock for the ends of its records.
        let clock = ManualClock::new(Timestamp::from_secs(now().unix_timestamp()).unwrap());
        let keys = KeySet::new(SigningKey::generate().unwrap());
        let settings = Settings::new("https://shop.example", "https://shop.example");
        let signoff = Signoff::open_with_clock(store, keys, settings, Arc::new(clock.clone())).await.unwrap();
        Self { store: TowerSessions::new(signoff.clone(), user), signoff, clock }
    }

    /// A request's session.
    fn request(&self, id: Option<Id>) -> Session {
        Session::new(id, Arc::new(self.store.clone()), None)
    }

    async fn log_in(&self, name: &str) -> Id {
        let session = self.request(None);
        session.insert("user", name).await.unwrap();
        session.save().await.unwrap();
        session.id().unwrap()
    }

    async fn who(&self, id: Id) -> Option<String> {
        self.request(Some(id)).get("user").await.unwrap()
    }

    async fn devices(&self, name: &str) -> usize {
        self.signoff.sessions(&Subject::new(name).unwrap(), None).await.unwrap().len()
    }
}

fn now() -> time::OffsetDateTime {
    time::OffsetDateTime::now_utc()
}

fn failing() -> (FailingStore<MemoryStore>, Switch) {
    let store = FailingStore::new(MemoryStore::new());
    let switch = store.switch();
    (store, switch)
}

#[tokio::test]
async fn create_never_overwrites_and_draws_another_id() {
    let shop = Shop::open().await;
    let taken = shop.log_in("alice").await;
    let gone = shop.log_in("alice").await;
    shop.store.delete(&gone).await.unwrap();
    for id in [taken, gone] {
        let mut record = Record { id, data: HashMap::new(), expiry_date: now() + time::Duration::HOUR };
        shop.store.create(&mut record).await.unwrap();
        assert_ne!(record.id, id, "dead or alive");
        assert!(shop.store.load(&record.id).await.unwrap().is_some());
    }
    assert_eq!(shop.who(taken).await.as_deref(), Some("alice"));
    assert!(shop.store.load(&gone).await.unwrap().is_none());
}

#[tokio::test]
async fn a_record_comes_back_as_it_was_saved() {
    let shop = Shop::open().await;
    let id = shop.log_in("alice").await;
    let session = shop.request(Some(id));
    session.insert("cart", vec![1, 2]).await.unwrap();
    session.save().await.unwrap();
    let record = shop.store.load(&id).await.unwrap().unwrap();
    assert_eq!((record.id, record.data.get("cart")), (id, Some(&serde_json::json!([1, 2]))));
    let mut unmarked = shop.signoff.sessions(&Subject::new("alice").unwrap(), None).await.unwrap();
    let data = String::from_utf8(unmarked.remove(0).data).unwrap();
    assert!(data.contains(r#""cart":[1,2]"#) && !data.contains("signoff"), "{data}");
}

#[tokio::test]
async fn ended_in_any_way_it_neither_loads_nor_saves() {
    for way in ["deleted", "everywhere", "everything", "device", "idle", "layer's expiry"] {
        let shop = Shop::open().await;
        let id = shop.log_in("alice").await;
        let late = shop.request(Some(id));
        late.insert("cart", 1).await.unwrap();
        let alice = Subject::new("alice").unwrap();
        let cause = || Cause::new(Actor::System, Reason::Compromised);
        match way {
            "deleted" => shop.store.delete(&id).await.unwrap(),
            "everywhere" => drop(shop.signoff.revoke(Scope::Subject("alice"), cause()).await.unwrap()),
            "everything" => drop(shop.signoff.revoke(Scope::Everything, cause()).await.unwrap()),
            "device" => {
                let session = shop.signoff.sessions(&alice, None).await.unwrap().remove(0);
                let _ = shop.signoff.end_session(&alice, &session.id, cause()).await.unwrap().unwrap();
            }
            "idle" => shop.clock.advance(Duration::from_secs(30 * 60)),
            _ => {
                late.set_expiry(Some(Expiry::OnInactivity(time::Duration::MINUTE)));
                late.save().await.unwrap();
                shop.clock.advance(Duration::from_secs(65));
            }
        }
        assert!(late.save().await.is_err(), "{way}");
        assert!(shop.store.load(&id).await.unwrap().is_none(), "{way}");
        assert_eq!(shop.who(id).await, None, "{way}");
    }
}

#[tokio::test]
async fn everywhere_ends_the_sessions_of_one_person() {
    let shop = Shop::open().await;
    let (phone, laptop, bob) = (shop.log_in("alice").await, shop.log_in("alice").await, shop.log_in("bob").await);
    let visitor = shop.request(None);
    visitor.insert("cart", 1).await.unwrap();
    visitor.save().await.unwrap();
    let live = shop.store.live(phone).await.unwrap();
    assert_eq!(shop.signoff.log_out_others(&live, Cause::logout()).await.unwrap().destroyed, 1);
    assert_eq!((shop.who(phone).await.is_some(), shop.who(laptop).await), (true, None));
    let ended = shop.signoff.revoke(Scope::Subject("alice"), Cause::logout()).await.unwrap();
    assert_eq!((ended.destroyed, shop.who(phone).await), (1, None));
    assert_eq!(shop.who(bob).await.as_deref(), Some("bob"));
    assert_eq!(shop.request(visitor.id()).get::<u8>("cart").await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_session_stays_with_its_subject() {
    let shop = Shop::open().await;
    let visitor = shop.request(None);
    visitor.insert("cart", 1).await.unwrap();
    visitor.save().await.unwrap();
    let planted = visitor.id().unwrap();

    // Logging in without another id: whoever planted the old one would be logged in as well.
    visitor.insert("user", "alice").await.unwrap();
    let refused = visitor.save().await.unwrap_err().to_string();
    assert!(refused.contains("cycle_id"), "{refused}");
    assert_eq!((shop.who(planted).await, shop.devices("alice").await), (None, 0));

    visitor.cycle_id().await.unwrap();
    visitor.save().await.unwrap();
    let id = visitor.id().unwrap();
    assert_eq!((shop.who(planted).await, shop.who(id).await.as_deref()), (None, Some("alice")));
    assert_eq!((visitor.get("cart").await.unwrap(), shop.devices("alice").await), (Some(1), 1));

    let session = shop.request(Some(id));
    session.insert("user", "bob").await.unwrap();
    assert!(session.save().await.is_err());
    assert_eq!(shop.who(id).await.as_deref(), Some("alice"));
}

#[tokio::test]
async fn an_id_is_changed_as_often_as_one_likes_within_a_request() {
    let shop = Shop::open().await;
    let session = shop.request(Some(shop.log_in("alice").await));
    for _ in 0..3 {
        session.insert("cart", 1).await.unwrap();
        session.cycle_id().await.unwrap();
        session.save().await.unwrap();
        session.save().await.unwrap();
        assert_eq!(shop.who(session.id().unwrap()).await.as_deref(), Some("alice"));
    }
    assert_eq!(shop.devices("alice").await, 1);
}

#[tokio::test]
async fn what_was_logged_out_while_its_id_changed_stays_out() {
    for way in ["logout before", "logout between", "everywhere between"] {
        let shop = Shop::open().await;
        let id = shop.log_in("alice").await;
        let late = shop.request(Some(id));
        assert!(late.get::<String>("user").await.unwrap().is_some());
        if way == "logout before" {
            shop.request(Some(id)).flush().await.unwrap();
        }
        late.cycle_id().await.unwrap();
        match way {
            "logout between" => shop.request(Some(id)).flush().await.unwrap(),
            "everywhere between" => {
                let _ = shop.signoff.revoke(Scope::Subject("alice"), Cause::logout()).await.unwrap();
            }
            _ => {}
        }
        assert!(late.save().await.is_err(), "{way}");
        assert!(late.save().await.is_err(), "{way}: neither does a retry bring it back");
        assert_eq!(shop.devices("alice").await, 0, "{way}");
        assert_eq!(late.id(), None, "{way}");
    }
}

#[tokio::test]
async fn a_logout_by_the_old_id_ends_what_goes_on_under_another() {
    let shop = Shop::open().await;
    let id = shop.log_in("alice").await;
    let (late, renewed) = (shop.request(Some(id)), shop.request(Some(id)));
    late.get::<String>("user").await.unwrap().unwrap();
    renewed.get::<String>("user").await.unwrap().unwrap();
    for _ in 0..2 {
        renewed.cycle_id().await.unwrap();
        renewed.save().await.unwrap();
    }
    let new = renewed.id().unwrap();
    assert_eq!(shop.who(new).await.as_deref(), Some("alice"));
    late.flush().await.unwrap();
    assert_eq!((shop.who(new).await, shop.devices("alice").await), (None, 0));
    assert!(renewed.save().await.is_err());
}

#[tokio::test]
async fn on_a_shared_store_somebodys_session_keeps_its_id() {
    let shop = Shop::open_on(MemoryStore::shared(Duration::from_secs(5))).await;
    let id = shop.log_in("alice").await;
    let session = shop.request(Some(id));
    session.get::<String>("user").await.unwrap().unwrap();
    session.cycle_id().await.unwrap();
    assert!(session.save().await.is_err(), "another node may be logging it out");
    assert_eq!(shop.devices("alice").await, 0);
    // A login begins as nobody.
    let session = shop.request(None);
    session.insert("cart", 1).await.unwrap();
    session.save().await.unwrap();
    session.cycle_id().await.unwrap();
    session.insert("user", "alice").await.unwrap();
    session.save().await.unwrap();
    assert_eq!(shop.devices("alice").await, 1);
}

#[tokio::test]
async fn logging_out_twice_succeeds() {
    let shop = Shop::open().await;
    let id = shop.log_in("alice").await;
    let (one, other) = (shop.request(Some(id)), shop.request(Some(id)));
    one.flush().await.unwrap();
    other.flush().await.unwrap();
    shop.store.delete(&Id::default()).await.unwrap();
    let receipt = shop.store.log_out(id, Cause::logout()).await.unwrap();
    assert_eq!(receipt.destroyed(), 0);
    let trail = shop.signoff.audit_trail(&Subject::new("alice").unwrap()).await.unwrap();
    let kinds: Vec<_> = trail.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["session_logout", "session_created"]);
}

#[tokio::test]
async fn use_moves_the_idle_end_but_not_beyond_the_layers() {
    let shop = Shop::open().await;
    let id = shop.log_in("alice").await;
    for _ in 0..5 {
        shop.clock.advance(Duration::from_secs(29 * 60));
        assert!(shop.who(id).await.is_some(), "reading counts as use");
    }
    let short = shop.request(None);
    short.set_expiry(Some(Expiry::OnInactivity(time::Duration::hours(3))));
    short.insert("user", "bob").await.unwrap();
    short.save().await.unwrap();
    let mut minutes = 145;
    while shop.who(short.id().unwrap()).await.is_some() {
        shop.clock.advance(Duration::from_secs(5 * 60));
        minutes += 5;
    }
    assert!((180..=185).contains(&minutes), "{minutes}");
}

#[tokio::test]
async fn an_outage_is_an_error_and_neither_an_end_nor_a_logout() {
    let (store, switch) = failing();
    let shop = Shop::open_on(store).await;
    let id = shop.log_in("alice").await;
    let session = shop.request(Some(id));
    session.insert("cart", 1).await.unwrap();
    switch.fail(0, u64::MAX, Fault::Refuse);
    assert!(shop.store.load(&id).await.is_err());
    assert!(session.save().await.is_err());
    assert!(shop.request(Some(id)).flush().await.is_err());
    switch.heal();
    assert_eq!(shop.who(id).await.as_deref(), Some("alice"));
    shop.clock.step(None);
    assert!(shop.store.load(&id).await.is_err(), "without a clock nobody can tell");
}

#[tokio::test]
async fn saves_at_once_all_get_through() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop::open_on(SqliteStore::open(folder.path().join("shop.sqlite3")).await.unwrap()).await;
    let id = shop.log_in("alice").await;
    let saves = (0..20).map(|number| {
        let session = shop.request(Some(id));
        tokio::spawn(async move {
            session.insert("cart", number).await.unwrap();
            session.save().await.unwrap();
        })
    });
    for save in saves.collect::<Vec<_>>() {
        save.await.unwrap();
    }
    assert!(shop.request(Some(id)).get::<u8>("cart").await.unwrap().unwrap() < 20);
}

#[tokio::test]
async fn the_cookie_is_nowhere_in_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.sqlite3");
    let shop = Shop::open_on(SqliteStore::open(&file).await.unwrap()).await;
    let id = shop.log_in("alice").await;
    shop.request(Some(id)).get::<String>("user").await.unwrap().unwrap();
    let kept = shop.log_in("bob").await;
    shop.store.delete(&id).await.unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for id in [id, kept] {
            let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!holds(id.to_string().as_bytes()) && !holds(&id.0.to_le_bytes()) && !holds(&id.0.to_be_bytes()));
        }
    }
    let Shop { store, signoff, .. } = shop;
    drop(store);
    signoff.close().await;
    let again = Shop::open_on(SqliteStore::open(&file).await.unwrap()).await;
    assert_eq!((again.who(kept).await.as_deref(), again.who(id).await), (Some("bob"), None));
}
