//! What a token must be to pass as one of a kind: the rules of RFC 9068, OpenID Connect Core and Back-Channel Logout,
//! made to exclude each other (RFC 8725, section 3.12). Times and revocation are not looked at here.

use super::facts::Facts;
use super::header::Type;
use crate::Rejection;

/// The kind that is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind<'a> {
    /// RFC 9068.
    Access,
    /// An access token whose header does not say so.
    AccessUntyped,
    Id(Nonce<'a>),
    Logout(Typing),
}

/// What is known of the `nonce` of an ID token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Nonce<'a> {
    /// None was sent, so the token must have none.
    Absent,
    /// It was compared when the token came in.
    ComparedBefore,
    /// This one was sent.
    Expected(&'a str),
}

/// Whether a logout token must have its `typ`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Typing {
    Legacy,
    Strict,
}

/// Decides whether a token is of a kind, for this audience.
pub(super) fn check(facts: &Facts, kind: Kind<'_>, audience: &str) -> Result<(), Rejection> {
    use Rejection::{Malformed, WrongAudience, WrongType};
    let require = |condition: bool, otherwise| if condition { Ok(()) } else { Err(otherwise) };
    let payload_type = |own: &str| facts.payload_type.as_deref().is_none_or(|typ| typ == own);
    let marks = facts.marks;

    // First what it is, then whom it is for, then what it lacks.
    let (typ_fits, own_word, marks_fit) = match kind {
        Kind::Access => (facts.typ == Type::Access, "Bearer", !marks.id && !marks.event),
        Kind::AccessUntyped => (facts.typ == Type::Unsaid, "Bearer", marks.access && !marks.id && !marks.event),
        Kind::Id(_) => (facts.typ == Type::Unsaid, "ID", !marks.access && !marks.event),
        // `nonce` is prohibited, so that no ID token passes (Back-Channel Logout, section 2.4).
        Kind::Logout(Typing::Strict) => (facts.typ == Type::Logout, "Logout", marks.logout && !marks.id),
        Kind::Logout(Typing::Legacy) => {
            let typ_fits = matches!(facts.typ, Type::Logout | Type::Unsaid);
            (typ_fits, "Logout", marks.logout && !marks.id && !marks.access)
        }
    };
    require(typ_fits && marks_fit && !marks.other && payload_type(own_word), WrongType)?;
    // Who speaks for itself authenticates as a client (RFC 7523, section 3): that is no token of a person.
    let untyped = facts.typ == Type::Unsaid;
    require(!untyped || facts.subject.as_deref() != Some(facts.issuer.name()), WrongType)?;

    require(facts.has_audience(audience), WrongAudience)?;
    match kind {
        Kind::Access => {
            require(facts.subject.is_some() && facts.token_id.is_some() && facts.client_id.is_some(), Malformed)
        }
        Kind::AccessUntyped => require(facts.subject.is_some(), Malformed),
        Kind::Id(nonce) => {
            require(facts.subject.is_some(), Malformed)?;
            // OpenID Connect Core, section 3.1.3.7, rules 4 and 5.
            match facts.authorized_party.as_deref() {
                Some(party) => require(party == audience, WrongAudience)?,
                None => require(facts.audience.len() == 1, WrongAudience)?,
            }
            match nonce {
                Nonce::Absent => require(facts.nonce.is_none(), Rejection::WrongNonce),
                Nonce::ComparedBefore => Ok(()),
                Nonce::Expected(sent) => require(facts.nonce.as_deref() == Some(sent), Rejection::WrongNonce),
            }
        }
        Kind::Logout(_) => {
            require(facts.token_id.is_some() && (facts.subject.is_some() || facts.session_id.is_some()), Malformed)
        }
    }
}
