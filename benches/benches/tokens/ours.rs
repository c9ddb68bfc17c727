//! The calls of signoff that this bench times, and the services that it times them on.

use std::error::Error;

use serde::Serialize;
use signoff::{Algorithm, Context, Delivery, KeySet, Live, Login, MemoryStore, Settings, SigningKey, Signoff, Subject};
use tokio::runtime::Runtime;

use crate::keys::{ED25519_PKCS8, P256_PKCS8, SECRET, Scheme};

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

/// A service that signs by this scheme; `None` when ours does not know it.
pub(crate) fn open(runtime: &Runtime, scheme: Scheme, memory: Memory) -> Result<Option<Signoff>, Box<dyn Error>> {
    let Some(key) = key(scheme)? else { return Ok(None) };
    let mut settings = Settings::new(ISSUER, AUDIENCE);
    remember(&mut settings, memory);
    Ok(Some(runtime.block_on(Signoff::open(MemoryStore::new(), KeySet::new(key), settings))?))
}

/// A service whose tokens are opaque, with room for so many sessions in its cache.
pub(crate) fn open_opaque(runtime: &Runtime, sessions: u64) -> Result<Signoff, Box<dyn Error>> {
    let mut settings = Settings::new(ISSUER, AUDIENCE);
    settings.delivery = Delivery::Opaque;
    settings.session_cache = sessions;
    Ok(runtime.block_on(Signoff::open(MemoryStore::new(), KeySet::new(SigningKey::generate()?), settings))?)
}

fn key(scheme: Scheme) -> Result<Option<SigningKey>, signoff::Error> {
    match scheme {
        Scheme::Hs256 => SigningKey::from_secret(&SECRET).map(Some),
        Scheme::EdDsa => SigningKey::from_pkcs8(Algorithm::EdDsa, &ED25519_PKCS8).map(Some),
        Scheme::Es256 => SigningKey::from_pkcs8(Algorithm::Es256, P256_PKCS8).map(Some),
        Scheme::Rs256 => Ok(None),
    }
}

/// There is no such memory yet: every presentation is verified like the first.
const fn remember(_settings: &mut Settings, memory: Memory) {
    match memory {
        Memory::Off | Memory::Default | Memory::All => {}
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
    runtime: &'a Runtime,
    signoff: &'a Signoff,
    live: Live,
}

impl<'a> Minter<'a> {
    /// Logs somebody in.
    pub(crate) fn new(runtime: &'a Runtime, signoff: &'a Signoff) -> Result<Self, Box<dyn Error>> {
        let live = signoff.verify(&log_in(runtime, signoff, 0)?).map_err(|rejection| format!("{rejection:?}"))?;
        Ok(Self { runtime, signoff, live })
    }

    /// The length of a new token. A renewal also finds the session in the store, which here is a map in memory.
    pub(crate) fn mint(&self) -> usize {
        let renewed = self.runtime.block_on(self.signoff.renew(&self.live, Context::new()));
        renewed.expect("the session is alive").token.expose().len()
    }
}

/// The length of a new opaque token, hashed for the store. This is a whole login, with all that it writes.
pub(crate) fn mint_opaque(runtime: &Runtime, signoff: &Signoff) -> usize {
    log_in(runtime, signoff, 0).expect("the store is in memory").len()
}
