//! Logouts whose answer was lost: what became of them, by reading and by repeating, never by guessing.

use std::collections::HashSet;

use signoff_revocation::{Replica, Revocation, Scope};

use crate::commit::{SignOffs, Verb, catch_up};
use crate::store::{Outcome, SignOff, Store, Target};
use crate::{Error, Position, SessionId};

/// What is known of a request whose answer was lost.
pub(crate) enum Trace<V: Verb + ?Sized> {
    /// It happened, and this is what it did.
    Done(V::Outcome),
    /// Whether or not it happened, this does what is left of it, and adds nothing if nothing is.
    Repeat(V::Request),
    /// Nothing is to be seen of it. It may still come: a server may have received it and not begun.
    Unseen,
}

/// How many records of a person are looked through for those of their logout.
const TRAIL: u32 = 1_000;
/// How many entries are read from the log at once.
const PAGE: u32 = 10_000;

/// Finds out what became of logouts that began when `replica` was at `since`, and puts into force what did happen.
///
/// Repeating the end of a session is harmless: who was destroyed is found gone, without a second entry or record.
/// Repeating a wide one is not: it would be recorded twice, and its second cutoff would end the sessions of those who have
/// logged in since. So those are looked for, and the caller decides whether to repeat what is not there.
///
/// # Errors
///
/// The store does not answer.
pub(crate) async fn find_out(
    store: &dyn Store,
    replica: &Replica,
    requests: &[SignOff],
    since: Position,
) -> Result<Vec<Trace<SignOffs>>, Error> {
    // In force before anybody hears of it.
    catch_up(store, replica).await?;
    let entries = entries_after(store, since).await?;
    let revoked: HashSet<SessionId> = entries.iter().filter_map(session).collect();
    let mut traces = Vec::with_capacity(requests.len());
    for request in requests {
        traces.push(match &request.target {
            Target::Sessions(targets) => {
                let mut targets = targets.clone();
                for target in targets.iter_mut().filter(|target| revoked.contains(&target.id)) {
                    // It has its entry, so it needs no other if it turns out to be unknown.
                    target.revoke_unknown_until = None;
                }
                Trace::Repeat(SignOff { target: Target::Sessions(targets), ..request.clone() })
            }
            Target::Scope { revocation, revoke_until } => {
                // The same scope until the same microsecond. If somebody else wrote it, it kills the same tokens.
                let ours =
                    |entry: &Revocation| entry.scope() == revocation.as_scope() && entry.expires_at() == *revoke_until;
                if entries.iter().any(ours) { Trace::Done(Outcome::default().into()) } else { Trace::Unseen }
            }
            Target::Subject { subject, .. } => {
                let trail = store.audit_trail(subject, TRAIL).await?;
                let of_it = trail.iter().filter(|event| event.logout == Some(request.id));
                match (of_it.clone().count(), of_it.filter(|event| event.session.is_some()).count()) {
                    (0, _) => Trace::Unseen,
                    (_, destroyed) => Trace::Done(Outcome { destroyed: destroyed as u64, ..Outcome::default() }.into()),
                }
            }
        });
    }
    Ok(traces)
}

/// The log from a position to its head.
async fn entries_after(store: &dyn Store, mut after: Position) -> Result<Vec<Revocation>, Error> {
    let mut entries = Vec::new();
    loop {
        let read = store.log_after(after, PAGE).await?;
        entries.extend(read.page.entries);
        if read.page.through >= read.head || read.page.through <= after {
            return Ok(entries);
        }
        after = read.page.through;
    }
}

fn session(entry: &Revocation) -> Option<SessionId> {
    match entry.scope() {
        Scope::Session(id) => id.try_into().ok().map(SessionId::from_bytes),
        _ => None,
    }
}
