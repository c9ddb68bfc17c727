//! `POST /refresh`: what a program gets, and what nobody learns.

use std::time::Duration;

use signoff::refresh::Refresh;
use signoff::test_util::Fault;
use signoff::{Cause, Delivery, Login, Subject};

use crate::answer::Answer;
use crate::server::{Adapter, Server, bearer};

async fn start(adapter: Adapter) -> Server {
    let mut setup = adapter.setup(Delivery::Jwt);
    setup.settings.refresh = Some(Refresh::default());
    setup.start().await
}

async fn log_in(server: &Server) -> (String, String) {
    let issued = server.signoff.log_in(Login::new(Subject::new("alice").unwrap())).await.unwrap();
    (issued.token.expose().to_owned(), issued.refresh_token.unwrap().expose().to_owned())
}

async fn post(server: &Server, path: &str, kind: &str, body: &str) -> Answer {
    let request = server.client.post(server.url(path)).header("content-type", kind).body(body.to_owned());
    Answer::read(request.send().await.unwrap()).await
}

const FORM: &str = "application/x-www-form-urlencoded";

async fn refresh(server: &Server, token: &str) -> Answer {
    post(server, "/refresh", FORM, &format!("grant_type=refresh_token&refresh_token={token}")).await
}

pub(crate) async fn a_token_is_exchanged(adapter: Adapter) {
    let server = start(adapter).await;
    let (_, token) = log_in(&server).await;
    let answer = refresh(&server, &token).await;
    assert_eq!((answer.status, answer.all("cache-control")), (200, vec!["no-store".to_owned()]));
    let json = answer.json();
    assert_eq!((&json["token_type"], &json["expires_in"]), (&"Bearer".into(), &900.into()));
    assert_eq!(json.as_object().unwrap().len(), 4);
    let access = json["access_token"].as_str().unwrap();
    let bearer = bearer(access);
    assert_eq!(server.send("GET", "/private", &[&bearer]).await.body, "alice");
    let again = refresh(&server, &token).await.json();
    assert_eq!(again["refresh_token"], json["refresh_token"], "another tab gets the same");
    answer.assert_clears_nothing("a refresh");
}

pub(crate) async fn all_bad_tokens_get_the_same_answer(adapter: Adapter) {
    let server = start(adapter).await;
    let (_, out) = log_in(&server).await;
    let _ = server.signoff.log_out(&[&out], Cause::logout()).await.unwrap();
    let (access, used) = log_in(&server).await;
    let current = refresh(&server, &used).await.json()["refresh_token"].as_str().unwrap().to_owned();
    let (_, unknown) = log_in(&start(adapter).await).await;
    let (_, idle) = log_in(&server).await;
    server.clock.advance(Duration::from_secs(11));
    let mut answers = Vec::new();
    let used_too_late = [out.as_str(), &unknown, "", "x", &access, "sor_x", &used, &current, &used];
    for token in used_too_late {
        answers.push(refresh(&server, token).await);
    }
    server.clock.advance(Duration::from_secs(30 * 60));
    answers.push(refresh(&server, &idle).await);
    for answer in &answers {
        assert_eq!((answer.status, answer.body.as_str()), (400, r#"{"error":"invalid_grant"}"#));
        let names = |answer: &Answer| answer.headers.keys().map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(answer), names(&answers[0]));
        assert_eq!(answer.all("content-type"), ["application/json; charset=utf-8"]);
        assert_eq!(answer.all("cache-control"), ["no-store"]);
    }
    assert_eq!(server.status("GET", "/private", &[&bearer(&access)]).await, 401);
}

pub(crate) async fn a_token_is_read_from_the_form_and_from_nowhere_else(adapter: Adapter) {
    let server = start(adapter).await;
    let (_, token) = log_in(&server).await;
    let form = format!("grant_type=refresh_token&refresh_token={token}");
    for (path, kind, body, error) in [
        (format!("/refresh?{form}"), FORM, String::new(), "invalid_request"),
        ("/refresh".into(), "text/plain", form.clone(), "invalid_request"),
        ("/refresh".into(), "application/json", format!(r#"{{"refresh_token":"{token}"}}"#), "invalid_request"),
        ("/refresh".into(), FORM, format!("refresh_token={token}"), "invalid_request"),
        ("/refresh".into(), FORM, "grant_type=refresh_token".into(), "invalid_request"),
        ("/refresh".into(), FORM, format!("{form}&refresh_token={token}"), "invalid_request"),
        ("/refresh".into(), FORM, format!("grant_type=refresh_token&{form}"), "invalid_request"),
        ("/refresh".into(), FORM, format!("{form}&padding={}", "x".repeat(5_000)), "invalid_request"),
        ("/refresh".into(), FORM, format!("grant_type=password&refresh_token={token}"), "unsupported_grant_type"),
    ] {
        let answer = post(&server, &path, kind, &body).await;
        assert_eq!((answer.status, answer.json()["error"].as_str().unwrap()), (400, error), "{path} {body}");
    }
    let bearer = bearer(&token);
    assert_eq!(server.status("POST", "/refresh", &[&bearer]).await, 400);
    assert_eq!(server.status("GET", "/private", &[&bearer]).await, 401, "it opens nothing");
    assert_eq!(server.status("GET", "/refresh", &[]).await, 405);
    let more = format!("a=b&{form}");
    let answer = post(&server, "/refresh", "Application/X-WWW-Form-Urlencoded; charset=UTF-8", &more).await;
    assert_eq!(answer.status, 200, "none of them used it up");
}

pub(crate) async fn a_store_that_does_not_confirm_is_a_503_and_a_retry_gets_the_successor(adapter: Adapter) {
    let server = start(adapter).await;
    let (access, token) = log_in(&server).await;
    server.switch.fail(0, u64::MAX, Fault::AnswerLost);
    let answer = refresh(&server, &token).await;
    assert_eq!((answer.status, answer.all("retry-after")), (503, vec!["1".to_owned()]));
    server.switch.heal();
    let successor = refresh(&server, &token).await.json()["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(refresh(&server, &successor).await.status, 200);
    assert_eq!(server.status("GET", "/private", &[&bearer(&access)]).await, 200);
}

pub(crate) async fn a_refresh_token_logs_out(adapter: Adapter) {
    let server = start(adapter).await;
    let (access, first) = log_in(&server).await;
    let current = refresh(&server, &first).await.json()["refresh_token"].as_str().unwrap().to_owned();
    server.clock.advance(Duration::from_secs(60));
    for token in [&first, &current] {
        let answer = server.send("POST", "/logout", &[&bearer(token)]).await;
        assert_eq!((answer.status, answer.json()["status"].as_str().unwrap()), (200, "destroyed"));
    }
    assert_eq!(server.status("GET", "/private", &[&bearer(&access)]).await, 401);
    assert_eq!(refresh(&server, &current).await.body, r#"{"error":"invalid_grant"}"#);
}
