//! The end of a token, for what lasts longer than a request.

use super::Auth;
use crate::Rejection;

impl Auth {
    /// Returns when the token of this request is over, and says why; at once if there is no live one. For connections that
    /// stay open, WebSockets and event streams, which would otherwise outlive a logout: see
    /// [`Signoff::until_over`](crate::Signoff::until_over). It returns on a node that cannot know who was logged out as well,
    /// [whatever is decided for requests](super::Fenced): those may ask the store once, a connection would have to go on asking.
    pub async fn until_over(&self) -> Rejection {
        match self.peek() {
            Some(Ok(live)) => self.signoff().until_over(live).await,
            _ => Rejection::Revoked,
        }
    }
}

/// The status of the frame that closes a WebSocket whose token is over for this reason; send it without a text.
///
/// * 1008, policy violation: the session is over, and connecting again is answered with 401. Those above 3000 would say more, but
///   not every library lets a client see them, and every browser knows this one (RFC 6455, section 7.4.1).
/// * 1013, try again later: this node can no longer tell, another may. The page connects again, with the same cookie.
pub const fn close_code(why: Rejection) -> u16 {
    match why {
        Rejection::Stale => 1013,
        _ => 1008,
    }
}
