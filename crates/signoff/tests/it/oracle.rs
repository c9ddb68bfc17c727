//! jsonwebtoken as a second opinion: what we mint it accepts, and what it refuses we refuse.

use jsonwebtoken::{DecodingKey, Validation, decode};
use proptest::prelude::*;
use signoff::time::{Clock, SystemClock};
use signoff::{Algorithm, KeySet, Login, MemoryStore, Settings, SigningKey, Signoff};

use crate::bank::subject;

struct Service {
    signoff: Signoff,
    token: String,
    decoding: DecodingKey,
    validation: Validation,
}

async fn service(algorithm: Algorithm) -> Service {
    crate::bank::second_opinion();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let key = SigningKey::load_or_create(&path, algorithm).unwrap();
    let settings = Settings::new("https://bank.example", "https://bank.example/api");
    let signoff = Signoff::open(MemoryStore::new(), KeySet::new(key), settings).await.unwrap();
    let login = Login::new(subject("alice")).claims(&serde_json::json!({"role": "teller"})).unwrap();
    let token = signoff.log_in(login).await.unwrap().token.expose().to_owned();
    let (decoding, named) = match algorithm {
        Algorithm::Hs256 => (DecodingKey::from_secret(&std::fs::read(&path).unwrap()), jsonwebtoken::Algorithm::HS256),
        other => {
            let named =
                if other == Algorithm::Es256 { jsonwebtoken::Algorithm::ES256 } else { jsonwebtoken::Algorithm::EdDSA };
            (DecodingKey::from_jwk(&signoff.jwks().keys[0]).unwrap(), named)
        }
    };
    let mut validation = Validation::new(named);
    validation.leeway = 0;
    validation.validate_nbf = true;
    validation.set_issuer(&["https://bank.example"]);
    validation.set_audience(&["https://bank.example/api"]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    Service { signoff, token, decoding, validation }
}

impl Service {
    fn they_accept(&self, token: &str) -> bool {
        decode::<serde_json::Value>(token, &self.decoding, &self.validation).is_ok()
    }

    fn we_accept(&self, token: &str) -> bool {
        self.signoff.verify(token).is_ok()
    }
}

#[tokio::test]
async fn what_we_mint_they_accept() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Hs256] {
        let service = service(algorithm).await;
        let data = decode::<serde_json::Value>(&service.token, &service.decoding, &service.validation).unwrap();
        assert_eq!(data.header.typ.as_deref(), Some("at+jwt"));
        assert_eq!(data.claims["sub"], "alice");
        assert_eq!(data.claims["role"], "teller");
        let now = SystemClock::new().wall().unwrap().as_secs();
        assert!((now - 60..=now).contains(&data.claims["iat"].as_i64().unwrap()));
    }
}

#[test]
fn what_they_refuse_we_refuse() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for algorithm in [Algorithm::EdDsa, Algorithm::Hs256] {
        let service = runtime.block_on(service(algorithm));
        assert!(service.we_accept(&service.token) && service.they_accept(&service.token));
        let length = service.token.len();
        let mutation = (0..length, prop_oneof!["[A-Za-z0-9_.=-]", "\\PC"], 0..4u8);
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(3_000));
        runner
            .run(&mutation, |(at, with, how)| {
                let token = &service.token;
                let changed = match how {
                    0 => format!("{}{with}{}", &token[..at], &token[at + 1..]),
                    1 => format!("{}{with}{}", &token[..at], &token[at..]),
                    2 => format!("{}{}", &token[..at], &token[at + 1..]),
                    _ => token[..at].to_owned(),
                };
                prop_assert!(service.they_accept(&changed) || !service.we_accept(&changed), "{}", changed);
                Ok(())
            })
            .unwrap();
    }
}
