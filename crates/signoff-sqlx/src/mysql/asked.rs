//! Ids that a statement asks for, as one JSON text. It says nothing of what is asked.

use signoff::{Error, SessionId};

use crate::pack::{hex, json};

/// One row for each id of a JSON text.
pub(super) const ASKED: &str =
    "JSON_TABLE(?, '$[*]' COLUMNS (sid VARCHAR(32) CHARSET ascii PATH '$' ERROR ON ERROR)) AS asked";

pub(super) fn packed(ids: &[SessionId]) -> Result<String, Error> {
    let mut ids: Vec<_> = ids.iter().map(|id| hex(id.as_bytes())).collect();
    // In order, so that two batches that meet take their locks alike.
    ids.sort_unstable();
    json(&ids)
}
