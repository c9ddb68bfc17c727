//! What a token says: the registered claims typed, the application's own as they are.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::settings::Policy;
use crate::time::Timestamp;
use crate::{ClientId, Error, ErrorKind, Position, Rejection, Scope, Session, SessionId, Subject, TokenId, json};

/// The claims of a token whose signature (or stored hash) is good.
#[derive(Clone, Debug)]
pub struct Claims {
    pub(crate) subject: Subject,
    pub(crate) client_id: ClientId,
    pub(crate) session_id: SessionId,
    /// `jti`; an opaque token has none, it *is* its id.
    pub(crate) token_id: Option<TokenId>,
    /// The key that signed; an opaque token has none.
    pub(crate) kid: Option<String>,
    pub(crate) position: Position,
    pub(crate) issued_at: Timestamp,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) expires_at: Timestamp,
    pub(crate) scope: Option<String>,
    application: Map<String, Value>,
}

/// The claims that this library gives a meaning; an application's own may not have these names.
pub(crate) const REGISTERED: [&str; 11] =
    ["aud", "client_id", "exp", "iat", "iss", "jti", "nbf", "pos", "scope", "sid", "sub"];

impl Claims {
    /// Reads the claims of a JWT and checks whom they are from and for. The signature must have been verified before.
    pub(crate) fn from_jwt(payload: &[u8], kid: &str, policy: &Policy) -> Result<Self, Rejection> {
        let mut members = json::object(payload).ok_or(Rejection::Malformed)?;
        let settings = &policy.settings;
        match members.remove("iss") {
            Some(Value::String(iss)) if iss == settings.issuer => {}
            Some(Value::String(_)) => return Err(Rejection::WrongIssuer),
            _ => return Err(Rejection::Malformed),
        }
        match members.remove("aud") {
            Some(Value::String(aud)) if aud == settings.audience => {}
            Some(Value::Array(auds)) if auds.iter().all(Value::is_string) => {
                if !auds.iter().any(|aud| aud == settings.audience.as_str()) {
                    return Err(Rejection::WrongAudience);
                }
            }
            Some(Value::String(_)) => return Err(Rejection::WrongAudience),
            _ => return Err(Rejection::Malformed),
        }

        let mut read = Members(members);
        let claims = Self {
            subject: Subject::new(&read.text("sub")?).map_err(|_| Rejection::Malformed)?,
            client_id: ClientId::new(&read.text("client_id")?).map_err(|_| Rejection::Malformed)?,
            session_id: read.text("sid")?.parse().map_err(|_| Rejection::Malformed)?,
            token_id: Some(read.text("jti")?.parse().map_err(|_| Rejection::Malformed)?),
            kid: Some(kid.to_owned()),
            position: read.number("pos")?.and_then(Position::new).ok_or(Rejection::Malformed)?,
            issued_at: read.date("iat")?.ok_or(Rejection::Malformed)?,
            not_before: read.date("nbf")?,
            expires_at: read.date("exp")?.ok_or(Rejection::Malformed)?,
            scope: if read.0.contains_key("scope") { Some(read.text("scope")?) } else { None },
            application: Map::new(),
        };
        Ok(Self { application: read.0, ..claims })
    }

    /// What an opaque token stands for.
    pub(crate) fn from_session(session: &Session) -> Result<Self, Error> {
        let application = match &session.claims {
            None => Map::new(),
            Some(text) => json::object(text.as_bytes())
                .ok_or_else(|| Error::new(ErrorKind::Data, "the stored claims of a session are no JSON object"))?,
        };
        Ok(Self {
            subject: session.subject.clone(),
            client_id: session.client_id.clone(),
            session_id: session.id,
            token_id: None,
            kid: None,
            position: session.born,
            issued_at: session.created_at,
            not_before: None,
            expires_at: session.expires_at,
            scope: session.scope.clone(),
            application,
        })
    }

    /// Every scope that the token belongs to, for the verdict; [`Scope::Everything`] goes without saying.
    pub(crate) fn scopes(&self) -> [Scope<'_>; 5] {
        let session = Scope::Session(self.session_id.as_bytes());
        [
            session,
            Scope::Subject(self.subject.as_str()),
            Scope::Client(self.client_id.as_str()),
            // An opaque token has neither an id of its own nor a key; asking for the session twice is harmless.
            self.token_id.as_ref().map_or(session, |id| Scope::Token(id.as_bytes())),
            self.kid.as_deref().map_or(session, Scope::Key),
        ]
    }

    /// Whose token it is (`sub`).
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The program it was minted for (`client_id`).
    pub const fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// The session it belongs to (`sid`).
    pub const fn session_id(&self) -> &SessionId {
        &self.session_id
    }

    /// Its own id (`jti`); `None` for an opaque token.
    pub const fn token_id(&self) -> Option<&TokenId> {
        self.token_id.as_ref()
    }

    /// Where in the log its session was born (`pos`).
    pub const fn position(&self) -> Position {
        self.position
    }

    /// When it was minted (`iat`).
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// When it ends (`exp`).
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// What it may be used for (`scope`): words separated by spaces (RFC 6749, section 3.3).
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
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
        let claims = T::deserialize(&self.application);
        claims.map_err(|error| {
            Error::new(ErrorKind::Data, "the application's claims do not fit the type").with_source(error)
        })
    }
}

/// The members of a payload, taken out one by one; what is left belongs to the application.
struct Members(Map<String, Value>);

impl Members {
    fn text(&mut self, name: &str) -> Result<String, Rejection> {
        match self.0.remove(name) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(Rejection::Malformed),
        }
    }

    /// A whole number that is not negative: neither text, nor a fraction, nor too large.
    fn number(&mut self, name: &str) -> Result<Option<u64>, Rejection> {
        self.0.remove(name).map(|value| value.as_u64().ok_or(Rejection::Malformed)).transpose()
    }

    fn date(&mut self, name: &str) -> Result<Option<Timestamp>, Rejection> {
        let Some(secs) = self.number(name)? else { return Ok(None) };
        let secs = i64::try_from(secs).map_err(|_| Rejection::Malformed)?;
        Timestamp::from_secs(secs).map(Some).ok_or(Rejection::Malformed)
    }
}
