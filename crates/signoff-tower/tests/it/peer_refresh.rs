//! What a logout does to the refresh token: signoff, and Flask-JWT-Extended 4.7.4 with its list of revoked tokens in Redis, on
//! the same steps. `peers/flask/app.py` follows the page "JWT Revoking / Blocklist" of its documentation.
//!
//! | | signoff | Flask-JWT-Extended |
//! |---|---|---|
//! | logout with the access token | the refresh token is dead | it **mints access tokens**: the client has to revoke it, too |
//! | logout with an access token that has expired | the refresh token is dead | 401, and it **mints access tokens** |
//! | a client that has revoked both, an access token's lifetime later | still dead | it **mints access tokens** again |
//!
//! The last is since the page keeps every entry as long as an access token lives: `set(jti, "", ex=ACCESS_EXPIRES)`.

use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use signoff::refresh::Refresh;
use signoff::test_util::ManualClock;
use signoff::time::Timestamp;
use signoff::web::Web;
use signoff::{CookieSpec, KeySet, Login, MemoryStore, Settings, SigningKey, Signoff, Subject};
use signoff_test_servers::{Peer, Redis};
use signoff_tower::{Live, SignoffLayer, handlers};
use signoff_web_suite::Answer;

/// How long the peer's access tokens live.
const ACCESS: Duration = Duration::from_secs(4);

/// Until they are found to have expired.
const LIMIT: Duration = Duration::from_secs(60);

struct Tokens {
    access: String,
    refresh: String,
}

/// What came of a logout.
#[derive(PartialEq, Eq, Debug)]
struct Outcome {
    logout: u16,
    /// What an access token gets that the refresh token still gives.
    refreshed: Option<u16>,
}

trait Service {
    async fn log_in(&self) -> Tokens;

    async fn private(&self, access: &str) -> u16;

    /// A logout with the access token alone.
    async fn log_out(&self, access: &str) -> u16;

    /// A logout by a client that does all that it has to.
    async fn log_out_by_the_book(&self, tokens: &Tokens) -> u16;

    /// The new access token.
    async fn refresh(&self, token: &str) -> Option<String>;

    /// As much time as an access token lives.
    async fn time_passes(&self);

    async fn outcome(&self, logout: u16, tokens: &Tokens) -> Outcome {
        let refreshed = match self.refresh(&tokens.refresh).await {
            Some(access) => Some(self.private(&access).await),
            None => None,
        };
        Outcome { logout, refreshed }
    }

    async fn logout(&self) -> Outcome {
        let tokens = self.log_in().await;
        let logout = self.log_out(&tokens.access).await;
        assert_eq!(self.private(&tokens.access).await, 401);
        self.outcome(logout, &tokens).await
    }

    async fn logout_after_expiry(&self) -> Outcome {
        let tokens = self.log_in().await;
        self.time_passes().await;
        assert_eq!(self.private(&tokens.access).await, 401);
        let logout = self.log_out(&tokens.access).await;
        self.outcome(logout, &tokens).await
    }

    async fn long_after_a_logout_by_the_book(&self) -> Outcome {
        let (tokens, control) = (self.log_in().await, self.log_in().await);
        let logout = self.log_out_by_the_book(&tokens).await;
        assert_eq!(self.refresh(&tokens.refresh).await, None);
        self.time_passes().await;
        assert!(self.refresh(&control.refresh).await.is_some(), "time alone ends nothing");
        self.outcome(logout, &tokens).await
    }
}

#[tokio::test]
async fn on_signoff_the_refresh_token_dies_with_the_session() {
    let ours = Ours::start().await;
    let dead = || Outcome { logout: 200, refreshed: None };
    assert_eq!(ours.logout().await, dead());
    assert_eq!(ours.logout_after_expiry().await, dead());
    assert_eq!(ours.long_after_a_logout_by_the_book().await, dead());
}

#[tokio::test]
async fn on_flask_jwt_extended_the_refresh_token_lives() {
    let redis = Redis::start().unwrap();
    let (_peer, address) = Peer::flask(&redis.url(), ACCESS).unwrap();
    let theirs = Theirs { base: format!("http://{address}") };
    assert_eq!(theirs.logout().await, Outcome { logout: 200, refreshed: Some(200) });
    assert_eq!(theirs.logout_after_expiry().await, Outcome { logout: 401, refreshed: Some(200) });
    assert_eq!(theirs.long_after_a_logout_by_the_book().await, Outcome { logout: 200, refreshed: Some(200) });
}

/// The handlers of this crate.
struct Ours {
    base: String,
    signoff: Signoff,
    clock: ManualClock,
}

impl Ours {
    async fn start() -> Self {
        let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
        settings.refresh = Some(Refresh::default());
        settings.access_lifetime = Duration::from_secs(60);
        let clock = ManualClock::new(Timestamp::from_secs(1_800_000_000).unwrap());
        let (keys, time) = (KeySet::new(SigningKey::generate().unwrap()), std::sync::Arc::new(clock.clone()));
        let signoff = Signoff::open_with_clock(MemoryStore::new(), keys, settings, time).await.unwrap();
        let app = Router::new()
            .route("/private", get(async |live: Live| live.subject().to_owned()))
            .route("/logout", post(handlers::logout))
            .route("/refresh", post(handlers::refresh))
            .layer(SignoffLayer::new(Web::new(signoff.clone(), CookieSpec::host("signoff").unwrap())));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { base, signoff, clock }
    }
}

impl Service for Ours {
    async fn log_in(&self) -> Tokens {
        let issued = self.signoff.log_in(Login::new(Subject::new("alice").unwrap())).await.unwrap();
        let refresh = issued.refresh_token.unwrap();
        Tokens { access: issued.token.expose().to_owned(), refresh: refresh.expose().to_owned() }
    }

    async fn private(&self, access: &str) -> u16 {
        send("GET", &self.base, "/private", access).await.status
    }

    async fn log_out(&self, access: &str) -> u16 {
        send("POST", &self.base, "/logout", access).await.status
    }

    async fn log_out_by_the_book(&self, tokens: &Tokens) -> u16 {
        self.log_out(&tokens.access).await
    }

    async fn refresh(&self, token: &str) -> Option<String> {
        let form = format!("grant_type=refresh_token&refresh_token={token}");
        let request = reqwest::Client::new().post(format!("{}/refresh", self.base));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        access_token(&Answer::read(request.send().await.unwrap()).await)
    }

    async fn time_passes(&self) {
        self.clock.advance(Duration::from_secs(120));
    }
}

struct Theirs {
    base: String,
}

impl Service for Theirs {
    async fn log_in(&self) -> Tokens {
        let answer = send("POST", &self.base, "/login", "").await;
        let refresh = answer.json()["refresh_token"].as_str().unwrap().to_owned();
        Tokens { access: access_token(&answer).unwrap(), refresh }
    }

    async fn private(&self, access: &str) -> u16 {
        send("GET", &self.base, "/private", access).await.status
    }

    async fn log_out(&self, access: &str) -> u16 {
        send("DELETE", &self.base, "/logout", access).await.status
    }

    async fn log_out_by_the_book(&self, tokens: &Tokens) -> u16 {
        assert_eq!(send("DELETE", &self.base, "/revoke", &tokens.access).await.status, 200);
        send("DELETE", &self.base, "/revoke", &tokens.refresh).await.status
    }

    async fn refresh(&self, token: &str) -> Option<String> {
        access_token(&send("POST", &self.base, "/refresh", token).await)
    }

    /// Two tokens expire one after the other, since whole seconds are counted.
    async fn time_passes(&self) {
        for _ in 0..2 {
            let access = self.log_in().await.access;
            let expired = async {
                while self.private(&access).await == 200 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(LIMIT, expired).await.unwrap();
        }
    }
}

async fn send(method: &str, base: &str, path: &str, bearer: &str) -> Answer {
    let request = reqwest::Client::new().request(method.parse().unwrap(), format!("{base}{path}"));
    Answer::read(request.bearer_auth(bearer).send().await.unwrap()).await
}

fn access_token(answer: &Answer) -> Option<String> {
    (answer.status == 200).then(|| answer.json()["access_token"].as_str().unwrap().to_owned())
}
