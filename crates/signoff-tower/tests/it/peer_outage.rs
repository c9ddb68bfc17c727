//! A logout while the database is down: signoff, as the bank on PostgreSQL, and Better Auth 1.7.25, on the same steps.
//!
//! Somebody logs in, and somebody else has a copy of the cookie. The database goes down, and the person logs out. It comes up
//! again, and the browser logs out once more, with the cookies that it still has.
//!
//! | | signoff | Better Auth |
//! |---|---|---|
//! | the logout | 503, nothing is cleared | 200, `{"success":true}`, the cookie is cleared |
//! | the copy, when the database is up | not decided yet | **lets in** |
//! | the browser tries again | 200, and the copy is dead | has no cookie left; the copy **lets in** |
//!
//! That session lives until it expires, or until the person logs in again and revokes it. Better Auth deletes a session only after
//! it has found it, and takes an error there for a session that does not exist (`dist/db/with-hooks.mjs`, `deleteWithHooks`:
//! `catch {}`). Were it told, it would go on as well: `dist/api/routes/sign-out.mjs` logs what `deleteSession` throws, and clears the
//! cookie.

use std::time::Duration;

use serde_json::{Value, json};
use signoff_test_servers::{Peer, Postgres};
use signoff_web_suite::Answer;

use crate::bank::Bank;

/// Until the database is found to be there again.
const LIMIT: Duration = Duration::from_secs(120);

/// An application, and where things are in it.
struct Site {
    base: String,
    login: (&'static str, Value),
    private: &'static str,
    logout: &'static str,
}

/// What came of it.
#[derive(PartialEq, Eq, Debug)]
struct Outcome {
    /// What the first logout answers, and whether it clears the cookie.
    logout: (u16, bool),
    /// Whether the browser has a cookie for the second one.
    has_cookie: bool,
    /// What the second logout answers.
    retry: u16,
    /// What the copy of the cookie gets in the end.
    copy: u16,
}

#[tokio::test]
async fn signoff_answers_503_until_the_session_is_gone() {
    let postgres = Postgres::start(&[]).unwrap();
    let bank = Bank::start_nodes(&postgres.database().unwrap(), 1, "opaque").await;
    let site = Site {
        base: bank.url(""),
        login: ("/login", json!({ "user": "alice", "password": "correct horse" })),
        private: "/api/accounts",
        logout: "/logout",
    };
    let outcome = site.log_out_in_an_outage(&postgres).await;
    assert_eq!(outcome, Outcome { logout: (503, false), has_cookie: true, retry: 200, copy: 401 });
}

#[tokio::test]
async fn better_auth_answers_200_and_the_session_lives() {
    let postgres = Postgres::start(&[]).unwrap();
    let (_peer, address) = Peer::better_auth(&postgres.database().unwrap()).unwrap();
    let person = json!({ "name": "alice", "email": "alice@bank.example", "password": "correct horse" });
    let site = Site {
        base: format!("http://{address}"),
        login: ("/api/auth/sign-up/email", person),
        private: "/private",
        logout: "/api/auth/sign-out",
    };
    let outcome = site.log_out_in_an_outage(&postgres).await;
    assert_eq!(outcome, Outcome { logout: (200, true), has_cookie: false, retry: 200, copy: 200 });
}

impl Site {
    async fn log_out_in_an_outage(&self, postgres: &Postgres) -> Outcome {
        let login = self.send("POST", self.login.0, "", &self.login.1).await;
        assert_eq!(login.status, 200, "{}", login.body);
        let copy = login.all("set-cookie")[0].split(';').next().unwrap().to_owned();
        assert_eq!(self.send("GET", self.private, &copy, &Value::Null).await.status, 200);

        postgres.crash().unwrap();
        let logout = self.send("POST", self.logout, &copy, &json!({})).await;
        let name = copy.split('=').next().unwrap();
        let cleared = logout.all("set-cookie").iter().any(|set| set.starts_with(name) && set.contains("Max-Age=0"));
        if !cleared {
            logout.assert_clears_nothing("nothing is half cleared");
        }

        postgres.start_again().unwrap();
        self.until_told("GET", self.private, &copy, &Value::Null).await;
        let left = if cleared { "" } else { &copy };
        let retry = self.until_told("POST", self.logout, left, &json!({})).await;
        let copy = self.until_told("GET", self.private, &copy, &Value::Null).await;
        Outcome { logout: (logout.status, cleared), has_cookie: !left.is_empty(), retry, copy }
    }

    /// The status, when it is not that the application cannot tell.
    async fn until_told(&self, method: &str, path: &str, cookie: &str, body: &Value) -> u16 {
        let told = async {
            loop {
                let status = self.send(method, path, cookie, body).await.status;
                if status < 500 {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(LIMIT, told).await.unwrap()
    }

    async fn send(&self, method: &str, path: &str, cookie: &str, body: &Value) -> Answer {
        let request = reqwest::Client::new().request(method.parse().unwrap(), format!("{}{path}", self.base));
        let request = request.header("origin", &self.base);
        let request = if cookie.is_empty() { request } else { request.header("cookie", cookie) };
        let request = if body.is_null() { request } else { request.json(body) };
        Answer::read(request.send().await.unwrap()).await
    }
}
