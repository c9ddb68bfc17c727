//! Every order in which a request, a logout and their answers can come, and what the browser is left with.

use std::collections::BTreeMap;
use std::time::Duration;

use signoff::test_util::Fault;
use signoff::{CookieLedger, CookieSpec, Delivery};

use crate::answer::Answer;
use crate::server::{Adapter, COOKIE, Server};

/// What puts a session cookie into the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sets {
    /// The application, that of a session of its own.
    Application,
    /// The library, because the JWT is past half of its life.
    Renewal,
    /// The library, because the browser keeps the cookie and its time moves on.
    Roll,
}

/// Where the logout commits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Logout {
    BeforeTheRequest,
    WhileItsHandlerRuns,
    /// The store has confirmed the renewal, and its word is still on the way.
    WhileTheAnswerIsFinished,
    AfterTheAnswer,
}

/// Which of the two answers the browser gets first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum First {
    Logout,
    Request,
}

/// The cookies of a browser, by name.
#[derive(Default)]
struct Jar(BTreeMap<String, String>);

impl Jar {
    fn take(&mut self, answer: &Answer) {
        for set in answer.all("set-cookie") {
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            if set.contains("Max-Age=0") {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn header(&self) -> Option<String> {
        self.0.get(COOKIE).map(|value| format!("Cookie: {COOKIE}={value}"))
    }
}

async fn start(adapter: Adapter, sets: Sets) -> (Server, Jar) {
    let mut setup = adapter.setup(if sets == Sets::Roll { Delivery::Opaque } else { Delivery::Jwt });
    if sets == Sets::Roll {
        setup.cookies = CookieLedger::new(CookieSpec::host("sid").unwrap().max_age(Duration::from_secs(86_400)));
    }
    let (server, mut jar) = (setup.start().await, Jar::default());
    let token = server.log_in("alice").await;
    match sets {
        Sets::Application => {
            let set = format!("{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict");
            server.gate.say(&[("set-cookie", &set)]);
        }
        Sets::Renewal => server.clock.advance(Duration::from_secs(500)),
        Sets::Roll => {}
    }
    jar.0.insert(COOKIE.to_owned(), token);
    (server, jar)
}

async fn log_out(server: &Server, cookie: &str) -> Answer {
    let answer = server.send("POST", "/logout", &[cookie, "Sec-Fetch-Site: same-origin"]).await;
    assert_eq!(answer.status, 200);
    answer
}

/// Both answers: of the request, and of the logout.
async fn play(server: &Server, cookie: &str, logout: Logout) -> (Answer, Answer) {
    match logout {
        Logout::BeforeTheRequest => {
            let out = log_out(server, cookie).await;
            (server.send("GET", "/says", &[cookie]).await, out)
        }
        Logout::WhileItsHandlerRuns => {
            let held = server.begin("GET", "/says", &[cookie]).await;
            let out = log_out(server, cookie).await;
            (held.finish().await, out)
        }
        Logout::WhileTheAnswerIsFinished => {
            let held = server.begin("GET", "/says", &[cookie]).await;
            server.switch.fail(0, 1, Fault::Late);
            let before = server.switch.calls();
            let finish = tokio::spawn(held.finish());
            // An application that sets its cookie itself asks no store.
            let patience = tokio::time::timeout(Duration::from_millis(300), async {
                while server.switch.calls() == before {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
            if patience.await.is_err() {
                server.switch.heal();
            }
            // The store takes the logout after that: only one call was made to be late.
            let out = log_out(server, cookie).await;
            server.switch.heal();
            (finish.await.unwrap(), out)
        }
        Logout::AfterTheAnswer => {
            let answer = server.send("GET", "/says", &[cookie]).await;
            (answer, log_out(server, cookie).await)
        }
    }
}

pub(crate) async fn no_order_leaves_the_cookie_of_a_dead_session(adapter: Adapter) {
    for sets in [Sets::Application, Sets::Renewal, Sets::Roll] {
        for logout in [
            Logout::BeforeTheRequest,
            Logout::WhileItsHandlerRuns,
            Logout::WhileTheAnswerIsFinished,
            Logout::AfterTheAnswer,
        ] {
            for first in [First::Logout, First::Request] {
                let (server, mut jar) = start(adapter, sets).await;
                let (answer, out) = play(&server, &jar.header().unwrap(), logout).await;
                let answers = if first == First::Logout { [&out, &answer] } else { [&answer, &out] };
                answers.into_iter().for_each(|answer| jar.take(answer));
                let context = format!("{sets:?}, logout {logout:?}, {first:?} first");
                if let Some(cookie) = jar.header() {
                    // Nothing that we send undoes what the logout's answer did, unless the network turns them round.
                    // (An answer whose cookie the application sets is finished without a store, so before the logout.)
                    let is_finished = match logout {
                        Logout::AfterTheAnswer => true,
                        Logout::WhileTheAnswerIsFinished => sets == Sets::Application,
                        Logout::BeforeTheRequest | Logout::WhileItsHandlerRuns => false,
                    };
                    assert!(first == First::Logout && is_finished, "{context}");
                    let next = server.send("GET", "/private", &[&cookie]).await;
                    assert_eq!(next.status, 401, "{context}");
                    jar.take(&next);
                }
                assert!(jar.0.is_empty(), "{context}: {:?}", jar.0);
            }
        }
    }
}
