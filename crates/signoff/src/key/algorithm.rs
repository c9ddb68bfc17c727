//! The signature algorithms, a closed set. It computes nothing: the primitives are in `crypto`.

/// The signature algorithms that tokens may use: a closed set, and each key is bound to one of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Algorithm {
    /// Ed25519 (RFC 8037). The default: fast, deterministic, small.
    #[default]
    EdDsa,
    /// ECDSA with P-256 and SHA-256 (RFC 7518, section 3.4), for partners that lack Ed25519.
    Es256,
    /// ECDSA with P-384 and SHA-384 (RFC 7518, section 3.4), where a profile demands that curve.
    Es384,
    /// HMAC with SHA-256 (RFC 7518, section 3.2), for one service that verifies only its own tokens.
    Hs256,
    /// HMAC with SHA-384 (RFC 7518, section 3.2).
    Hs384,
    /// HMAC with SHA-512 (RFC 7518, section 3.2).
    Hs512,
    /// RSASSA-PSS with SHA-256 (RFC 7518, section 3.5), for what others sign.
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518, section 3.3), for what others sign.
    Rs256,
}

impl Algorithm {
    const ALL: [Self; 8] =
        [Self::EdDsa, Self::Es256, Self::Es384, Self::Hs256, Self::Hs384, Self::Hs512, Self::Ps256, Self::Rs256];

    /// The name in the header `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
        }
    }

    /// Names are case-sensitive (RFC 7515, section 4.1.1).
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Whether who verifies can also sign.
    pub(crate) const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }

    pub(super) const fn is_rsa(self) -> bool {
        matches!(self, Self::Ps256 | Self::Rs256)
    }

    pub(super) const fn jsonwebtoken(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Es384 => jsonwebtoken::Algorithm::ES384,
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::Hs384 => jsonwebtoken::Algorithm::HS384,
            Self::Hs512 => jsonwebtoken::Algorithm::HS512,
            Self::Ps256 => jsonwebtoken::Algorithm::PS256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
        }
    }
}
