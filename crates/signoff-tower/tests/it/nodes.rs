//! The bank on three nodes that share a PostgreSQL database: what one logs out, none accepts.

use std::time::Duration;

use serde_json::{Value, json};
use signoff::time::{Clock, SystemClock};
use signoff_test_servers::Postgres;

use signoff_web_suite::Answer;

use crate::bank::Bank;

/// How long a lease of the bank's nodes lasts.
const LEASE: Duration = Duration::from_secs(5);

/// Somebody with a browser that sends its cookie to every port.
struct Person {
    cookie: String,
    client: reqwest::Client,
}

async fn three_nodes(delivery: &str) -> Bank {
    Bank::start_nodes(&Postgres::shared().unwrap().database().unwrap(), 3, delivery).await
}

async fn log_in(node: &str) -> Person {
    let client = reqwest::Client::new();
    let credentials = json!({ "user": "alice", "password": "correct horse" });
    let answer = client.post(format!("http://{node}/login")).json(&credentials).send().await.unwrap();
    let answer = Answer::read(answer).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let cookie = answer.all("set-cookie")[0].split(';').next().unwrap().to_owned();
    Person { cookie, client }
}

impl Person {
    async fn send(&self, method: &str, node: &str, path: &str, body: Value) -> Answer {
        let url = format!("http://{node}{path}");
        let request = self.client.request(method.parse().unwrap(), url).header("cookie", &self.cookie);
        let request = request.header("origin", format!("http://{node}"));
        let request = if body.is_null() { request } else { request.json(&body) };
        Answer::read(request.send().await.unwrap()).await
    }

    async fn statuses(&self, bank: &Bank) -> Vec<u16> {
        let mut statuses = Vec::new();
        for node in bank.addresses() {
            statuses.push(self.send("GET", node, "/api/accounts", Value::Null).await.status);
        }
        statuses
    }

    /// On a machine that is busy a commit may come too late, which is told; then a retry completes the logout.
    async fn log_out(&self, node: &str) {
        let mut answer = self.send("POST", node, "/logout", Value::Null).await;
        for _ in 0..5 {
            if answer.status != 503 {
                break;
            }
            answer = self.send("POST", node, "/logout", Value::Null).await;
        }
        assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("destroyed")), "{}", answer.body);
    }

    /// No node lets this person in: each says no, or that it cannot tell.
    async fn assert_out(&self, bank: &Bank) {
        let statuses = self.statuses(bank).await;
        assert!(statuses.iter().all(|status| [401, 503].contains(status)), "{statuses:?}");
    }

    /// Captures the token of this person by way of one node.
    async fn capture(&self, node: &str) -> String {
        let captured = self.send("POST", node, "/demo/capture", Value::Null).await;
        captured.json()["capture"].as_str().unwrap().to_owned()
    }

    /// What the thief is told by each node, asked by way of one.
    async fn replay(&self, captured: &str, bank: &Bank, node: &str) -> Vec<u64> {
        let replayed = self.send("POST", node, "/demo/replay", json!({ "capture": captured })).await.json();
        let answers = replayed["answers"].as_array().unwrap();
        let addresses: Vec<_> = answers.iter().map(|answer| answer["address"].as_str().unwrap()).collect();
        assert_eq!(addresses, bank.addresses());
        answers.iter().map(|answer| answer["status"].as_u64().unwrap()).collect()
    }

    /// Cuts a node off from the database, or connects it again.
    async fn cut_off(&self, node: &str, failing: bool) {
        let order = json!({ "failing": failing, "node": node });
        assert_eq!(self.send("POST", node, "/demo/store", order).await.status, 200);
    }

    /// Asks until every node answers so. On a machine that is busy a lease may run out now and then.
    async fn until(&self, bank: &Bank, wanted: &[u16]) {
        let clock = SystemClock::new();
        let until = clock.elapsed() + LEASE * 6;
        loop {
            let statuses = self.statuses(bank).await;
            if statuses == wanted {
                return;
            }
            assert!(clock.elapsed() < until, "{statuses:?} instead of {wanted:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test]
async fn a_logout_on_one_node_holds_on_all() {
    for delivery in ["jwt", "opaque"] {
        let bank = three_nodes(delivery).await;
        let [first, second, third] = bank.addresses() else { unreachable!() };
        let (alice, sibling) = (log_in(first).await, log_in(third).await);
        alice.until(&bank, &[200, 200, 200]).await;
        let captured = alice.capture(third).await;
        assert_eq!(alice.replay(&captured, &bank, first).await, [200, 200, 200], "{delivery}");

        alice.log_out(second).await;
        alice.assert_out(&bank).await;
        alice.until(&bank, &[401, 401, 401]).await;
        assert_eq!(alice.replay(&captured, &bank, third).await, [401, 401, 401], "{delivery}");
        sibling.until(&bank, &[200, 200, 200]).await;

        let bank = bank.restart().await;
        alice.assert_out(&bank).await;
        alice.until(&bank, &[401, 401, 401]).await;
        sibling.until(&bank, &[200, 200, 200]).await;
    }
}

#[tokio::test]
async fn a_node_that_is_cut_off_lets_nobody_in_and_comes_back() {
    let bank = three_nodes("jwt").await;
    let [first, second, third] = bank.addresses() else { unreachable!() };
    let (alice, sibling) = (log_in(first).await, log_in(second).await);
    alice.until(&bank, &[200, 200, 200]).await;

    alice.cut_off(third, true).await;
    // The node cannot hear of it. The logout returns all the same, and not before the node has stopped.
    alice.log_out(first).await;
    alice.assert_out(&bank).await;
    alice.until(&bank, &[401, 401, 503]).await;
    sibling.until(&bank, &[200, 200, 503]).await;
    let listed = alice.send("GET", first, "/demo/state", Value::Null).await.json();
    let told = |key: &str| listed["nodes"].as_array().unwrap().iter().map(|node| node[key].clone()).collect::<Vec<_>>();
    assert_eq!(told("may_answer"), [true, true, false]);
    assert_eq!(told("is_self"), [true, false, false]);
    assert_eq!(told("cut_off"), [false, false, true]);
    assert!(told("applied")[0].is_u64() && told("applied")[2].is_null(), "{listed}");

    // Nobody can log out through it, and nothing is cleared.
    let refused = sibling.send("POST", third, "/logout", Value::Null).await;
    assert_eq!(refused.status, 503);
    refused.assert_clears_nothing("a node that is cut off");

    alice.cut_off(third, false).await;
    sibling.until(&bank, &[200, 200, 200]).await;
    alice.assert_out(&bank).await;
}

#[test]
fn what_cannot_be_served_is_refused() {
    for (arguments, told) in [
        (["--nodes", "3"].as_slice(), "--db postgres://"),
        (&["--nodes", "0"], "1 to 9"),
        (&["--db", "mysql://localhost/bank"], "mysql://"),
        (&["--nodes", "3", "--db", "postgres://localhost/bank", "--addr", "127.0.0.1:65534"], "3 ports"),
    ] {
        let output = Bank::attempt(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(told), "{arguments:?}: {said}");
    }
}
