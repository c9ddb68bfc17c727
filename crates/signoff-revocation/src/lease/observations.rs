//! What a node has seen of the rows of others, and which of them stand for nobody any more. It deletes nothing itself.

use std::collections::BTreeMap;
use std::time::Duration;

use super::LeaseTerms;

/// The rows of other nodes as they were last read, and since when each has not changed.
///
/// A row that did not change for [`LeaseTerms::observer`] belongs to a node whose lease is over: every grant counts from
/// before its renewal was carried out, and the last renewal was carried out before the row was seen.
///
/// Error directions: a row that stays too long delays a logout, a nuisance; one that is deleted too early lets a logout
/// return while its node still answers.
#[derive(Clone, Debug)]
pub struct Observations<Id> {
    rows: BTreeMap<Id, Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    renewals: u64,
    /// When the first answer with this count of renewals had come.
    since: Duration,
}

impl<Id: Ord + Clone> Observations<Id> {
    /// Nothing seen yet.
    pub const fn new() -> Self {
        Self { rows: BTreeMap::new() }
    }

    /// Takes note of all rows as one read found them (each an id and its count of renewals), and names those to expel.
    ///
    /// `answered_at` is a reading of the clock taken *after* the answer has come: counted from before the read, a slow read
    /// would pass for a row that did not change. Rows that are no longer listed are forgotten.
    ///
    /// What is named has to be deleted on the condition that its id *and* its renewals are still the same, so that a
    /// renewal which overtook the read saves the row. Nor may a row be passed over instead of deleted: only the deletion
    /// keeps a renewal that is still under way from being granted. A row whose deletion failed is named again.
    #[must_use = "rows of dead nodes delay every logout until they are deleted"]
    pub fn observe(
        &mut self,
        rows: impl IntoIterator<Item = (Id, u64)>,
        answered_at: Duration,
        terms: &LeaseTerms,
    ) -> Vec<(Id, u64)> {
        let mut expel = Vec::new();
        let mut seen = BTreeMap::new();
        for (id, renewals) in rows {
            let before = self.rows.get(&id).filter(|row| row.renewals == renewals);
            let since = before.map_or(answered_at, |row| row.since);
            if answered_at.saturating_sub(since) >= terms.observer() {
                expel.push((id.clone(), renewals));
            }
            seen.insert(id, Seen { renewals, since });
        }
        self.rows = seen;
        expel
    }

    /// How many rows the last read found.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether the last read found none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Nothing seen yet.
impl<Id: Ord + Clone> Default for Observations<Id> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NANO: Duration = Duration::from_nanos(1);

    fn terms() -> LeaseTerms {
        LeaseTerms::new(Duration::from_secs(2)).unwrap()
    }

    #[test]
    fn a_row_is_expelled_when_it_has_not_changed_for_the_whole_wait() {
        for since in [Duration::ZERO, NANO, Duration::MAX - terms().observer()] {
            let mut table = Observations::new();
            assert_eq!(table.observe([("a", 7)], since, &terms()), []);
            assert_eq!(table.observe([("a", 7)], since + terms().observer() - NANO, &terms()), []);
            assert_eq!(table.observe([("a", 7)], since + terms().observer(), &terms()), [("a", 7)]);
            // Named again until it is gone.
            assert_eq!(table.observe([("a", 7)], since + terms().observer(), &terms()), [("a", 7)]);
        }
    }

    #[test]
    fn a_change_starts_the_wait_anew() {
        let wait = terms().observer();
        // A count that went down is another row under a reused id, and no older for that.
        for changed in [8, 6, 0, u64::MAX] {
            let mut table = Observations::new();
            assert_eq!(table.observe([("a", 7)], Duration::ZERO, &terms()), []);
            assert_eq!(table.observe([("a", changed)], wait, &terms()), []);
            assert_eq!(table.observe([("a", changed)], wait * 2 - NANO, &terms()), []);
            assert_eq!(table.observe([("a", changed)], wait * 2, &terms()), [("a", changed)]);
        }
    }

    #[test]
    fn what_is_not_listed_is_forgotten() {
        let wait = terms().observer();
        let mut table = Observations::new();
        assert_eq!(table.observe([("a", 7), ("b", 1)], Duration::ZERO, &terms()), []);
        assert_eq!(table.observe([("b", 1)], NANO, &terms()), []);
        assert_eq!(table.len(), 1);
        assert_eq!(table.observe([("a", 7), ("b", 1)], wait, &terms()), [("b", 1)]);
        assert_eq!(table.observe([], wait, &terms()), []);
        assert!(table.is_empty());
    }

    #[test]
    fn a_clock_at_its_end_or_behind_expels_nothing() {
        let mut table = Observations::new();
        assert_eq!(table.observe([("a", 7)], Duration::MAX, &terms()), []);
        assert_eq!(table.observe([("a", 7)], Duration::MAX, &terms()), []);
        assert_eq!(table.observe([("a", 7)], Duration::ZERO, &terms()), []);
    }
}
