//! Verifying tokens: JWTs beside the jsonwebtoken crate and beside the bare signature, opaque tokens beside a query.
//!
//! Claims: what `Signoff::verify`, revocation check included, takes of the time of `jsonwebtoken::decode` without one, and
//! of the signature alone; what an opaque token from the session cache takes of the query that it saves.

use std::error::Error;
use std::hint::black_box;

use jsonwebtoken::{DecodingKey, Validation};
use ring::hmac;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use signoff::{Algorithm, Delivery, KeySet, Login, MemoryStore, Settings, SigningKey, Signoff, Store, Subject};
use signoff_benches::{Contestant, Length, Unit, claim, file_system, interleave, nanos_each, remark};
use signoff_sqlx::SqliteStore;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row};
use tokio::runtime::Runtime;

const ISSUER: &str = "https://bank.example";
const AUDIENCE: &str = "https://bank.example/api";
/// Tokens that take turns, so that no branch predictor learns one by heart.
const TOKENS: usize = 64;
/// Verifications per measurement: well within a time slice, so that the median knows no preemption.
const BATCH: usize = 100;
/// Opaque sessions in the cache.
const SESSIONS: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let length = Length::from_args();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    jwt_hs256(length, &runtime)?;
    jwt_eddsa(length, &runtime)?;
    opaque(length, &runtime)
}

fn jwt_hs256(length: Length, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    let secret = *b"an example secret of 32 bytes...";
    let raw = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let key = SigningKey::from_secret(Algorithm::Hs256, &secret)?;
    let signoff = runtime.block_on(open(MemoryStore::new(), key, Delivery::Jwt))?;
    let tokens = runtime.block_on(mint(&signoff, TOKENS))?;
    describe(&tokens);
    let signed: Vec<_> = tokens.iter().map(|token| (signed(token), hmac::sign(&raw, signed(token)))).collect();

    let (key, validation) = (DecodingKey::from_secret(&secret), validation(jsonwebtoken::Algorithm::HS256));
    let [ours, base, floor] = interleave(
        "verify a JWT, HS256",
        Unit::Nanoseconds,
        length.pick(1_001, 301),
        [
            Contestant::new("Signoff::verify, revocation check included", || {
                nanos_each(BATCH, |n| assert!(signoff.verify(black_box(&tokens[n % TOKENS])).is_ok()))
            }),
            Contestant::new("jsonwebtoken 11 decode (rust_crypto)", || {
                nanos_each(BATCH, |n| {
                    let token = black_box(&tokens[n % TOKENS]);
                    assert!(jsonwebtoken::decode::<Payload>(token, &key, &validation).is_ok());
                })
            }),
            Contestant::new("ring HMAC-SHA-256 alone", || {
                nanos_each(BATCH, |n| {
                    let (signed, tag) = black_box(&signed[n % TOKENS]);
                    assert!(hmac::verify(&raw, signed, tag.as_ref()).is_ok());
                })
            }),
        ],
    );
    claim("verify-hs256", &ours, &base);
    claim("verify-hs256-floor", &ours, &floor);
    Ok(())
}

fn jwt_eddsa(length: Length, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    // RFC 5958 around a seed of 32 bytes.
    let mut pkcs8 = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    pkcs8.extend([7; 32]);
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8).map_err(|_| "not a key")?;
    let public = pair.public_key().as_ref();
    let raw = UnparsedPublicKey::new(&ED25519, public);
    let signoff =
        runtime.block_on(open(MemoryStore::new(), SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8)?, Delivery::Jwt))?;
    let tokens = runtime.block_on(mint(&signoff, TOKENS))?;
    let signed: Vec<_> = tokens.iter().map(|token| (signed(token), pair.sign(signed(token)))).collect();

    let (key, validation) = (DecodingKey::from_ed_der(public), validation(jsonwebtoken::Algorithm::EdDSA));
    let [ours, base, floor] = interleave(
        "verify a JWT, EdDSA (Ed25519)",
        Unit::Nanoseconds,
        length.pick(1_001, 301),
        [
            Contestant::new("Signoff::verify, revocation check included", || {
                nanos_each(BATCH / 4, |n| assert!(signoff.verify(black_box(&tokens[n % TOKENS])).is_ok()))
            }),
            Contestant::new("jsonwebtoken 11 decode (rust_crypto)", || {
                nanos_each(BATCH / 4, |n| {
                    let token = black_box(&tokens[n % TOKENS]);
                    assert!(jsonwebtoken::decode::<Payload>(token, &key, &validation).is_ok());
                })
            }),
            Contestant::new("ring Ed25519 alone", || {
                nanos_each(BATCH / 4, |n| {
                    let (signed, signature) = black_box(&signed[n % TOKENS]);
                    assert!(raw.verify(signed, signature.as_ref()).is_ok());
                })
            }),
        ],
    );
    claim("verify-eddsa", &ours, &base);
    claim("verify-eddsa-floor", &ours, &floor);
    Ok(())
}

fn opaque(length: Length, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let store = runtime.block_on(SqliteStore::open(folder.path().join("signoff.sqlite3")))?;
    let signoff = runtime.block_on(open(store, SigningKey::generate()?, Delivery::Opaque))?;
    let tokens = runtime.block_on(mint(&signoff, SESSIONS))?;
    for token in &tokens {
        runtime.block_on(signoff.authenticate(token))?;
    }

    // What one would write without a cache: the hash is the key, and the row is found or it is not.
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("plain.sqlite3"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal);
    let mut connection = runtime.block_on(options.connect())?;
    let hash = |n: usize| ring::digest::digest(&ring::digest::SHA256, tokens[n].as_bytes());
    runtime.block_on(async {
        let table = "CREATE TABLE session (hash BLOB PRIMARY KEY, subject TEXT, expires_at INTEGER) WITHOUT ROWID";
        let mut transaction = connection.begin().await?;
        sqlx::query(table).execute(&mut *transaction).await?;
        for n in 0..SESSIONS {
            let insert = sqlx::query("INSERT INTO session VALUES (?, ?, ?)");
            let subject = format!("user-{n}");
            insert.bind(hash(n).as_ref()).bind(subject).bind(i64::MAX).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    })?;
    let mut select = |n: usize| {
        runtime.block_on(async {
            let query = sqlx::query("SELECT subject, expires_at FROM session WHERE hash = ?");
            let row = query.bind(hash(n).as_ref()).fetch_one(&mut connection).await.expect("the row is there");
            (row.get::<String, _>(0), row.get::<i64, _>(1))
        })
    };

    // Sessions take turns, so that each check finds what the ones before did not leave in the processor's caches.
    let (mut ours, mut theirs) = (0, 0);
    let next = |turn: &mut usize| {
        *turn = (*turn + 1) % SESSIONS;
        *turn
    };
    let [ours, base] = interleave(
        &format!("check an opaque token, {SESSIONS} sessions, on {}", file_system(folder.path())),
        Unit::Nanoseconds,
        length.pick(301, 101),
        [
            Contestant::new("Signoff::verify from the session cache, revocation included", || {
                nanos_each(4 * BATCH, |_| assert!(signoff.verify(black_box(&tokens[next(&mut ours)])).is_ok()))
            }),
            Contestant::new("SELECT by primary key through sqlx, SQLite, one connection", || {
                nanos_each(BATCH / 2, |_| {
                    black_box(select(next(&mut theirs)));
                })
            }),
        ],
    );
    claim("opaque-check", &ours, &base);
    Ok(())
}

async fn open(store: impl Store, key: SigningKey, delivery: Delivery) -> Result<Signoff, signoff::Error> {
    let mut settings = Settings::new(ISSUER, AUDIENCE);
    settings.delivery = delivery;
    Signoff::open(store, KeySet::new(key), settings).await
}

/// An application's own claims; they bring the payload to about 250 bytes.
#[derive(Serialize)]
struct Own {
    role: &'static str,
}

async fn mint(signoff: &Signoff, count: usize) -> Result<Vec<String>, signoff::Error> {
    let mut tokens = Vec::with_capacity(count);
    for n in 0..count {
        let login = Login::new(Subject::new(&format!("user-{n}"))?).claims(&Own { role: "customer" })?;
        tokens.push(signoff.log_in(login).await?.token.expose().to_owned());
    }
    Ok(tokens)
}

/// What jsonwebtoken deserialises: the same claims.
#[derive(Deserialize)]
#[expect(dead_code, reason = "decoded, as an application would, and not looked at")]
struct Payload {
    iss: String,
    sub: String,
    aud: String,
    exp: u64,
    iat: u64,
    jti: String,
    sid: String,
    pos: u64,
    client_id: String,
    role: String,
}

/// The checks that ours makes, as far as jsonwebtoken knows them.
fn validation(algorithm: jsonwebtoken::Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.leeway = 0;
    validation.validate_nbf = true;
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation
}

/// What the signature of a token covers.
fn signed(token: &str) -> &[u8] {
    token.rsplit_once('.').map_or(&[][..], |(signed, _)| signed.as_bytes())
}

fn describe(tokens: &[String]) {
    let payload = tokens[0].split('.').nth(1).map_or(0, |payload| payload.len() * 3 / 4);
    let token = tokens[0].len();
    remark(format_args!("{TOKENS} tokens by turns; an HS256 token has {token} bytes, its payload {payload} as JSON"));
}
