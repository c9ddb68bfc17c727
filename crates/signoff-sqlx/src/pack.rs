//! Many rows as one JSON text: the database unpacks it, so that a statement is prepared once for any number of rows.

#[cfg(any(feature = "mysql", feature = "sqlite"))]
use signoff::{Error, ErrorKind};

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| DIGITS[usize::from(digit)] as char).collect()
}

#[cfg(any(feature = "mysql", feature = "sqlite"))]
pub(crate) fn json(rows: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(rows)
        .map_err(|error| Error::new(ErrorKind::Internal, "rows could not be packed").with_source(error))
}
