//! Something that runs, seen from outside: an adapter that serves [`App`](crate::App), or an application with routes of its own.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use signoff::Delivery;

use crate::answer::Answer;
use crate::server::{Adapter, CLEARED, COOKIE};

/// What a test starts that looks from outside alone.
pub trait Place: Copy {
    /// Starts one, with nobody signed in.
    fn open(self, delivery: Delivery) -> Pin<Box<dyn Future<Output = Site>>>;
}

impl Place for Adapter {
    fn open(self, delivery: Delivery) -> Pin<Box<dyn Future<Output = Site>>> {
        Box::pin(async move { self.start(delivery).await.site })
    }
}

/// What is called differently where the routes are an application's own. The handlers of the library are at the paths of
/// [`App`](crate::App), but for the sessions.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "applications fill it in, field by field")]
pub struct Routes {
    /// The session cookie.
    pub cookie: &'static str,
    /// By `GET`, for whoever is signed in and for them alone.
    pub private: &'static str,
    /// With `Option<Live>`, if there is one.
    pub optional: Option<&'static str>,
    /// For anybody; it does not look who asks.
    pub public: &'static str,
    /// The list of sessions, and the folder that each is ended in.
    pub sessions: &'static str,
    /// Whom the body of the private answer is for.
    pub who: fn(&str) -> String,
    /// For this user; in a cookie, or else in the body.
    pub log_in: fn(&str, Carried) -> Post,
    /// For this user.
    pub step_up: fn(&str) -> Post,
}

/// What carries the tokens of a login.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "one or the other")]
pub enum Carried {
    Body,
    Cookie,
}

/// A request by `POST`, with JSON or without a body.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "applications fill it in")]
pub struct Post {
    pub path: String,
    pub json: String,
}

/// Something that runs, until this is dropped.
#[derive(Clone)]
pub struct Site {
    pub(crate) address: String,
    pub(crate) client: reqwest::Client,
    pub(crate) routes: &'static Routes,
    _running: Arc<dyn Any + Send + Sync>,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Site {
    /// At this `host:port`; `running` ends it when it is dropped, if anything has to.
    pub fn new(address: impl Into<String>, routes: &'static Routes, running: impl Any + Send + Sync) -> Self {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { address: address.into(), client, routes, _running: Arc::new(running) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request with headers, as `Name: value` lines.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[&str]) -> Answer {
        self.post(method, path, headers, String::new()).await
    }

    /// A request with a body.
    pub(crate) async fn post(&self, method: &str, path: &str, headers: &[&str], body: String) -> Answer {
        let mut request = self.client.request(method.parse().unwrap(), self.url(path));
        for header in headers {
            let (name, value) = header.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        let request = if body.is_empty() { request } else { request.body(body) };
        Answer::read(request.send().await.unwrap()).await
    }

    /// A form by `POST`.
    pub(crate) async fn submit(&self, path: &str, headers: &[&str], form: &str) -> Answer {
        let headers = [headers, &["Content-Type: application/x-www-form-urlencoded"]].concat();
        self.post("POST", path, &headers, form.to_owned()).await
    }

    pub(crate) async fn status(&self, method: &str, path: &str, headers: &[&str]) -> u16 {
        self.send(method, path, headers).await.status
    }

    async fn do_post(&self, post: Post, headers: &[&str]) -> Answer {
        if post.json.is_empty() {
            return self.send("POST", &post.path, headers).await;
        }
        let headers = [headers, &["Content-Type: application/json"]].concat();
        self.post("POST", &post.path, &headers, post.json).await
    }

    /// Signs somebody in as a program does.
    pub(crate) async fn log_in_by_http(&self, user: &str) -> String {
        let answer = self.do_post((self.routes.log_in)(user, Carried::Body), &[]).await;
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Signs somebody in as a browser does.
    pub(crate) async fn log_in_by_cookie(&self, user: &str, headers: &[&str]) -> Answer {
        self.do_post((self.routes.log_in)(user, Carried::Cookie), headers).await
    }

    pub(crate) async fn step_up(&self, user: &str, headers: &[&str]) -> Answer {
        self.do_post((self.routes.step_up)(user), headers).await
    }

    /// The status of the private page, and whom it is for if it is there.
    pub(crate) async fn private(&self, header: &str) -> (u16, Option<String>) {
        let answer = self.send("GET", self.routes.private, &[header]).await;
        (answer.status, (answer.status == 200).then(|| (self.routes.who)(&answer.body)))
    }

    /// The session cookie as a browser sends it.
    pub(crate) fn cookie(&self, token: &str) -> String {
        format!("Cookie: {}={token}", self.routes.cookie)
    }

    /// What clears it.
    pub(crate) fn cleared(&self) -> String {
        CLEARED.replacen(COOKIE, self.routes.cookie, 1)
    }
}
