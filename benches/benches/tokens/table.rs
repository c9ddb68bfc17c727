//! What is saved for the plot.

use std::fmt::Write;

use signoff_benches::Series;

use crate::keys::Scheme;

/// Ours, as tables and plots call it.
pub(crate) const OURS: &str = "signoff";
/// What no library can be faster than.
pub(crate) const FLOOR: &str = "ring, the signature alone";

/// What became of all contestants.
pub(crate) struct Table(String);

impl Table {
    /// Only the names of the columns.
    pub(crate) fn new() -> Self {
        Self("operation\talgorithm\tlibrary\tnanoseconds\n".to_owned())
    }

    /// One more measurement.
    pub(crate) fn add(&mut self, operation: &str, scheme: Scheme, library: &str, series: &Series) {
        let (scheme, nanos) = (scheme.name(), series.median());
        let _ = writeln!(self.0, "{operation}\t{scheme}\t{library}\t{nanos:.1}");
    }

    /// All of one table.
    pub(crate) fn add_all(&mut self, operation: &str, scheme: Scheme, all: &[Series]) {
        all.iter().for_each(|series| self.add(operation, scheme, series.name(), series));
    }

    /// The lines.
    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

/// Who is called that, if they took part.
pub(crate) fn named<'a>(all: &'a [Series], name: &str) -> Option<&'a Series> {
    all.iter().find(|series| series.name() == name)
}
