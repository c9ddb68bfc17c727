//! The calls of signoff that this bench times, and the services that it times them on.

use std::error::Error;

use serde::Serialize;
use signoff::opaque::{self, Kind, Peppers};
use signoff::{Algorithm, Delivery, KeySet, Login, MemoryStore, Session, Settings, SigningKey, Signoff, Subject};
use tokio::runtime::Runtime;

use crate::keys::{ED25519_PKCS8, P256_PKCS8, RSA_PKCS8, SECRET, Scheme};

/// Who issues all tokens here.
pub(crate) const ISSUER: &str = "https://bank.example";
/// Whom they are for.
pub(crate) const AUDIENCE: &str = "https://bank.example/api";

/// What may be remembered of tokens that were verified.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Memory {
    /// Nothing: each presentation is a first one.
    Off,
    /// What the settings say when nobody has changed them.
    Default,
    /// Whatever the bench presents.
    All,
}

/// A service that signs by this scheme.
pub(crate) fn open(runtime: &Runtime, scheme: Scheme, memory: Memory) -> Result<Signoff, Box<dyn Error>> {
    let mut settings = Settings::new(ISSUER, AUDIENCE);
    match memory {
        Memory::Off => settings.signature_memory = 0,
        Memory::Default => {}
        Memory::All => settings.signature_memory = 512 << 20,
    }
    Ok(runtime.block_on(Signoff::open(MemoryStore::new(), KeySet::new(key(scheme)?), settings))?)
}

/// A service whose tokens are opaque, with room for so many sessions in its cache.
pub(crate) fn open_opaque(runtime: &Runtime, sessions: usize) -> Result<Signoff, Box<dyn Error>> {
    let mut settings = Settings::new(ISSUER, AUDIENCE);
    settings.delivery = Delivery::Opaque;
    settings.session_cache = sessions;
    Ok(runtime.block_on(Signoff::open(MemoryStore::new(), KeySet::new(SigningKey::generate()?), settings))?)
}

fn key(scheme: Scheme) -> Result<SigningKey, signoff::Error> {
    match scheme {
        Scheme::Hs256 => SigningKey::from_secret(Algorithm::Hs256, &SECRET),
        Scheme::EdDsa => SigningKey::from_pkcs8(Algorithm::EdDsa, &ED25519_PKCS8),
        Scheme::Es256 => SigningKey::from_pkcs8(Algorithm::Es256, P256_PKCS8),
        Scheme::Rs256 => SigningKey::from_rsa_pkcs8(Algorithm::Rs256, RSA_PKCS8),
    }
}

/// An application's own claims; they bring the payload to about 250 bytes.
#[derive(Serialize)]
struct Own {
    role: &'static str,
}

/// The tokens of so many logins, each of somebody else.
pub(crate) fn tokens(runtime: &Runtime, signoff: &Signoff, count: usize) -> Result<Vec<String>, signoff::Error> {
    (0..count).map(|number| log_in(runtime, signoff, number)).collect()
}

fn log_in(runtime: &Runtime, signoff: &Signoff, number: usize) -> Result<String, signoff::Error> {
    let login = Login::new(Subject::new(&format!("user-{number}"))?).claims(&Own { role: "customer" })?;
    Ok(runtime.block_on(signoff.log_in(login))?.token.expose().to_owned())
}

/// Mints one JWT after the other for one session, without going through a login.
pub(crate) struct Minter<'a> {
    signoff: &'a Signoff,
    session: Session,
}

impl<'a> Minter<'a> {
    /// Logs somebody in.
    pub(crate) fn new(runtime: &Runtime, signoff: &'a Signoff) -> Result<Self, Box<dyn Error>> {
        let live = signoff.verify(&log_in(runtime, signoff, 0)?).map_err(|rejection| format!("{rejection:?}"))?;
        let session = runtime.block_on(signoff.session(&live))?.ok_or("the session is alive")?;
        Ok(Self { signoff, session })
    }

    /// The length of a new token.
    pub(crate) fn mint(&self) -> usize {
        self.signoff.mint(&self.session).expect("the session is alive").token.expose().len()
    }
}

/// The length of a new opaque token, hashed for the store.
pub(crate) fn mint_opaque() -> usize {
    let (token, hash) = opaque::generate(Kind::Access, &Peppers::none()).expect("there are random numbers");
    std::hint::black_box(hash);
    token.expose().len()
}
