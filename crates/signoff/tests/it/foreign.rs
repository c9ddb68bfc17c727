//! What the tests of foreign issuers have in common: a provider that signs anything.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use signoff::foreign::{AccessTokens, IdTokens, Issuer, IssuerBuilder, LogoutTokens};
use signoff::{Algorithm, Delivery, Denied, KeySet, Rejection, SigningKey};

use crate::bank::{Bank, start};

pub(crate) const ISSUER: &str = "https://idp.example";
pub(crate) const API: &str = "https://bank.example/api";
pub(crate) const CLIENT: &str = "bank-web";
pub(crate) const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The private key of RFC 7515, appendix A.2.
const RSA: &str = include_str!("../../src/key/tests/rfc_7515_a2.pem");

/// A provider: one key under a name, and tokens of any shape.
pub(crate) struct Provider {
    pub(crate) issuer: String,
    pub(crate) kid: String,
    pub(crate) key: SigningKey,
}

pub(crate) fn now() -> i64 {
    start().as_secs()
}

pub(crate) fn rejected(denied: Denied) -> Rejection {
    match denied {
        Denied::Rejected(rejection) => rejection,
        Denied::Failed(error) => panic!("{error:?}"),
    }
}

impl Provider {
    pub(crate) fn new(issuer: &str, kid: &str, algorithm: Algorithm) -> Self {
        let key = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => SigningKey::from_rsa_pkcs8_pem(algorithm, RSA).unwrap(),
            _ => SigningKey::generate_for(algorithm).unwrap(),
        };
        Self { issuer: issuer.into(), kid: kid.into(), key }
    }

    pub(crate) fn ed(issuer: &str, kid: &str) -> Self {
        Self::new(issuer, kid, Algorithm::EdDsa)
    }

    /// The public key, with other members where they are given; null takes one away.
    pub(crate) fn jwk(&self, change: &Value) -> Value {
        let public = SigningKeySet::of(&self.key);
        let mut jwk = public.0;
        jwk["kid"] = json!(self.kid);
        for (name, value) in change.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        jwk
    }

    pub(crate) fn jwks(&self) -> String {
        json!({"keys": [self.jwk(&json!({}))]}).to_string()
    }

    pub(crate) fn builder(&self) -> IssuerBuilder {
        Issuer::with_jwks(&self.issuer, self.jwks())
    }

    pub(crate) fn issuer(&self) -> Issuer {
        self.builder().build().unwrap()
    }

    /// Signs any header (`alg` and `kid` are filled in) and any payload.
    pub(crate) fn sign(&self, header: &Value, payload: &Value) -> String {
        let mut full = json!({"alg": self.key.algorithm().name(), "kid": self.kid});
        for (name, value) in header.as_object().unwrap() {
            full[name] = value.clone();
        }
        full.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.sign_text(&full.to_string(), &payload.to_string())
    }

    pub(crate) fn sign_text(&self, header: &str, payload: &str) -> String {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = self.key.jwt_signer().try_sign(input.as_bytes()).unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// An access token without `typ`, as the large providers send it.
    pub(crate) fn access(&self, change: &Value) -> String {
        self.sign(&json!({"typ": "JWT"}), &self.payload(&json!({"scope": "openid read"}), change))
    }

    pub(crate) fn id(&self, change: &Value) -> String {
        let own =
            json!({"aud": CLIENT, "nonce": "n", "at_hash": "x", "auth_time": now() - 5, "acr": "1", "amr": ["pwd"]});
        self.sign(&json!({"typ": "JWT"}), &self.payload(&own, change))
    }

    pub(crate) fn logout(&self, change: &Value) -> String {
        let own = json!({"aud": CLIENT, "jti": "logout-1", "exp": now() + 120, "events": {LOGOUT_EVENT: {}}});
        self.sign(&json!({"typ": "logout+jwt"}), &self.payload(&own, change))
    }

    /// Claims that all kinds have, the kind's own, and a change: null takes one away.
    pub(crate) fn payload(&self, own: &Value, change: &Value) -> Value {
        let mut payload = json!({"iss": self.issuer, "sub": "alice", "aud": API, "iat": now(), "exp": now() + 600});
        for (name, value) in own.as_object().unwrap().iter().chain(change.as_object().unwrap()) {
            payload[name] = value.clone();
        }
        payload.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        payload
    }
}

/// The public JWK of a key, as we publish it.
struct SigningKeySet(Value);

impl SigningKeySet {
    fn of(key: &SigningKey) -> Self {
        let set = KeySet::new(SigningKey::generate().unwrap()).with_retired(key.verifying_key().clone()).jwks();
        let set = serde_json::to_value(set).unwrap();
        let ours = set["keys"].as_array().unwrap().iter().find(|jwk| jwk["kid"] == key.kid()).unwrap();
        Self(ours.clone())
    }
}

/// A source of keys that counts how often it is asked, and answers what it is told to.
#[derive(Clone, Default)]
pub(crate) struct Source(Arc<(AtomicU64, Mutex<Option<String>>)>);

impl Source {
    /// From now on it answers this; None fails.
    pub(crate) fn answer(&self, document: Option<String>) {
        *self.0.1.lock().unwrap() = document;
    }

    pub(crate) fn asked(&self) -> u64 {
        self.0.0.load(Ordering::SeqCst)
    }

    pub(crate) fn issuer(&self) -> IssuerBuilder {
        let source = self.clone();
        Issuer::fetched(ISSUER, move || {
            let source = source.clone();
            async move {
                source.0.0.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                source.0.1.lock().unwrap().clone().ok_or_else(|| "the provider is away".into())
            }
        })
    }
}

/// A provider, and a service that trusts it.
pub(crate) struct Scene {
    pub(crate) bank: Bank,
    pub(crate) provider: Provider,
    pub(crate) issuer: Issuer,
    pub(crate) access: AccessTokens,
    pub(crate) id: IdTokens,
    pub(crate) logout: LogoutTokens,
}

impl Scene {
    pub(crate) async fn open() -> Self {
        Self::on(Bank::open(Delivery::Jwt).await)
    }

    pub(crate) fn on(bank: Bank) -> Self {
        Self::of(bank, Provider::ed(ISSUER, "one"))
    }

    pub(crate) fn of(bank: Bank, provider: Provider) -> Self {
        let issuer = provider.issuer();
        let access = AccessTokens::untyped(&issuer, API);
        let id = IdTokens::new(&issuer, CLIENT);
        let logout = LogoutTokens::new(&issuer, CLIENT);
        Self { bank, provider, issuer, access, id, logout }
    }

    pub(crate) fn verify(&self, token: &str) -> Result<(), Rejection> {
        self.bank.signoff.verify_foreign(&self.access, token).map(drop)
    }
}
