//! The end of a token, for what lasts longer than a request.

use super::Auth;
use crate::Rejection;

impl Auth {
    /// Returns when the token of this request is over, and says why; at once if there is no live one. For connections that
    /// stay open, WebSockets and event streams, which would otherwise outlive a logout: see
    /// [`Signoff::until_over`](crate::Signoff::until_over).
    pub async fn until_over(&self) -> Rejection {
        match self.peek() {
            Some(Ok(live)) => self.signoff().until_over(live).await,
            _ => Rejection::Revoked,
        }
    }
}
