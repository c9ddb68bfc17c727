//! What a token says: the registered claims typed, the application's own as they are.

mod application;
mod facts;
mod layout;
mod read;

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::key::VerifyingKey;
use crate::settings::Policy;
use crate::time::Timestamp;
use crate::{ClientId, Error, ErrorKind, Position, Rejection, Scope, Session, SessionId, Subject, TokenId};

pub(crate) use application::is_own;
pub(crate) use facts::{Draft, Facts, Fixed};
pub(crate) use layout::Layout;

/// The claims of a token whose signature (or stored hash) is good.
#[derive(Clone)]
pub struct Claims(Held);

/// Where the facts are.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "that nothing is allocated is what it is for")]
enum Held {
    /// Of a token presented for the first time: here, without any allocation.
    Own(Facts<[u8; facts::INLINE]>),
    /// Remembered since the token was presented before.
    Shared(Arc<Facts>),
}

/// The claims that this library gives a meaning; an application's own may not have these names.
pub(crate) const REGISTERED: [&str; 12] =
    ["aud", "auth_time", "client_id", "exp", "iat", "iss", "jti", "nbf", "pos", "scope", "sid", "sub"];

impl<'a> Draft<'a> {
    /// Reads the claims of a JWT and checks whom they are from and for. The signature must have been verified before.
    pub(crate) fn of_jwt(payload: &'a [u8], policy: &Policy) -> Result<Self, Rejection> {
        policy.layout.scan(payload).map_or_else(|| read::read(payload, policy), Ok)
    }

    /// What a session's tokens say, without what is a token's own.
    pub(crate) fn of_session(session: &'a Session) -> Result<Self, Error> {
        let members = match session.claims.as_deref() {
            None => "",
            Some(text) => {
                let members = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
                members.filter(|members| is_own(members)).ok_or_else(|| {
                    Error::new(ErrorKind::Data, "the stored claims of a session are no JSON object of its own")
                })?
            }
        };
        let fixed = Fixed {
            session_id: session.id,
            token_id: None,
            position: session.born,
            issued_at: session.created_at,
            authenticated_at: Some(session.authenticated_at),
            not_before: None,
            expires_at: session.expires_at,
            idle_expires_at: session.idle_expires_at,
        };
        Ok(Self {
            fixed,
            subject: session.subject.as_str().into(),
            client_id: session.client_id.as_str().into(),
            scope: session.scope.as_deref().map(Into::into),
            application: members.into(),
        })
    }
}

impl Claims {
    /// Keeps what was read, without allocation if it has the ordinary size.
    #[inline]
    pub(crate) fn new(draft: &Draft<'_>, key: Option<VerifyingKey>) -> Result<Self, Rejection> {
        if draft.is_short() {
            return Ok(Self(Held::Own(draft.keep(key))));
        }
        draft.share(key).map(Self::shared).ok_or(Rejection::TooLarge)
    }

    /// Claims that are remembered.
    pub(crate) const fn shared(facts: Arc<Facts>) -> Self {
        Self(Held::Shared(facts))
    }

    pub(crate) fn facts(&self) -> &Facts {
        match &self.0 {
            Held::Own(facts) => facts,
            Held::Shared(facts) => facts,
        }
    }

    /// Whose token it is (`sub`): 1 to 255 bytes.
    pub fn subject(&self) -> &str {
        self.facts().subject()
    }

    /// The subject, to keep.
    pub fn to_subject(&self) -> Subject {
        Subject::checked(self.subject())
    }

    /// The program it was minted for (`client_id`): 1 to 255 bytes.
    pub fn client_id(&self) -> &str {
        self.facts().client_id()
    }

    /// The client, to keep.
    pub fn to_client_id(&self) -> ClientId {
        ClientId::checked(self.client_id())
    }

    /// The session it belongs to (`sid`).
    pub fn session_id(&self) -> &SessionId {
        &self.facts().fixed.session_id
    }

    /// Its own id (`jti`); `None` for an opaque token.
    pub fn token_id(&self) -> Option<&TokenId> {
        self.facts().fixed.token_id.as_ref()
    }

    /// Which key signed it (`kid`); `None` for an opaque token.
    pub fn kid(&self) -> Option<&str> {
        self.facts().key.as_ref().map(VerifyingKey::kid)
    }

    /// Where in the log its session was born (`pos`).
    pub fn position(&self) -> Position {
        self.facts().fixed.position
    }

    /// When it was minted (`iat`).
    pub fn issued_at(&self) -> Timestamp {
        self.facts().fixed.issued_at
    }

    /// When the person last proved who they are (`auth_time`, RFC 9068, section 2.2.1), in a JWT in whole seconds, rounded
    /// down. `None` in a JWT that was minted by a version that did not say it.
    pub fn authenticated_at(&self) -> Option<Timestamp> {
        self.facts().fixed.authenticated_at
    }

    /// When it ends (`exp`).
    pub fn expires_at(&self) -> Timestamp {
        self.facts().fixed.expires_at
    }

    /// What it may be used for (`scope`): words separated by spaces (RFC 6749, section 3.3).
    pub fn scope(&self) -> Option<&str> {
        self.facts().scope()
    }

    /// Whether `scope` contains this word.
    pub fn has_scope(&self, word: &str) -> bool {
        self.scope().is_some_and(|scope| scope.split(' ').any(|granted| granted == word))
    }

    /// The application's own claims.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Data`] when they do not fit the type.
    pub fn application<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let text = self.facts().application();
        serde_json::from_str(if text.is_empty() { "{}" } else { text }).map_err(|error| {
            Error::new(ErrorKind::Data, "the application's claims do not fit the type").with_source(error)
        })
    }
}

impl Facts {
    /// Every scope that the token belongs to.
    pub(crate) fn scopes(&self) -> [Scope<'_>; 5] {
        self.fixed.scopes(self.subject(), self.client_id(), self.key.as_ref())
    }
}

impl Fixed {
    /// Every scope that the token belongs to, for the verdict; [`Scope::Everything`] goes without saying.
    pub(crate) fn scopes<'a>(
        &'a self,
        subject: &'a str,
        client_id: &'a str,
        key: Option<&'a VerifyingKey>,
    ) -> [Scope<'a>; 5] {
        let session = Scope::Session(self.session_id.as_bytes());
        [
            session,
            Scope::Subject(subject),
            Scope::Client(client_id),
            // An opaque token has neither an id of its own nor a key; asking for the session twice is harmless.
            self.token_id.as_ref().map_or(session, |id| Scope::Token(id.as_bytes())),
            key.map_or(session, |key| Scope::Key(key.kid())),
        ]
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("subject", &self.subject())
            .field("client_id", &self.client_id())
            .field("session_id", self.session_id())
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}
