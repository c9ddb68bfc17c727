//! `cycle_id` carries a record over to a new id: `delete` of the old one, and later `create` of the new one. When the old
//! one was logged out in between or before, the record must not come back. It asks no store.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use signoff::{Position, Session, SessionId};

/// The key under which a loaded record carries its [`Mark`]. It is never stored.
pub(crate) const MARK: &str = "signoff.loaded";

/// Which session a record was loaded from.
///
/// `create` is not told what the record was before, so the record says it itself. Only those of somebody's session do:
/// nothing is logged out when an anonymous one comes back.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Mark {
    session: String,
    pub(crate) subject: String,
    born: u64,
}

impl Mark {
    /// Writes the mark into a record of this session.
    pub(crate) fn put(session: &Session, data: &mut HashMap<String, Value>) {
        let (id, subject) = (session.id.to_string(), session.subject.to_string());
        let mark = Self { session: id, subject, born: session.born.get() };
        if let Ok(mark) = serde_json::to_value(mark) {
            data.insert(MARK.to_owned(), mark);
        }
    }

    /// The mark of a record, if it has one.
    pub(crate) fn of(data: &HashMap<String, Value>) -> Option<Self> {
        data.get(MARK).and_then(|mark| Self::deserialize(mark).ok())
    }

    pub(crate) fn session(&self) -> Option<SessionId> {
        self.session.parse().ok()
    }

    /// Where the session was born. Of a number that is no position nothing is newer than.
    pub(crate) fn born(&self) -> Position {
        Position::new(self.born).unwrap_or(Position::ZERO)
    }
}

/// The sessions that were deleted in this process lately: how often, and what goes on in their place.
///
/// A request that changes the id of a session deletes it once, and so does a logout; where both do, the logout counts,
/// whichever came first. An entry too few costs an error at a change of id, which can be repeated by logging in. So the
/// oldest are dropped.
#[derive(Debug, Default)]
pub(crate) struct Rotations(Mutex<Lately>);

#[derive(Debug, Default)]
struct Lately {
    deleted: HashMap<SessionId, Deleted>,
    /// The same ones, the oldest first.
    order: VecDeque<SessionId>,
}

#[derive(Debug, Default)]
struct Deleted {
    deletes: u32,
    /// One of them found it alive.
    ended: bool,
    successor: Option<SessionId>,
}

/// As many as can be logged out while one request changes its id.
const ROOM: usize = 8_192;

impl Rotations {
    /// Before a session is deleted. Returns what goes on in its place, which then has to end as well.
    pub(crate) fn begin(&self, id: SessionId) -> Option<SessionId> {
        let mut lately = self.lock();
        if !lately.deleted.contains_key(&id) {
            lately.order.push_back(id);
            if lately.order.len() > ROOM
                && let Some(oldest) = lately.order.pop_front()
            {
                lately.deleted.remove(&oldest);
            }
        }
        let deleted = lately.deleted.entry(id).or_default();
        deleted.deletes = deleted.deletes.saturating_add(1);
        deleted.successor
    }

    /// It was alive, and is not any more.
    pub(crate) fn ended(&self, id: SessionId) {
        if let Some(deleted) = self.lock().deleted.get_mut(&id) {
            deleted.ended = true;
        }
    }

    /// Whether a record of this session may go on under another id.
    pub(crate) fn allow(&self, id: SessionId) -> bool {
        self.lock().deleted.get(&id).is_some_and(Deleted::is_free)
    }

    /// It goes on as this session, unless it was deleted once more since it was allowed.
    #[must_use = "else the successor has to end"]
    pub(crate) fn succeed(&self, id: SessionId, successor: SessionId) -> bool {
        let mut lately = self.lock();
        let deleted = lately.deleted.get_mut(&id).filter(|deleted| deleted.is_free());
        deleted.map(|deleted| deleted.successor = Some(successor)).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Lately> {
        self.0.lock().unwrap_or_else(|poison| poison.into_inner())
    }
}

impl Deleted {
    const fn is_free(&self) -> bool {
        self.deletes == 1 && self.ended && self.successor.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> [SessionId; 4] {
        [1, 2, 3, 4].map(|byte| SessionId::from_bytes([byte; 16]))
    }

    #[test]
    fn what_was_deleted_once_goes_on_once() {
        let (rotations, [old, new, other, unknown]) = (Rotations::default(), ids());
        assert_eq!(rotations.begin(old), None);
        assert!(!rotations.allow(old), "not yet");
        rotations.ended(old);
        assert!(rotations.allow(old) && !rotations.allow(unknown));
        assert!(rotations.succeed(old, new));
        assert!(!rotations.allow(old) && !rotations.succeed(old, other));
        assert_eq!(rotations.begin(old), Some(new), "a logout that comes later");
    }

    #[test]
    fn a_logout_before_or_between_counts() {
        let (rotations, [before, between, new, _]) = (Rotations::default(), ids());
        // Both have begun before the one that was first has told.
        for _ in 0..2 {
            assert_eq!(rotations.begin(before), None);
        }
        rotations.ended(before);
        assert!(!rotations.allow(before));

        assert_eq!(rotations.begin(between), None);
        rotations.ended(between);
        assert!(rotations.allow(between));
        assert_eq!(rotations.begin(between), None);
        assert!(!rotations.succeed(between, new));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let (rotations, [first, ..]) = (Rotations::default(), ids());
        rotations.begin(first);
        rotations.ended(first);
        for number in 0..ROOM as u128 {
            rotations.begin(SessionId::from_bytes((number << 32).to_le_bytes()));
        }
        assert!(!rotations.allow(first));
        let lately = rotations.lock();
        assert_eq!((lately.deleted.len(), lately.order.len()), (ROOM, ROOM));
    }
}
