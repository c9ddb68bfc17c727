//! Every kind of token before every verifier: only its own accepts it (RFC 8725, section 3.12). All JWTs here share
//! issuer, audience and key wherever that is possible at all.

use serde_json::{Value, json};
use signoff::foreign::{AccessTokens, IdTokens, LogoutTokens, Verifier};
use signoff::opaque::{Kind, Opaque, Peppers, generate};
use signoff::{Cause, Delivery, KeySet, Login, MemoryStore, Settings, SigningKey, Signoff};

use crate::bank::{Bank, start, subject};
use crate::foreign::{ISSUER, LOGOUT_EVENT, Provider, now};

/// The one audience of all tokens: a client that is its own API.
const AUDIENCE: &str = "https://bank.example/api";

/// The key of RFC 8037, appendix A.1.
const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

/// Kinds of tokens, and the verifier that each is for.
const KINDS: [(&str, &str); 16] = [
    ("own access JWT", "own"),
    ("foreign at+jwt", "access"),
    ("foreign untyped access", "untyped access"),
    ("ID token", "ID"),
    ("ID token with nonce", "ID with nonce"),
    ("logout token", "logout"),
    ("untyped logout token", "legacy logout"),
    ("SET", "-"),
    ("untyped SET", "-"),
    ("introspection JWT", "-"),
    ("status list", "-"),
    ("DPoP proof", "-"),
    ("client assertion", "-"),
    ("opaque access", "opaque access"),
    ("opaque refresh", "opaque refresh"),
    ("opaque session", "opaque session"),
];

struct Matrix {
    own: Bank,
    /// A service with another issuer and the same audience, which shares its key with the provider.
    signoff: Signoff,
    provider: Provider,
}

impl Matrix {
    async fn open() -> Self {
        // The provider signs with the key that this service signs with, under the name that it has there.
        let key = || SigningKey::from_jwk(ED25519).unwrap();
        let provider = Provider { issuer: ISSUER.into(), kid: key().kid().to_owned(), key: key() };
        let keys = KeySet::new(key());
        let clock = std::sync::Arc::new(signoff::test_util::ManualClock::new(start()));
        let settings = Settings::new("https://bank.example", AUDIENCE);
        let signoff = Signoff::open_with_clock(MemoryStore::new(), keys, settings, clock).await.unwrap();
        Self { own: Bank::open(Delivery::Opaque).await, signoff, provider }
    }

    async fn token(&self, kind: &str) -> String {
        let payload = |own: Value| self.provider.payload(&json!({"aud": AUDIENCE}), &own);
        let sign = |typ: Value, own: Value| self.provider.sign(&json!({"typ": typ}), &payload(own));
        let sets = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
        let opaque = |kind| generate(kind, &Peppers::none()).unwrap().0.expose().to_owned();
        match kind {
            "own access JWT" => {
                self.signoff.log_in(Login::new(subject("alice"))).await.unwrap().token.expose().to_owned()
            }
            "foreign at+jwt" => {
                sign(json!("at+jwt"), json!({"jti": "a", "client_id": AUDIENCE, "sid": "s", "scope": "read"}))
            }
            "foreign untyped access" => sign(json!("JWT"), json!({"jti": "a", "azp": AUDIENCE, "scope": "read"})),
            // The barest that there is: nothing but what every token has.
            "ID token" => sign(Value::Null, json!({})),
            "ID token with nonce" => sign(json!("JWT"), json!({"nonce": "n", "sid": "s", "azp": AUDIENCE})),
            "logout token" => sign(json!("logout+jwt"), json!({"jti": "l", "sid": "x", "events": {LOGOUT_EVENT: {}}})),
            "untyped logout token" => sign(json!("JWT"), json!({"jti": "u", "sid": "y", "events": {LOGOUT_EVENT: {}}})),
            "SET" => sign(json!("secevent+jwt"), json!({"jti": "e", "events": {sets: {}, LOGOUT_EVENT: {}}})),
            "untyped SET" => sign(json!("JWT"), json!({"jti": "e", "events": {sets: {}}})),
            "introspection JWT" => {
                sign(json!("token-introspection+jwt"), json!({"token_introspection": {"active": true}}))
            }
            "status list" => sign(json!("statuslist+jwt"), json!({"status_list": {"bits": 1, "lst": "eNrb"}})),
            "DPoP proof" => {
                let jwk = self.provider.jwk(&json!({}));
                let own = json!({"jti": "d", "htm": "GET", "htu": "https://bank.example/api"});
                self.provider.sign(&json!({"typ": "dpop+jwt", "jwk": jwk}), &payload(own))
            }
            "client assertion" => sign(json!("JWT"), json!({"sub": ISSUER, "jti": "c"})),
            "opaque access" => {
                let bank = &self.own;
                bank.log_in("alice").await.token.expose().to_owned()
            }
            "opaque refresh" => opaque(Kind::Refresh),
            "opaque session" => opaque(Kind::Session),
            other => panic!("no kind {other}"),
        }
    }

    async fn accepts(&self, verifier: &str, token: &str) -> bool {
        let issuer = self.provider.issuer();
        let ids = IdTokens::new(&issuer, AUDIENCE);
        let logout = async |tokens: LogoutTokens| {
            self.signoff.log_out_by_provider(&tokens, token, Cause::logout()).await.is_ok()
        };
        match verifier {
            "own" => self.signoff.verify(token).is_ok(),
            "access" => self.passes(&AccessTokens::new(&issuer, AUDIENCE), token).await,
            "untyped access" => self.passes(&AccessTokens::untyped(&issuer, AUDIENCE), token).await,
            "ID" => self.passes(&ids.without_nonce(), token).await,
            "ID with nonce" => self.passes(&ids.with_nonce("n"), token).await,
            "logout" => logout(LogoutTokens::new(&issuer, AUDIENCE)).await,
            "legacy logout" => logout(LogoutTokens::legacy_untyped(&issuer, AUDIENCE)).await,
            "opaque access" => self.own.accepts(token).await,
            "opaque refresh" => Opaque::parse(Kind::Refresh, token).is_ok(),
            "opaque session" => Opaque::parse(Kind::Session, token).is_ok(),
            other => panic!("no verifier {other}"),
        }
    }

    /// Every way that lets in decides alike, and none logs out what it would not let in.
    async fn passes<V: Verifier>(&self, verifier: &V, token: &str) -> bool {
        let verified = self.signoff.verify_foreign(verifier, token).is_ok();
        assert_eq!(self.signoff.authenticate_foreign(verifier, token).await.is_ok(), verified);
        assert_eq!(self.signoff.recognise_foreign(verifier, token).await.is_ok(), verified);
        verified
    }
}

#[tokio::test]
async fn only_the_diagonal_passes() {
    let matrix = Matrix::open().await;
    let mut verifiers: Vec<_> = KINDS.iter().map(|(_, verifier)| *verifier).filter(|name| *name != "-").collect();
    verifiers.dedup();
    for (kind, home) in KINDS {
        let token = matrix.token(kind).await;
        for verifier in &verifiers {
            // A verifier of untyped logout tokens takes typed ones as well: providers learn.
            let expect = *verifier == home || (*verifier, home) == ("legacy logout", "logout");
            assert_eq!(matrix.accepts(verifier, &token).await, expect, "{kind}, presented as {verifier}");
            // Once more, now that its signature may be remembered.
            assert_eq!(matrix.accepts(verifier, &token).await, expect, "{kind}, presented as {verifier} again");
        }
    }
}

/// Nothing in the header tells these apart, so the claims must, whatever else the issuer puts in.
#[tokio::test]
async fn untyped_kinds_exclude_each_other_whatever_they_carry() {
    let matrix = Matrix::open().await;
    let members = [
        ("nonce", json!("n")),
        ("at_hash", json!("x")),
        ("scope", json!("read")),
        ("client_id", json!("c")),
        ("azp", json!(AUDIENCE)),
        ("sid", json!("s")),
        ("jti", json!("j")),
        ("events", json!({LOGOUT_EVENT: {}})),
        ("typ", json!("Bearer")),
        ("typ", json!("ID")),
        ("typ", json!("Logout")),
        ("sub", json!(ISSUER)),
        ("token_introspection", json!({})),
    ];
    let kinds = ["untyped access", "ID", "ID with nonce", "legacy logout"];
    let mut accepted = [0; 4];
    for chosen in 0_u32..1 << members.len() {
        if chosen.count_ones() > 4 {
            continue;
        }
        let mut own = json!({"aud": AUDIENCE, "iat": now(), "unique": chosen});
        for (name, value) in members.iter().enumerate().filter(|(n, _)| chosen & 1 << n != 0).map(|(_, member)| member)
        {
            own[name] = value.clone();
        }
        let token = matrix.provider.sign(&json!({"typ": "JWT"}), &matrix.provider.payload(&own, &json!({})));
        let mut homes = Vec::new();
        // Logout last: it would end the others' sessions.
        for (n, verifier) in kinds.iter().enumerate() {
            let issuer = matrix.provider.issuer();
            let ids = IdTokens::new(&issuer, AUDIENCE);
            let passes = match *verifier {
                "untyped access" => {
                    let access = AccessTokens::untyped(&issuer, AUDIENCE);
                    matrix.signoff.recognise_foreign(&access, &token).await.is_ok()
                }
                "ID" => matrix.signoff.recognise_foreign(&ids.without_nonce(), &token).await.is_ok(),
                "ID with nonce" => matrix.signoff.recognise_foreign(&ids.with_nonce("n"), &token).await.is_ok(),
                _ => matrix.accepts(verifier, &token).await,
            };
            if passes {
                homes.push(*verifier);
                accepted[n] += 1;
            }
        }
        assert!(homes.len() <= 1, "{own} passes as {homes:?}");
    }
    assert!(accepted.iter().all(|count| *count > 0), "{accepted:?}");
}
