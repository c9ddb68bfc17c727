//! jwt-simple, with keys that are parsed once.

use std::error::Error;

use jwt_simple::prelude::{
    Claims, Duration, ECDSAP256KeyPairLike, ECDSAP256PublicKeyLike, ES256KeyPair, ES256PublicKey, Ed25519KeyPair,
    Ed25519PublicKey, EdDSAKeyPairLike, EdDSAPublicKeyLike, HS256Key, MACLike, RS256PublicKey, RSAPublicKeyLike,
    VerificationOptions,
};

use crate::claims::{Own, options};
use crate::keys::{ED25519_PKCS8, P256_PKCS8, Pair, SECRET, Scheme};
use crate::ours::{AUDIENCE, ISSUER};
use crate::peers::KID;

/// A key of the bench, and what is checked.
pub(crate) struct Simple {
    key: Key,
    options: VerificationOptions,
}

enum Key {
    Hs256(HS256Key),
    EdDsa(Box<Ed25519KeyPair>, Ed25519PublicKey),
    Es256(Box<ES256KeyPair>, ES256PublicKey),
    Rs256(Box<RS256PublicKey>),
}

impl Simple {
    /// The key of the bench for this scheme.
    pub(crate) fn new(scheme: Scheme) -> Result<Self, Box<dyn Error>> {
        let key = match scheme {
            Scheme::Hs256 => Key::Hs256(HS256Key::from_bytes(&SECRET).with_key_id(KID)),
            Scheme::EdDsa => {
                let pair = Ed25519KeyPair::from_der(&ED25519_PKCS8)?;
                let public = pair.public_key();
                Key::EdDsa(Box::new(pair.with_key_id(KID)), public)
            }
            Scheme::Es256 => {
                let pair = ES256KeyPair::from_der(P256_PKCS8)?;
                let public = pair.public_key();
                Key::Es256(Box::new(pair.with_key_id(KID)), public)
            }
            Scheme::Rs256 => Key::Rs256(Box::new(RS256PublicKey::from_der(&Pair::new(scheme)?.public())?)),
        };
        Ok(Self { key, options: options() })
    }

    /// Whether the token is good. The options are taken by value, so every call clones them.
    pub(crate) fn verify(&self, token: &str) -> bool {
        let options = Some(self.options.clone());
        match &self.key {
            Key::Hs256(key) => key.verify_token::<Own>(token, options).is_ok(),
            Key::EdDsa(_, key) => key.verify_token::<Own>(token, options).is_ok(),
            Key::Es256(_, key) => key.verify_token::<Own>(token, options).is_ok(),
            Key::Rs256(key) => key.verify_token::<Own>(token, options).is_ok(),
        }
    }

    /// The length of a new token. The claims too are taken by value.
    pub(crate) fn mint(&self, subject: &str, id: &str, own: &Own) -> usize {
        let claims = Claims::with_custom_claims(own.clone(), Duration::from_mins(15))
            .with_issuer(ISSUER)
            .with_subject(subject)
            .with_audience(AUDIENCE)
            .with_jwt_id(id);
        let token = match &self.key {
            Key::Hs256(key) => key.authenticate(claims),
            Key::EdDsa(pair, _) => pair.sign(claims),
            Key::Es256(pair, _) => pair.sign(claims),
            Key::Rs256(_) => return 0,
        };
        token.expect("jwt-simple signs").len()
    }
}
