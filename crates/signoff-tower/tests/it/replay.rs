//! The bank as a process: a captured token works before the logout and never after it, restarts included.

use std::ffi::OsStr;

use serde_json::{Value, json};

use signoff_web_suite::Answer;

use crate::bank::Bank;

/// How a credential is presented.
#[derive(Clone, Copy, Debug)]
enum By {
    Bearer,
    Cookie,
}

struct Thief {
    header: (&'static str, String),
    client: reqwest::Client,
}

async fn log_in(bank: &Bank, user: &str, by: By) -> Thief {
    let password = if user == "alice" { "correct horse" } else { "battery staple" };
    let mut body = json!({ "user": user, "password": password });
    if let By::Bearer = by {
        body["delivery"] = "bearer".into();
    }
    let client = reqwest::Client::new();
    let answer = Answer::read(client.post(bank.url("/login")).json(&body).send().await.unwrap()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let header = match by {
        By::Bearer => {
            assert!(answer.all("set-cookie").is_empty());
            assert_eq!(answer.json()["token_type"], "Bearer");
            assert!(answer.json()["expires_in"].as_u64().unwrap() > 0);
            ("authorization", format!("Bearer {}", answer.json()["access_token"].as_str().unwrap()))
        }
        By::Cookie => {
            let cookies = answer.all("set-cookie");
            assert!(cookies[0].starts_with("__Host-signoff="));
            let pair = cookies[0].split(';').next().unwrap().to_owned();
            let value = pair.split_once('=').unwrap().1;
            assert!(!answer.body.contains(value), "the cookie's value travels in no body");
            ("cookie", pair)
        }
    };
    Thief { header, client }
}

impl Thief {
    async fn send(&self, bank: &Bank, method: &str, path: &str) -> Answer {
        let request = self.client.request(method.parse().unwrap(), bank.url(path));
        let request = request.header(self.header.0, &self.header.1).header("origin", bank.url(""));
        Answer::read(request.send().await.unwrap()).await
    }

    async fn replay(&self, bank: &Bank) -> u16 {
        self.send(bank, "GET", "/api/accounts").await.status
    }
}

#[tokio::test]
async fn a_captured_token_is_dead_after_the_logout_and_after_a_restart() {
    for delivery in ["jwt", "opaque"] {
        for by in [By::Cookie, By::Bearer] {
            let context = format!("{delivery} by {by:?}");
            let bank = Bank::start(delivery).await;
            let (captured, sibling) = (log_in(&bank, "alice", by).await, log_in(&bank, "alice", by).await);
            let bob = log_in(&bank, "bob", by).await;
            assert_eq!(captured.replay(&bank).await, 200, "{context}");

            let answer = captured.send(&bank, "POST", "/logout").await;
            assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("destroyed")), "{context}");
            assert_eq!(captured.replay(&bank).await, 401, "{context}");
            assert_eq!(sibling.replay(&bank).await, 200, "{context}");
            let bank = bank.restart().await;
            assert_eq!(captured.replay(&bank).await, 401, "{context}, restarted");
            assert_eq!(sibling.replay(&bank).await, 200, "{context}: sessions and keys survive a restart");

            let third = log_in(&bank, "alice", by).await;
            assert_eq!(sibling.send(&bank, "POST", "/logout/everywhere").await.status, 200);
            for (thief, expect) in [(&captured, 401), (&sibling, 401), (&third, 401), (&bob, 200)] {
                assert_eq!(thief.replay(&bank).await, expect, "{context}, everywhere");
            }
            let bank = bank.restart().await;
            for (thief, expect) in [(&captured, 401), (&sibling, 401), (&third, 401), (&bob, 200)] {
                assert_eq!(thief.replay(&bank).await, expect, "{context}, everywhere and restarted");
            }
            assert_eq!(captured.send(&bank, "POST", "/logout").await.status, 200, "{context}: logging out twice");
        }
    }
}

#[tokio::test]
async fn the_bank_works() {
    let bank = Bank::start("jwt").await;
    let alice = log_in(&bank, "alice", By::Cookie).await;
    let bob = log_in(&bank, "bob", By::Bearer).await;
    let balance = async |thief: &Thief| {
        let view: Value = thief.send(&bank, "GET", "/api/accounts").await.json();
        view["accounts"][0]["balance_cents"].as_i64().unwrap()
    };
    let before = (balance(&alice).await, balance(&bob).await);
    let pay = async |to: Value, amount: Value| {
        let request = alice.client.post(bank.url("/api/transfers")).header(alice.header.0, &alice.header.1);
        let body = json!({ "to": to, "amount_cents": amount });
        Answer::read(request.json(&body).send().await.unwrap()).await
    };
    let paid = pay("bob".into(), 1_250.into()).await;
    assert_eq!((paid.status, paid.json()["balance_cents"].as_i64()), (200, Some(before.0 - 1_250)));
    assert_eq!((balance(&alice).await, balance(&bob).await), (before.0 - 1_250, before.1 + 1_250));
    for (to, amount, word) in [
        ("bob", json!(0), "invalid_amount"),
        ("bob", json!(-5), "invalid_amount"),
        ("bob", json!(99_999_999), "insufficient_funds"),
        ("alice", json!(1), "unknown_payee"),
        ("mallory", json!(1), "unknown_payee"),
    ] {
        let refused = pay(to.into(), amount).await;
        assert_eq!((refused.status, refused.json()["error"].as_str()), (422, Some(word)));
    }
    assert_eq!(pay(json!(7), json!("x")).await.status, 422);

    let wrong = json!({ "user": "alice", "password": "battery staple" });
    let refused = alice.client.post(bank.url("/login")).json(&wrong).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(alice.client.get(bank.url("/healthz")).send().await.unwrap().status(), 200);
    let jwks: Value = alice.client.get(bank.url("/.well-known/jwks.json")).send().await.unwrap().json().await.unwrap();
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 1);

    let sessions = alice.send(&bank, "GET", "/api/sessions").await.json();
    let id = sessions["sessions"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(bob.send(&bank, "DELETE", &format!("/api/sessions/{id}")).await.status, 404, "not bob's");
    assert_eq!(alice.send(&bank, "DELETE", &format!("/api/sessions/{id}")).await.status, 200);
    assert_eq!(alice.replay(&bank).await, 401);
}

#[tokio::test]
async fn logging_in_ends_the_session_that_the_browser_had() {
    let bank = Bank::start("opaque").await;
    let planted = log_in(&bank, "bob", By::Cookie).await;
    let body = json!({ "user": "alice", "password": "correct horse" });
    let request = planted.client.post(bank.url("/login")).header(planted.header.0, &planted.header.1);
    assert_eq!(request.json(&body).send().await.unwrap().status(), 200);
    assert_eq!(planted.replay(&bank).await, 401);
}

#[tokio::test]
async fn a_second_bank_on_the_same_file_says_why_it_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("bank.sqlite3");
    let _owner = signoff_sqlx::SqliteStore::open(&db).await.unwrap();
    let output = Bank::attempt([OsStr::new("--db"), db.as_os_str()]);
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("in use"), "{told}");
}
