//! The transaction of refreshes, statement by statement: read families and sessions, let `signoff` decide, write, commit. A batch
//! takes as many statements as a single refresh. MySQL has a shorter way of its own.

use std::future::Future;

use signoff::store::{Exchange, Exchanged};
use signoff::time::Timestamp;
use signoff::{Error, Position, TokenHash};

use crate::exchange::{self, Decided, State};
use crate::sign_off::{self, Ledger};
use crate::steps;

/// What a database does in an exchange, each verb in a constant number of statements.
pub(crate) trait Families: Ledger {
    /// The families with these keys and their sessions, as [`state`](exchange::state) reads them, and the head of the log.
    ///
    /// They stay as they are until the transaction ends: nobody else exchanges a token of them or signs a session off, by
    /// whatever scope. Sessions are locked before the head of the log, as in a sign-off, so the two cannot deadlock.
    fn read(
        &mut self,
        keys: &[TokenHash],
        now: Timestamp,
    ) -> impl Future<Output = Result<(Vec<State>, Position), Error>> + Send;

    /// Writes families, and when their sessions were used.
    fn write(&mut self, changed: &[State]) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Everything but the commit.
pub(crate) async fn run(families: &mut impl Families, batch: &[Exchange], now: Timestamp) -> Result<Exchanged, Error> {
    steps::reached("exchange: begun");
    let (read, head) = families.read(&exchange::keys(batch), now).await?;
    let Decided { outcomes, changed, thefts } = Decided::new(read, batch, now);
    if !changed.is_empty() {
        families.write(&changed).await?;
    }
    steps::reached("exchange: written");
    let page =
        if thefts.is_empty() { exchange::nothing(head) } else { sign_off::run(families, &thefts, now).await?.page };
    steps::reached("exchange: before the commit");
    Ok(Exchanged { outcomes, page })
}
