//! What can be revoked of a foreign issuer, and the ids that it has in our log. It commits nothing.
//!
//! Every id is a SHA-256 over (kind, issuer, what the issuer calls it), each part with its length before it, so that
//! no two of them run into each other: the same `sub` of two issuers is two subjects. Error directions: two things
//! under one id would end the wrong person's tokens, or, worse, let a revocation be taken for done; that takes a
//! collision of SHA-256.

use ring::digest;

use crate::{Scope as LogScope, b64};

/// A set of tokens of one issuer that can be revoked as one, by the names that the issuer gives. Compared byte for byte.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Scope<'a> {
    /// Every token for this client: `client_id`, `azp`, `cid` (Okta) or `appid` (Entra), and the `aud` of ID tokens.
    Client(&'a str),
    /// Every token of the issuer.
    Everything,
    /// Every token signed by this key (`kid`), whatever it says. It is never forgotten.
    Key(&'a str),
    /// Every token of one session (`sid`).
    Session(&'a str),
    /// Every token of one person (`sub`).
    Subject(&'a str),
    /// One token (`jti`).
    Token(&'a str),
}

impl Scope<'_> {
    /// What the audit trail calls it.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Client(_) => "client",
            Self::Everything => "everything",
            Self::Key(_) => "key",
            Self::Session(_) => "session",
            Self::Subject(_) => "subject",
            Self::Token(_) => "token",
        }
    }

    pub(super) const fn id(&self) -> &str {
        match self {
            Self::Client(id) | Self::Key(id) | Self::Session(id) | Self::Subject(id) | Self::Token(id) => id,
            Self::Everything => "",
        }
    }

    /// Its id in our log.
    pub(super) fn derive(&self, issuer: &str) -> Derived {
        let hash = hash(self.word(), issuer, self.id().as_bytes());
        match self {
            Self::Client(_) | Self::Everything => Derived::Client(name(&hash)),
            Self::Key(_) => Derived::Key(name(&hash)),
            Self::Session(_) => Derived::Session(short(&hash)),
            Self::Subject(_) => Derived::Subject(name(&hash)),
            Self::Token(_) => Derived::Token(short(&hash)),
        }
    }
}

/// A scope with its id in our log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Derived {
    Client(Box<str>),
    Key(Box<str>),
    Session([u8; 16]),
    Subject(Box<str>),
    Token([u8; 16]),
}

impl Derived {
    /// A token without a `jti` is known by its signed claims. Never by its signature, which has several spellings (an
    /// ECDSA signature has a twin), and never by its header.
    pub(super) fn nameless_token(issuer: &str, payload: &[u8]) -> Self {
        Self::Token(short(&hash("payload", issuer, payload)))
    }

    pub(super) fn as_scope(&self) -> LogScope<'_> {
        match self {
            Self::Client(id) => LogScope::Client(id),
            Self::Key(id) => LogScope::Key(id),
            Self::Session(id) => LogScope::Session(id),
            Self::Subject(id) => LogScope::Subject(id),
            Self::Token(id) => LogScope::Token(id),
        }
    }
}

fn hash(kind: &str, issuer: &str, id: &[u8]) -> digest::Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [b"signoff foreign 1", kind.as_bytes(), issuer.as_bytes(), id] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.finish()
}

fn short(hash: &digest::Digest) -> [u8; 16] {
    hash.as_ref().first_chunk().copied().unwrap_or_default()
}

/// The control character in it is what no subject, client or key of ours may have in its name, so nobody can register
/// under the name of somebody else's foreign scope and log them out.
fn name(hash: &digest::Digest) -> Box<str> {
    format!("foreign:\u{1f}{}", b64::text(hash.as_ref())).into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{ClientId, Subject};

    #[test]
    fn ids_differ_by_kind_issuer_and_name() {
        let mut seen = HashSet::new();
        for issuer in ["https://a", "https://ab", ""] {
            for id in ["x", "bx", "", "https://a"] {
                let scopes =
                    [Scope::Client(id), Scope::Key(id), Scope::Session(id), Scope::Subject(id), Scope::Token(id)];
                for scope in scopes {
                    let derived = scope.derive(issuer);
                    assert!(seen.insert(derived.as_scope().id().to_vec()), "{issuer} {scope:?}");
                }
                let nameless = Derived::nameless_token(issuer, id.as_bytes());
                assert!(seen.insert(nameless.as_scope().id().to_vec()));
            }
            assert!(seen.insert(Scope::Everything.derive(issuer).as_scope().id().to_vec()));
        }
    }

    #[test]
    fn nobody_of_ours_can_be_called_so() {
        let derived = Scope::Subject("alice").derive("https://idp.example");
        let name = std::str::from_utf8(derived.as_scope().id()).unwrap().to_owned();
        assert!(Subject::new(&name).is_err());
        assert!(ClientId::new(&name).is_err());
    }

    #[test]
    fn the_ids_never_change() {
        // They are in stores.
        let Derived::Session(id) = Scope::Session("s").derive("https://idp.example") else { panic!() };
        assert_eq!(id.map(|byte| format!("{byte:02x}")).concat(), "439c16e2ad531c493d327b617c081211");
    }
}
