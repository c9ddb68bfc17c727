//! Whether a session is over for good, so that the cookie of its token is of no use to anybody.

use crate::{Denied, Rejection, Signoff, Unverified};

impl Signoff {
    /// Whether a token that was refused for this reason belongs to a session that has ended, and not merely itself: its
    /// cookie may be cleared then. A token whose session lives on is what the session can still be logged out by.
    pub(super) async fn has_ended(&self, token: &str, why: Rejection) -> bool {
        match why {
            // The store has no live session with it.
            Rejection::UnknownToken => true,
            Rejection::Revoked => {
                let authentic = async { self.recognise(Unverified::parse(token)?).await };
                match authentic.await {
                    Ok(authentic) => self.is_ended(authentic.claims()),
                    // Of an opaque one nothing is left, or what is left was not found.
                    Err(Denied::Rejected(rejection)) => rejection == Rejection::UnknownToken,
                    Err(Denied::Failed(_)) => false,
                }
            }
            _ => false,
        }
    }
}
