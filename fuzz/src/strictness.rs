//! The list of what signoff refuses although jsonwebtoken accepts it. Closed: a refusal that is not on it is a bug.

use signoff::Rejection;

/// A way in which signoff is stricter than jsonwebtoken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Strictness {
    AbsentClaim,
    AbsentKid,
    AbsentTyp,
    ControlCharacter,
    DuplicateMember,
    ExpiresNow,
    IssuerList,
    NameLength,
    NumberRange,
    NumberSpelling,
    OtherId,
    OtherTyp,
    RefusedHeader,
    Revoked,
    TooDeep,
    TooLarge,
    UnknownKid,
    WrongClaimType,
}

impl Strictness {
    pub const ALL: [Self; 18] = [
        Self::AbsentClaim,
        Self::AbsentKid,
        Self::AbsentTyp,
        Self::ControlCharacter,
        Self::DuplicateMember,
        Self::ExpiresNow,
        Self::IssuerList,
        Self::NameLength,
        Self::NumberRange,
        Self::NumberSpelling,
        Self::OtherId,
        Self::OtherTyp,
        Self::RefusedHeader,
        Self::Revoked,
        Self::TooDeep,
        Self::TooLarge,
        Self::UnknownKid,
        Self::WrongClaimType,
    ];

    /// What is refused, in a sentence. `docs/differential.md` has the same.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::AbsentClaim => "One of `iat`, `jti`, `sid`, `pos`, `client_id` is missing.",
            Self::AbsentKid => "The header has no `kid`, or null.",
            Self::AbsentTyp => "The header has no `typ`, or null.",
            Self::ControlCharacter => "`sub` or `client_id` has a control character (U+0000-1F, U+007F-9F).",
            Self::DuplicateMember => "An object in header or payload has a member name twice, in whatever spelling.",
            Self::ExpiresNow => "`exp` is the very second that it is now.",
            Self::IssuerList => "`iss` is a list with our name in it, instead of our name.",
            Self::NameLength => "`sub` or `client_id` is empty or has more than 255 bytes.",
            Self::NumberRange => "`exp` or `iat` is after the year 9999, or `pos` is above 2^63 - 1.",
            Self::NumberSpelling => {
                "`exp`, `iat`, `nbf` or `pos` is a number with a sign, a fraction or an exponent, or is 2^64 and above."
            }
            Self::OtherId => "`jti` or `sid` is text, but not 22 characters of canonical base64url.",
            Self::OtherTyp => "`typ` is another than `at+jwt`.",
            Self::RefusedHeader => "The header has a member that changes the meaning of the token or brings a key.",
            Self::Revoked => "The token, its session, its subject or its client is revoked.",
            Self::TooDeep => "Header or payload nest deeper than eight levels.",
            Self::TooLarge => "The token has more than 8 KiB, or its header more than 1 KiB.",
            Self::UnknownKid => "`kid` names no key of ours.",
            Self::WrongClaimType => {
                "One of `iat`, `jti`, `sid`, `pos`, `client_id`, `scope` is there, and of another type than ours."
            }
        }
    }

    /// What signoff may answer. A token in several classes may get any of their answers: no order is promised.
    pub const fn rejection(self) -> Rejection {
        match self {
            Self::ExpiresNow => Rejection::Expired,
            Self::OtherTyp => Rejection::WrongType,
            Self::Revoked => Rejection::Revoked,
            Self::TooLarge => Rejection::TooLarge,
            Self::UnknownKid => Rejection::UnknownKey,
            _ => Rejection::Malformed,
        }
    }
}
