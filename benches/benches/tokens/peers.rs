//! What else one could verify and mint with: jsonwebtoken on each backend, and jwt-simple.

use std::error::Error;
use std::hint::black_box;

use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, decode, encode};
use signoff_benches::Contestant;
use signoff_benches::arrivals::{Arrivals, Order};
use signoff_benches::loops::warm_nanos_each;

use crate::backends::Backend;
use crate::claims::{Own, Payload, validation};
use crate::keys::{ED25519_PKCS8, P256_PKCS8, Pair, SECRET, Scheme};
use crate::simple::Simple;

/// As tables and plots call it.
pub(crate) const SIMPLE: &str = "jwt-simple 0.15, pure Rust";
/// The name of a key, as long as a thumbprint.
pub(crate) const KID: &str = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";

/// jsonwebtoken as one would use it to verify.
pub(crate) struct Decoder {
    backend: Backend,
    key: DecodingKey,
    validation: Validation,
}

impl Decoder {
    /// With the key of the bench.
    pub(crate) fn new(backend: Backend, scheme: Scheme) -> Result<Self, Box<dyn Error>> {
        let public = Pair::new(scheme)?.public();
        let key = match scheme {
            Scheme::Hs256 => DecodingKey::from_secret(&SECRET),
            Scheme::EdDsa => DecodingKey::from_ed_der(&public),
            Scheme::Es256 => DecodingKey::from_ec_der(&public),
            Scheme::Rs256 => DecodingKey::from_rsa_der(&public),
        };
        Ok(Self { backend, key, validation: validation(scheme) })
    }

    /// Every batch has to select the backend: others have done so since.
    pub(crate) fn select(&self) {
        self.backend.select();
    }

    /// The claims, when all is well.
    pub(crate) fn decode(&self, token: &str) -> Option<Payload> {
        decode(token, &self.key, &self.validation).ok().map(|data| data.claims)
    }
}

/// In pure Rust, P-256 and RSA take several times as long: their batches are shorter, to end within a time slice too.
const fn pure_rust(scheme: Scheme, batch: usize) -> usize {
    match scheme {
        Scheme::Hs256 | Scheme::EdDsa => batch,
        Scheme::Es256 | Scheme::Rs256 => batch / 5,
    }
}

/// All of them, verifying these tokens.
pub(crate) fn verifiers(
    scheme: Scheme,
    tokens: &[String],
    batch: usize,
) -> Result<Vec<Contestant<'_>>, Box<dyn Error>> {
    let arrivals = |batch| Arrivals::new(tokens, Order::InTurn, batch);
    let mut all = Vec::new();
    for backend in Backend::ALL {
        let decoder = Decoder::new(backend, scheme)?;
        let batch = if backend == Backend::RustCrypto { pure_rust(scheme, batch) } else { batch };
        let mut round = arrivals(batch).in_a_row(move |token| decoder.decode(token).is_some());
        all.push(Contestant::new(backend.name(), move || {
            backend.select();
            round()
        }));
    }
    let simple = Simple::new(scheme)?;
    all.push(Contestant::new(SIMPLE, arrivals(pure_rust(scheme, batch)).in_a_row(move |token| simple.verify(token))));
    Ok(all)
}

/// All of them, minting a token with the claims of `like`. These are ready; ours draws an id for each token.
pub(crate) fn minters(scheme: Scheme, like: &str, batch: usize) -> Result<Vec<Contestant<'static>>, Box<dyn Error>> {
    let decoder = Decoder::new(Backend::AwsLcRs, scheme)?;
    decoder.select();
    let payload = || decoder.decode(like).ok_or("a token of ours is refused");
    let mut all = Vec::new();
    for backend in Backend::ALL {
        let batch = if backend == Backend::RustCrypto { pure_rust(scheme, batch) } else { batch };
        let payload = payload()?;
        let header =
            Header { typ: Some("at+jwt".to_owned()), kid: Some(KID.to_owned()), ..Header::new(scheme.jsonwebtoken()) };
        let key = match scheme {
            Scheme::Hs256 => EncodingKey::from_secret(&SECRET),
            Scheme::EdDsa => EncodingKey::from_ed_der(&ED25519_PKCS8),
            Scheme::Es256 => EncodingKey::from_ec_der(P256_PKCS8),
            Scheme::Rs256 => return Err("RS256 is for verifying here".into()),
        };
        all.push(Contestant::new(backend.name(), move || {
            backend.select();
            warm_nanos_each(batch, || {
                black_box(encode(black_box(&header), black_box(&payload), &key).expect("jsonwebtoken signs"));
            })
        }));
    }
    let (simple, Payload { sub, jti, sid, pos, client_id, role, .. }) = (Simple::new(scheme)?, payload()?);
    let own = Own { sid, pos, client_id, role };
    all.push(Contestant::new(SIMPLE, move || {
        warm_nanos_each(pure_rust(scheme, batch), || {
            black_box(simple.mint(black_box(&sub), &jti, black_box(&own)));
        })
    }));
    Ok(all)
}
