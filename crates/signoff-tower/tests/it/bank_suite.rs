//! Those tests of the suite that look from outside alone, against the bank as a process.

use std::future::Future;
use std::pin::Pin;

use serde_json::{Value, json};
use signoff::Delivery;
use signoff_web_suite::{Carried, Place, Post, Routes, Site, for_each_test, tests_from_outside};

use crate::bank::Bank;

#[derive(Clone, Copy)]
struct ABank;

impl Place for ABank {
    fn open(self, delivery: Delivery) -> Pin<Box<dyn Future<Output = Site>>> {
        Box::pin(async move {
            let bank = Bank::start(if delivery == Delivery::Jwt { "jwt" } else { "opaque" }).await;
            Site::new(bank.address().to_owned(), &ROUTES, bank)
        })
    }
}

const ROUTES: Routes = Routes {
    cookie: "__Host-signoff",
    private: "/api/me",
    // Its pages send whoever is not signed in to the front page instead.
    optional: None,
    public: "/healthz",
    sessions: "/api/sessions",
    who: |body| serde_json::from_str::<Value>(body).unwrap()["user"].as_str().unwrap().to_owned(),
    log_in: |user, carried| {
        let delivery = if carried == Carried::Body { "bearer" } else { "cookie" };
        let json = json!({ "user": user, "password": password(user), "delivery": delivery });
        Post { path: "/login".to_owned(), json: json.to_string() }
    },
    step_up: |user| Post { path: "/step-up".to_owned(), json: json!({ "password": password(user) }).to_string() },
};

fn password(user: &str) -> &'static str {
    if user == "alice" { "correct horse" } else { "battery staple" }
}

for_each_test!(tests_from_outside, crate::bank_suite::ABank);
