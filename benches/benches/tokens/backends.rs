//! All backends of jsonwebtoken in one process. It has one provider per process, so ours asks a variable which of them
//! shall do the work; that costs a load and a jump.

use std::sync::atomic::{AtomicU8, Ordering};

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils, aws_lc, rust_crypto};
use jsonwebtoken::errors::Result;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use signoff::key;

/// What jsonwebtoken leaves the cryptography to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Backend {
    AwsLcRs,
    Ring,
    RustCrypto,
}

impl Backend {
    pub(crate) const ALL: [Self; 3] = [Self::AwsLcRs, Self::Ring, Self::RustCrypto];

    /// As tables and plots call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AwsLcRs => "jsonwebtoken 11, aws_lc_rs",
            Self::Ring => "jsonwebtoken 11, ring",
            Self::RustCrypto => "jsonwebtoken 11, rust_crypto",
        }
    }

    /// From now on jsonwebtoken works with this.
    pub(crate) fn select(self) {
        SELECTED.store(self as u8, Ordering::Relaxed);
    }

    fn provider() -> &'static CryptoProvider {
        match SELECTED.load(Ordering::Relaxed) {
            selected if selected == Self::AwsLcRs as u8 => &aws_lc::DEFAULT_PROVIDER,
            selected if selected == Self::Ring as u8 => &key::PROVIDER,
            _ => &rust_crypto::DEFAULT_PROVIDER,
        }
    }
}

static SELECTED: AtomicU8 = AtomicU8::new(0);

static DISPATCHER: CryptoProvider =
    CryptoProvider { signer_factory: signer, verifier_factory: verifier, key_utils: KeyUtils::new_unimplemented() };

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    (Backend::provider().signer_factory)(algorithm, key)
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    (Backend::provider().verifier_factory)(algorithm, key)
}

/// Makes the choice possible.
pub(crate) fn install() {
    DISPATCHER.install_default().expect("nobody was faster");
}
