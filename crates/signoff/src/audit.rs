//! Who did what, when and why: the audit trail. It never holds a token, and names sessions by fingerprint.

use std::net::IpAddr;

use crate::time::Timestamp;
use crate::{LogoutId, Subject};

/// Who asked for something.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Actor {
    /// A person who operates the service, by name.
    Operator(Subject),
    /// The person themselves.
    Subject,
    /// The service itself, for example when it detects theft.
    System,
}

impl Actor {
    /// The form that stores keep: `subject`, `system` or `operator:NAME`.
    pub fn to_text(&self) -> String {
        match self {
            Self::Operator(name) => format!("operator:{name}"),
            Self::Subject => "subject".to_owned(),
            Self::System => "system".to_owned(),
        }
    }

    /// Reads what [`Actor::to_text`] wrote.
    pub fn from_text(text: &str) -> Option<Self> {
        match text {
            "subject" => Some(Self::Subject),
            "system" => Some(Self::System),
            _ => text.strip_prefix("operator:").and_then(|name| Subject::new(name).ok()).map(Self::Operator),
        }
    }
}

macro_rules! words {
    ($(#[$docs:meta])* $name:ident { $($(#[$variant_docs:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$docs])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_docs])* $variant,)*
        }

        impl $name {
            /// The word that stores and logs use.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// Reads what [`Self::as_str`] wrote.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use words;

words! {
    /// Why a session was ended or a scope revoked.
    Reason {
        /// The account was disabled or deleted.
        AccountDisabled = "account_disabled",
        /// A password or another factor was changed.
        CredentialsChanged = "credentials_changed",
        /// A token or key is in the wrong hands.
        Compromised = "compromised",
        /// The person logged out.
        Logout = "logout",
        /// A rule of the service, for example a limit of parallel sessions.
        Policy = "policy",
        /// A refresh token was presented that had been exchanged before: somebody has a copy.
        RefreshReused = "refresh_reused",
        /// A new login took the place of the session, or the session itself did under a new id.
        Replaced = "replaced",
    }
}

words! {
    /// What happened. The words follow OWASP's logging vocabulary where it has one.
    AuditKind {
        /// A session of another store, which belonged to one that ended, is not destroyed yet; the detail names the store.
        ElsewhereDelayed = "session_elsewhere_delayed",
        /// A session of another store, which belonged to one that ended, is destroyed; the detail names the store.
        ElsewhereDestroyed = "session_elsewhere_destroyed",
        /// A signing key came into the ring; the detail is its `kid`.
        KeyAdded = "key_added",
        /// A signing key left the ring: its time was over, or it was removed or revoked.
        KeyDropped = "key_dropped",
        /// A session was created.
        LoggedIn = "session_created",
        /// A session was destroyed and its tokens revoked.
        LoggedOut = "session_logout",
        /// A refresh token was presented that had been exchanged before; its session was destroyed and its tokens revoked.
        RefreshReused = "authn_token_reuse",
        /// A token was not renewed, because its session is gone.
        RefreshRefused = "session_refresh_refused",
        /// Everything of a wider scope was revoked.
        Revoked = "authn_token_revoked",
        /// A session got a new id, because the person authenticated again or has other privileges; the detail says which.
        SteppedUp = "session_renewed",
    }
}

/// Where a request came from, as far as the application knows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Context {
    address: Option<IpAddr>,
    user_agent: Option<String>,
}

impl Context {
    /// Nothing known.
    pub const fn new() -> Self {
        Self { address: None, user_agent: None }
    }

    /// The client's address: of the connection, or from a proxy header that the application trusts.
    #[must_use]
    pub const fn with_address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// The `User-Agent`; what is longer than 256 bytes is cut, control characters are dropped.
    #[must_use]
    pub fn with_user_agent(mut self, user_agent: &str) -> Self {
        let mut kept: String = user_agent.chars().take(256).filter(|c| !c.is_control()).collect();
        while kept.len() > 256 {
            kept.pop();
        }
        self.user_agent = (!kept.is_empty()).then_some(kept);
        self
    }

    /// The client's address.
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The client's `User-Agent`.
    pub fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }
}

/// Who ends a session, why, and from where: it goes into the audit record.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
#[non_exhaustive]
pub struct Cause {
    /// Who.
    pub actor: Actor,
    /// Why.
    pub reason: Reason,
    /// From where.
    pub context: Context,
}

impl Cause {
    /// The person logs out.
    pub const fn logout() -> Self {
        Self::new(Actor::Subject, Reason::Logout)
    }

    /// Somebody ends a session for a reason.
    pub const fn new(actor: Actor, reason: Reason) -> Self {
        Self { actor, reason, context: Context::new() }
    }

    /// Where the request came from.
    pub fn from(self, context: Context) -> Self {
        Self { context, ..self }
    }
}

/// One line of the audit trail.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "stores build it from their rows")]
pub struct AuditEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: AuditKind,
    /// Whose session; `None` when a scope of many people was revoked.
    pub subject: Option<Subject>,
    /// Who did it.
    pub actor: Actor,
    /// Why; `None` for a login.
    pub reason: Option<Reason>,
    /// Which session, by [fingerprint](crate::SessionId::fingerprint).
    pub session: Option<String>,
    /// Which logout: the `logout_id` that the user was told.
    pub logout: Option<LogoutId>,
    /// What exactly, in a word: the kind of scope, and how many sessions.
    pub detail: Option<String>,
    /// From where.
    pub context: Context,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_and_words_survive_a_store() {
        for actor in [Actor::Subject, Actor::System, Actor::Operator(Subject::new("system").unwrap())] {
            assert_eq!(Actor::from_text(&actor.to_text()), Some(actor));
        }
        assert_eq!(Actor::from_text("operator:"), None);
        assert_eq!(Reason::from_word(Reason::Compromised.as_str()), Some(Reason::Compromised));
        assert_eq!(AuditKind::from_word("x"), None);
    }

    #[test]
    fn user_agents_are_bounded() {
        let hostile = "é\r\n{\"event\"".repeat(100_000);
        let context = Context::new().with_user_agent(&hostile);
        let kept = context.user_agent().unwrap();
        assert!(kept.len() <= 256 && !kept.contains(char::is_control));
        assert_eq!(Context::new().with_user_agent("\n").user_agent(), None);
    }
}
