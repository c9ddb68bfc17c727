//! Which keys a ring should have at a time, decided from times alone. No clock, no store, and no key is touched here.

use std::time::Duration;

use super::Rotation;
use crate::time::Timestamp;
use crate::{Algorithm, Error};

/// What everybody may know of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub(super) kid: String,
    pub(super) algorithm: Algorithm,
    pub(super) created_at: Timestamp,
    /// It signs from then on, until another one does.
    pub(super) signs_from: Timestamp,
    /// How long it verifies after it was superseded: the longest that any node needed while it may have signed.
    pub(super) verifies_for: Duration,
    /// When it may be dropped, decided as soon as it has a successor.
    pub(super) verifies_until: Option<Timestamp>,
}

/// What decides, besides the ring itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    pub(super) rotation: &'a Rotation,
    /// How long a key that signs now must verify after it was superseded.
    pub(super) retention: Duration,
    pub(super) now: Timestamp,
}

/// The ring as it should be now, given the one that is. The same one when there is nothing to do.
///
/// - Keys that `revoked` names go at once. When the signing one goes, the next key takes its place, and signs at once;
///   without a next one, a new key does.
/// - A key that has signed for the period gets a successor, `prepublish` ahead.
/// - A superseded key stays for the retention.
///
/// `make` makes a key that is to sign from a time on; it is called once at the most.
pub(super) fn plan(
    mut entries: Vec<Entry>,
    rules: Rules<'_>,
    revoked: impl Fn(&str) -> bool,
    make: impl FnOnce(Timestamp) -> Result<Entry, Error>,
) -> Result<Vec<Entry>, Error> {
    let Rules { rotation, now, .. } = rules;
    sort(&mut entries);
    let signed = signing(&entries, now).map(|signing| (signing.signs_from, revoked(&signing.kid)));
    entries.retain(|entry| !revoked(&entry.kid));
    match signed {
        Some((_, false)) => {
            if successor_is_due(&entries, rotation, now) {
                entries.push(make(now.saturating_add(rotation.prepublish))?);
            }
        }
        // It takes the very place in time of the one that went: a node whose clock is behind finds it signing too, and
        // none goes back to a key that was superseded long ago.
        Some((place, true)) => match entries.iter_mut().find(|entry| entry.signs_from > now) {
            Some(next) => next.signs_from = place,
            None => entries.push(make(place)?),
        },
        None => entries.push(make(now)?),
    }
    settle(&mut entries, rules);
    entries.retain(|entry| entry.verifies_until.is_none_or(|until| now < until));
    Ok(entries)
}

/// The key that signs: the newest one whose time has come. When no time has come (our clock is behind that of the node
/// that made the first key), the first one.
pub(super) fn signing(entries: &[Entry], now: Timestamp) -> Option<&Entry> {
    entries.iter().rfind(|entry| entry.signs_from <= now).or_else(|| entries.first())
}

/// The next time that something changes by itself.
pub(super) fn next_change(entries: &[Entry], rotation: &Rotation, now: Timestamp) -> Option<Timestamp> {
    let signs = entries.iter().map(|entry| entry.signs_from);
    let ends = entries.iter().filter_map(|entry| entry.verifies_until);
    let due = signing(entries, now).map(|signing| due(signing, rotation).saturating_sub(rotation.prepublish));
    signs.chain(ends).chain(due).filter(|time| *time > now).min()
}

/// When this key should be superseded. A key that took the place of another is younger than the place.
fn due(signing: &Entry, rotation: &Rotation) -> Timestamp {
    signing.signs_from.max(signing.created_at).saturating_add(rotation.period)
}

fn successor_is_due(entries: &[Entry], rotation: &Rotation, now: Timestamp) -> bool {
    let Some(signing) = signing(entries, now) else { return false };
    let due = due(signing, rotation);
    let soonest = now.saturating_add(rotation.prepublish);
    // A key for later than that (imported, or made by a node whose clock was far ahead) does not help now.
    let has_successor = entries
        .iter()
        .any(|entry| entry.signs_from > now.max(signing.signs_from) && entry.signs_from <= soonest.max(due));
    soonest >= due && !has_successor
}

/// Puts the keys in order, and says until when each one that has a successor verifies.
fn settle(entries: &mut [Entry], rules: Rules<'_>) {
    let Rules { rotation, retention, now } = rules;
    sort(entries);
    let mut successor: Option<Timestamp> = None;
    for entry in entries.iter_mut().rev() {
        // What is promised while it may sign somewhere only grows: tokens that live longer prolong it, and those that
        // were signed under earlier settings are about when tokens live shorter.
        if successor.is_none_or(|from| now < from.saturating_add(rotation.straggle())) {
            entry.verifies_for = entry.verifies_for.max(retention);
            entry.verifies_until = successor.map(|from| from.saturating_add(entry.verifies_for));
        } else if entry.verifies_until.is_none() {
            // It came into a ring that signs with a newer key already.
            entry.verifies_for = entry.verifies_for.max(retention);
            entry.verifies_until = Some(now.saturating_add(entry.verifies_for));
        }
        successor = Some(entry.signs_from);
    }
}

/// By the time of signing; the other parts make it one order on every node.
fn sort(entries: &mut [Entry]) {
    entries.sort_by(|a, b| (a.signs_from, a.created_at, &a.kid).cmp(&(b.signs_from, b.created_at, &b.kid)));
}

#[cfg(test)]
mod tests;
