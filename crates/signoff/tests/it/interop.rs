//! PyJWT and jose as partners: they read our tokens, our keys and our JWK set, and we read their tokens. It installs
//! them by itself, in the versions that `tests/interop` pins, and it never skips.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use signoff::time::{Clock, SystemClock};
use signoff::{
    Algorithm, Error, KeySet, Login, MemoryStore, Rejection, Settings, SigningKey, Signoff, TokenId, VerifyingKey,
};
use signoff_test_servers::{install_npm, install_pip};

use crate::bank::subject;

const ISSUER: &str = "https://bank.example";
const AUDIENCE: &str = "https://bank.example/api";
/// With escapes in the JSON of one partner, and without in that of the other.
const SUBJECT: &str = "Ärger \"🦊\" \\";

const REQUIRED: [&str; 9] = ["iss", "sub", "aud", "exp", "iat", "jti", "sid", "pos", "client_id"];

/// What is exchanged with each partner. The partner makes the key, so that its documents are tried too.
const TABLE: [Row; 8] = [
    Row { algorithm: Algorithm::EdDsa, from_bytes: SigningKey::from_pkcs8 },
    Row { algorithm: Algorithm::Es256, from_bytes: SigningKey::from_pkcs8 },
    Row { algorithm: Algorithm::Es384, from_bytes: SigningKey::from_pkcs8 },
    Row { algorithm: Algorithm::Hs256, from_bytes: SigningKey::from_secret },
    Row { algorithm: Algorithm::Hs384, from_bytes: SigningKey::from_secret },
    Row { algorithm: Algorithm::Hs512, from_bytes: SigningKey::from_secret },
    Row { algorithm: Algorithm::Ps256, from_bytes: SigningKey::from_rsa_pkcs8 },
    Row { algorithm: Algorithm::Rs256, from_bytes: SigningKey::from_rsa_pkcs8 },
];

struct Row {
    algorithm: Algorithm,
    /// How we read the partner's key.
    from_bytes: fn(Algorithm, &[u8]) -> Result<SigningKey, Error>,
}

/// How many of them have a public key.
const PUBLIC: usize = 5;

#[tokio::test]
async fn jose() {
    let answers = exchange(&install_jose()).await;
    // jose computes thumbprints (RFC 7638), and ours are the same.
    let thumbprints: Vec<_> = answers.iter().filter(|(_, answer)| answer["thumbprint"].is_string()).collect();
    assert_eq!(thumbprints.len(), PUBLIC);
    for (kid, answer) in thumbprints {
        assert_eq!(answer["thumbprint"], *kid);
    }
}

#[tokio::test]
async fn pyjwt() {
    exchange(&install_pyjwt()).await;
}

/// Everything that is exchanged with a partner; returns its answers, each with the `kid` of the key.
async fn exchange(partner: &Partner) -> Vec<(String, Value)> {
    let generated = partner.ask(&json!({ "generate": TABLE.map(|row| row.algorithm.name()) }));
    let mut orders = Vec::new();
    let mut services = Vec::new();
    for (n, Row { algorithm, .. }) in TABLE.into_iter().enumerate() {
        let signoff = service(&generated, n).await;
        let kid = import(n, &generated[n]).kid().to_owned();
        let login = Login::new(subject(SUBJECT)).scope("read write").claims(&json!({ "role": "teller" })).unwrap();
        let token = signoff.log_in(login).await.unwrap().token.expose().to_owned();
        assert_eq!(signoff.jwks().keys.len(), PUBLIC);
        orders.push(json!({
            "alg": algorithm.name(), "jwk": generated[n]["jwk"], "public": generated[n]["public"], "kid": kid,
            "jwks": signoff.jwks(), "changed": changed(&token), "token": token, "claims": claims(),
            "required": REQUIRED, "issuer": ISSUER, "audience": AUDIENCE,
        }));
        services.push(signoff);
    }
    let answers = partner.ask(&json!({ "exchange": orders }));
    let mut named = Vec::new();
    for (n, order) in orders.iter().enumerate() {
        check_reading(&answers[n], order);
        check_minted(&answers[n], &order["claims"], &services[n]);
        // The next service has the key as the partner publishes it.
        check_minted(&answers[n], &order["claims"], &services[(n + 1) % TABLE.len()]);
        named.push((order["kid"].as_str().unwrap().to_owned(), answers[n].clone()));
    }
    named
}

/// The partner has read from our token what we said.
fn check_reading(answer: &Value, order: &Value) {
    let payload = order["token"].as_str().unwrap().split('.').nth(1).unwrap();
    let ours: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    assert_eq!(answer["read"], ours, "{}", order["alg"]);
    assert_eq!(ours["sub"], SUBJECT);
    // A secret is in no set.
    let by_set = if order["public"].is_null() { &Value::Null } else { &ours };
    assert_eq!(answer["read_by_set"], *by_set, "{}", order["alg"]);
    // Lest it accepts everything.
    assert!(
        ["ERR_JWS_SIGNATURE_VERIFICATION_FAILED", "InvalidSignatureError"]
            .map(Value::from)
            .contains(&answer["refusal_of_changed"]),
        "{answer}"
    );
    assert!(
        ["ERR_JWT_CLAIM_VALIDATION_FAILED", "InvalidAudienceError"]
            .map(Value::from)
            .contains(&answer["refusal_of_audience"]),
        "{answer}"
    );
}

/// We read from the partner's token what it said, and only from one that is an access token.
fn check_minted(answer: &Value, claims: &Value, signoff: &Signoff) {
    let minted = answer["minted"].as_str().unwrap();
    let live = signoff.verify(minted).unwrap_or_else(|reason| panic!("{reason:?}: {minted}"));
    assert_eq!(live.subject().to_string(), claims["sub"]);
    assert_eq!(live.client_id().to_string(), claims["client_id"]);
    assert_eq!(live.session_id().to_string(), claims["sid"]);
    assert_eq!(live.token_id().unwrap().to_string(), claims["jti"]);
    assert_eq!(live.position().get(), claims["pos"]);
    assert_eq!(live.issued_at().as_secs(), claims["iat"]);
    assert_eq!(live.expires_at().as_secs(), claims["exp"]);
    assert_eq!(live.scope().unwrap(), claims["scope"]);
    assert_eq!(live.application::<Map<String, Value>>().unwrap()["nested"], claims["nested"]);
    assert_eq!(signoff.verify(&changed(minted)).unwrap_err(), Rejection::BadSignature);
    // jose says no `typ` unless told to, PyJWT says `JWT`.
    let default = signoff.verify(answer["minted_by_default"].as_str().unwrap()).unwrap_err();
    assert!(matches!(default, Rejection::Malformed | Rejection::WrongType), "{default:?}");
}

/// What the partners mint: the claims of one of our access tokens.
fn claims() -> Value {
    let now = SystemClock::new().wall().unwrap();
    let id = || TokenId::generate().unwrap().to_string();
    json!({
        "iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "exp": now.as_secs() + 600, "iat": now.as_secs(), "jti": id(),
        "sid": id(), "pos": now.as_micros(), "client_id": "partner", "scope": "read", "nested": { "a": [1, null, "é"] },
    })
}

/// A service that signs with the partner's key number `signing`, and verifies with the others, too.
async fn service(generated: &Value, signing: usize) -> Signoff {
    let others = (0..TABLE.len()).filter(|n| *n != signing).map(|n| published(n, &generated[n]));
    let keys = others.fold(KeySet::new(import(signing, &generated[signing])), KeySet::with_retired);
    Signoff::open(MemoryStore::new(), keys, Settings::new(ISSUER, AUDIENCE)).await.unwrap()
}

/// A key that the partner made. As a JWK it is the same key.
fn import(n: usize, generated: &Value) -> SigningKey {
    let Row { algorithm, from_bytes } = TABLE[n];
    let key = from_bytes(algorithm, &URL_SAFE_NO_PAD.decode(generated["raw"].as_str().unwrap()).unwrap()).unwrap();
    let mut jwk = generated["jwk"].clone();
    jwk["alg"] = algorithm.name().into();
    if jwk["kty"] != "RSA" {
        assert_eq!(SigningKey::from_jwk(&jwk.to_string()).unwrap().kid(), key.kid());
    }
    key
}

/// What a verifier has of the key: the JWK that the partner publishes; or the secret, there is nothing else.
fn published(n: usize, generated: &Value) -> VerifyingKey {
    match &generated["public"] {
        Value::Null => import(n, generated).verifying_key().clone(),
        public => VerifyingKey::from_jwk_as(TABLE[n].algorithm, &public.to_string()).unwrap(),
    }
}

/// The token with another character in the middle of its signature.
fn changed(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let digit = if signature.as_bytes()[20] == b'A' { "B" } else { "A" };
    format!("{input}.{}{digit}{}", &signature[..20], &signature[21..])
}

/// A program that speaks JSON on standard input and output.
struct Partner {
    program: PathBuf,
    script: PathBuf,
}

impl Partner {
    fn ask(&self, order: &Value) -> Value {
        let mut command = Command::new(&self.program);
        command.arg(&self.script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        child.stdin.take().unwrap().write_all(order.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} failed:\n{complaint}", self.script.display());
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn install_pyjwt() -> Partner {
    let folder = install_pip("interop-pyjwt", &source(), &["pyjwt.py"]).unwrap();
    Partner { program: folder.join("venv/bin/python"), script: folder.join("pyjwt.py") }
}

fn install_jose() -> Partner {
    let folder = install_npm("interop-jose", &source(), &["jose.mjs"]).unwrap();
    Partner { program: "node".into(), script: folder.join("jose.mjs") }
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop")
}
