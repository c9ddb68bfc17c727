//! What a route demands beyond a good token.

use std::time::Duration;

use super::{Answer, Auth, Head};

/// Demands of a route, or of many, checked before their handlers run. Every guard demands a live token.
///
/// Adapters put it around routes.
#[derive(Clone, Debug, Default)]
#[must_use = "put it around routes"]
pub struct Guard {
    scopes: Vec<String>,
    age: Option<Duration>,
    site: bool,
}

impl Guard {
    /// Demands a live token, and no more yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Demands this word in the scope of the token (RFC 6749, section 3.3); several are demanded together. Otherwise the answer
    /// is 403 `insufficient_scope`.
    pub fn scope(mut self, word: impl Into<String>) -> Self {
        self.scopes.push(word.into());
        self
    }

    /// Demands that the person has proved who they are within this time. Otherwise the answer is 401
    /// `insufficient_user_authentication` with `max_age` (RFC 9470): the page lets them do it again, and the application
    /// [steps up](crate::Signoff::step_up).
    pub fn authenticated_within(mut self, age: Duration) -> Self {
        self.age = Some(age);
        self
    }

    /// Demands of every request but `GET`, `HEAD` and `OPTIONS` that no other site caused it. Otherwise the answer is 403.
    pub fn from_our_pages(mut self) -> Self {
        self.site = true;
        self
    }

    /// Checks a request.
    ///
    /// # Errors
    ///
    /// The answer to a request that does not meet the demands.
    pub fn check(&self, auth: &Auth, method: &str, head: &impl Head) -> Result<(), Answer> {
        let live = auth.require()?;
        if self.site && !matches!(method, "GET" | "HEAD" | "OPTIONS") {
            auth.check_site(head, None)?;
        }
        if !self.scopes.iter().all(|word| live.has_scope(word)) {
            tracing::info!(target: "signoff", "refused: insufficient scope");
            return Err(Answer::InsufficientScope(self.scopes.join(" ")));
        }
        match self.age {
            Some(age) if !auth.signoff().is_authenticated_within(live, age) => {
                tracing::info!(target: "signoff", "refused: authenticated too long ago");
                Err(Answer::InsufficientAuthentication(age))
            }
            _ => Ok(()),
        }
    }
}
