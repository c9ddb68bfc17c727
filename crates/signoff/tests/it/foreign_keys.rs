//! Fetching an issuer's keys: how often, how long they count, and what a failure means.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use signoff::foreign::{AccessTokens, Issuer};
use signoff::{Cause, Delivery, Denied, ErrorKind, Rejection};

use crate::bank::{Bank, secs};
use crate::foreign::{API, ISSUER, Provider, Source, now, rejected};

struct Scene {
    bank: Bank,
    source: Source,
    issuer: Issuer,
    access: AccessTokens,
    provider: Provider,
}

async fn scene() -> Scene {
    let (source, provider) = (Source::default(), Provider::ed(ISSUER, "one"));
    source.answer(Some(provider.jwks()));
    let issuer = source.issuer().build().unwrap();
    let access = AccessTokens::untyped(&issuer, API);
    Scene { bank: Bank::open(Delivery::Jwt).await, source, issuer, access, provider }
}

impl Scene {
    async fn authenticate(&self, token: &str) -> Result<(), Denied> {
        self.bank.signoff.authenticate_foreign(&self.access, token).await.map(drop)
    }

    fn verify(&self, token: &str) -> Result<(), Rejection> {
        self.bank.signoff.verify_foreign(&self.access, token).map(drop)
    }

    /// A token that is good at any time of these tests.
    fn token(&self, provider: &Provider) -> String {
        let now = now() + i64::try_from(self.bank.signoff.since(crate::bank::start()).unwrap().as_secs()).unwrap();
        provider.access(&json!({"iat": now, "exp": now + 86_400}))
    }
}

fn unavailable(denied: Denied) {
    match denied {
        Denied::Failed(error) => assert_eq!(error.kind(), ErrorKind::Unavailable),
        Denied::Rejected(rejection) => panic!("an outage became a rejection: {rejection:?}"),
    }
}

#[tokio::test]
async fn the_first_token_fetches_the_keys() {
    let scene = scene().await;
    let token = scene.token(&scene.provider);
    assert_eq!(scene.verify(&token), Err(Rejection::Stale), "without keys nobody can tell");
    scene.authenticate(&token).await.unwrap();
    assert_eq!(scene.verify(&token), Ok(()));
    assert_eq!(scene.source.asked(), 1);
}

#[tokio::test]
async fn a_storm_of_made_up_names_is_one_fetch() {
    let scene = Arc::new(scene().await);
    let stranger = Provider::ed(ISSUER, "one");
    let storm = async |from: u64| {
        let mut tasks = Vec::new();
        for n in from..from + 10_000 {
            let scene = Arc::clone(&scene);
            let token = stranger.sign(&json!({"kid": format!("junk {n}")}), &json!({"iss": ISSUER}));
            tasks.push(tokio::spawn(async move { scene.authenticate(&token).await.map_err(rejected) }));
        }
        for task in tasks {
            assert_eq!(task.await.unwrap(), Err(Rejection::UnknownKey));
        }
    };
    scene.authenticate(&scene.token(&scene.provider)).await.unwrap();
    assert_eq!(scene.source.asked(), 1);
    storm(0).await;
    assert_eq!(scene.source.asked(), 1, "the cooldown of the first fetch holds");
    scene.bank.clock.advance(secs(60));
    storm(10_000).await;
    assert_eq!(scene.source.asked(), 2);
    scene.authenticate(&scene.token(&scene.provider)).await.unwrap();
    assert_eq!(scene.source.asked(), 2);
}

#[tokio::test]
async fn who_asks_while_a_fetch_is_under_way_shares_it() {
    let scene = Arc::new(scene().await);
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let scene = Arc::clone(&scene);
            tokio::spawn(async move { scene.bank.signoff.refresh_issuer(&scene.issuer).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(scene.source.asked(), 1);
    scene.bank.signoff.refresh_issuer(&scene.issuer).await.unwrap();
    assert_eq!(scene.source.asked(), 2, "asked for, whatever the cooldown says");
}

#[tokio::test]
async fn a_new_key_is_found_and_an_old_one_dropped() {
    let scene = scene().await;
    let old = scene.token(&scene.provider);
    scene.authenticate(&old).await.unwrap();
    let next = Provider::ed(ISSUER, "two");
    let new = scene.token(&next);
    // The issuer replaces its key without publishing the new one first.
    scene.source.answer(Some(next.jwks()));
    assert_eq!(rejected(scene.authenticate(&new).await.unwrap_err()), Rejection::UnknownKey, "within the cooldown");
    scene.bank.clock.advance(secs(61));
    assert_eq!(scene.verify(&old), Ok(()));
    scene.authenticate(&new).await.unwrap();
    assert_eq!(scene.source.asked(), 2);
    assert_eq!(scene.verify(&old), Err(Rejection::UnknownKey), "a remembered signature of it does not count");
    assert_eq!(scene.issuer.kids(), ["two"]);
    // Another key under the old name.
    let impostor = Provider::ed(ISSUER, "one");
    scene.source.answer(Some(impostor.jwks()));
    scene.bank.signoff.refresh_issuer(&scene.issuer).await.unwrap();
    assert_eq!(scene.verify(&old), Err(Rejection::BadSignature));
    assert_eq!(scene.verify(&new), Err(Rejection::UnknownKey));
    // The first key comes back.
    scene.source.answer(Some(scene.provider.jwks()));
    scene.bank.signoff.refresh_issuer(&scene.issuer).await.unwrap();
    assert_eq!(scene.verify(&old), Ok(()));
}

#[tokio::test]
async fn keys_are_fetched_again_when_they_are_old_and_count_until_they_are_too_old() {
    let scene = scene().await;
    scene.authenticate(&scene.token(&scene.provider)).await.unwrap();
    scene.bank.clock.advance(secs(3_599));
    scene.authenticate(&scene.token(&scene.provider)).await.unwrap();
    assert_eq!(scene.source.asked(), 1);
    scene.bank.clock.advance(secs(1));
    scene.authenticate(&scene.token(&scene.provider)).await.unwrap();
    assert_eq!(scene.source.asked(), 2);

    // The issuer is away. A broken document is as bad as none.
    for (answer, asked) in [(None, 3), (Some("{}".to_owned()), 4), (Some("<html>".to_owned()), 5)] {
        scene.source.answer(answer);
        scene.bank.clock.advance(secs(3_600));
        for _ in 0..3 {
            scene.authenticate(&scene.token(&scene.provider)).await.unwrap();
        }
        assert_eq!(scene.source.asked(), asked, "once in a cooldown");
    }
    scene.bank.clock.advance(secs(20 * 3_600 + 3_599));
    let token = scene.token(&scene.provider);
    scene.authenticate(&token).await.unwrap();
    assert_eq!(scene.verify(&token), Ok(()));
    scene.bank.clock.advance(secs(1));
    unavailable(scene.authenticate(&token).await.unwrap_err());
    assert_eq!(scene.verify(&token), Err(Rejection::Stale));
    // Yet a person can log out.
    let _ = scene.bank.signoff.log_out_foreign(&scene.access, &token, Cause::logout()).await.unwrap();

    scene.source.answer(Some(scene.provider.jwks()));
    scene.bank.clock.advance(secs(60));
    scene.authenticate(&scene.token(&scene.provider)).await.unwrap();
    assert_eq!(rejected(scene.authenticate(&token).await.unwrap_err()), Rejection::Revoked);
}

#[tokio::test]
async fn a_failure_is_not_told_as_an_unknown_key() {
    let scene = scene().await;
    scene.source.answer(None);
    let token = scene.token(&scene.provider);
    for _ in 0..3 {
        unavailable(scene.authenticate(&token).await.unwrap_err());
    }
    assert_eq!(scene.source.asked(), 1);
    let logged_out = scene.bank.signoff.log_out_foreign(&scene.access, &token, Cause::logout()).await;
    unavailable(logged_out.unwrap_err());
    // The application may ask again at once.
    assert!(scene.bank.signoff.refresh_issuer(&scene.issuer).await.is_err());
    scene.source.answer(Some(scene.provider.jwks()));
    scene.bank.signoff.refresh_issuer(&scene.issuer).await.unwrap();
    scene.authenticate(&token).await.unwrap();
    assert_eq!(scene.source.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_or_panics_is_a_source_that_fails() {
    let bank = Bank::open(Delivery::Jwt).await;
    let token = Provider::ed(ISSUER, "one").access(&json!({}));
    let hanging = Issuer::fetched(ISSUER, std::future::pending).build().unwrap();
    let access = AccessTokens::untyped(&hanging, API);
    let began = tokio::time::Instant::now();
    unavailable(bank.signoff.authenticate_foreign(&access, &token).await.unwrap_err());
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    let panicking = Issuer::fetched(ISSUER, || async { panic!("a defect of the application") }).build().unwrap();
    let access = AccessTokens::untyped(&panicking, API);
    for _ in 0..2 {
        unavailable(bank.signoff.authenticate_foreign(&access, &token).await.unwrap_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_goes_away_does_not_take_the_fetch_along() {
    let provider = Provider::ed(ISSUER, "one");
    let jwks = provider.jwks();
    let slow = Issuer::fetched(ISSUER, move || {
        let jwks = jwks.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(2)).await;
            Ok(jwks)
        }
    });
    let bank = Bank::open(Delivery::Jwt).await;
    let issuer = slow.build().unwrap();
    let access = AccessTokens::untyped(&issuer, API);
    let token = provider.access(&json!({}));
    let impatient = bank.signoff.authenticate_foreign(&access, &token);
    assert!(tokio::time::timeout(Duration::from_secs(1), impatient).await.is_err());
    bank.signoff.authenticate_foreign(&access, &token).await.unwrap();
    let began = tokio::time::Instant::now();
    assert!(bank.signoff.verify_foreign(&access, &token).is_ok());
    assert_eq!(began.elapsed(), Duration::ZERO);
}
