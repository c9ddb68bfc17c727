//! A node that cannot know who was logged out: what each route does about it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use signoff::store::Hints;
use signoff::test_util::{FailingStore, Fault, ManualClock};
use signoff::time::Timestamp;
use signoff::web::{Fenced, Web};
use signoff::{Cause, CookieSpec, Error, KeySet, Login, MemoryStore, Reach, Settings, SigningKey, Signoff, Subject};
use signoff_tower::{Live, SignoffLayer};

use crate::server::BOTH;

/// Nobody wakes anybody.
#[derive(Debug)]
struct Mute;

#[async_trait::async_trait]
impl Hints for Mute {
    async fn announce(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn heard(&self) -> Result<(), Error> {
        std::future::pending().await
    }
}

async fn who(live: Live) -> String {
    live.subject().to_owned()
}

#[tokio::test]
async fn routes_reject_or_read_through() {
    for delivery in BOTH {
        // So long that the node does not renew its lease before this test is over.
        let database = MemoryStore::shared(Duration::from_secs(600));
        let clock = ManualClock::new(Timestamp::from_secs(1_800_000_000).unwrap());
        let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
        (settings.delivery, settings.reach) = (delivery, Reach::Local);
        settings.hints = Some(Arc::new(Mute));
        let (key, store) = (SigningKey::from_secret(signoff::Algorithm::Hs256, &[7; 32]), database.another());
        let elsewhere = Signoff::open(store, KeySet::new(key.unwrap()), settings.clone()).await.unwrap();
        let store = FailingStore::new(database.another());
        let switch = store.switch();
        let key = SigningKey::from_secret(signoff::Algorithm::Hs256, &[7; 32]).unwrap();
        let signoff =
            Signoff::open_with_clock(store, KeySet::new(key), settings, Arc::new(clock.clone())).await.unwrap();

        let web = Web::new(signoff.clone(), CookieSpec::host("sid").unwrap());
        let patient = SignoffLayer::new(web.clone().fenced(Fenced::ReadThrough));
        let patient = Router::new().route("/patient", get(who)).layer(patient);
        let app = Router::new().route("/quick", get(who)).merge(patient).layer(SignoffLayer::new(web));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        let client = reqwest::Client::new();
        let statuses = async |token: &str| {
            let mut statuses = Vec::new();
            for path in ["quick", "patient"] {
                let request = client.get(format!("http://{address}/{path}")).bearer_auth(token);
                statuses.push(request.send().await.unwrap().status().as_u16());
            }
            statuses
        };

        let log_in = async || {
            let login = Login::new(Subject::new("alice").unwrap());
            signoff.log_in(login).await.unwrap().token.expose().to_owned()
        };
        let (alive, dead) = (log_in().await, log_in().await);
        assert_eq!((statuses(&alive).await, statuses(&dead).await), (vec![200, 200], vec![200, 200]));
        // Nobody has told this node, and its lease is over.
        clock.advance(Duration::from_secs(601));
        let _ = elsewhere.log_out(&[&dead], Cause::logout()).await.unwrap();
        assert_eq!(statuses(&alive).await, [503, 200], "the log is read for the one request");
        assert_eq!(statuses(&dead).await, [503, 401], "{delivery:?}");
        switch.fail(0, u64::MAX, Fault::Refuse);
        assert_eq!(statuses(&alive).await, [503, 503], "it cannot be read");
    }
}
