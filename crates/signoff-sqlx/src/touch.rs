//! Batches of touches: once each for the database, and in order for who asked.

use std::collections::{BTreeMap, HashMap};

use signoff::store::Touch;
use signoff::time::Timestamp;
use signoff::{Session, SessionId};

/// Every session once, with the latest of its idle ends, in the order of ids.
pub(crate) fn once_each(batch: &[Touch]) -> Vec<Touch> {
    let mut ends: BTreeMap<SessionId, Timestamp> = BTreeMap::new();
    for touch in batch {
        let end = ends.entry(touch.id).or_insert(touch.idle_expires_at);
        *end = touch.idle_expires_at.max(*end);
    }
    ends.into_iter().map(|(id, idle_expires_at)| Touch { id, idle_expires_at }).collect()
}

/// What each request found.
pub(crate) fn in_order(batch: &[Touch], touched: &[Session]) -> Vec<Option<Session>> {
    let by_id: HashMap<_, _> = touched.iter().map(|session| (session.id, session)).collect();
    batch.iter().map(|touch| by_id.get(&touch.id).map(|session| (*session).clone())).collect()
}
