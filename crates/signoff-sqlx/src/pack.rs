//! Many rows in one statement: as one JSON text that the database unpacks, so that it is prepared once for any number of rows, or as
//! literals.

#[cfg(any(feature = "mysql", feature = "sqlite"))]
use signoff::{Error, ErrorKind};

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    push_hex(&mut digits, bytes);
    digits
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// The bytes that these digits stand for.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) fn unhex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    if rest.is_empty() { bytes.collect() } else { None }
}

/// Bytes as MySQL reads them in a statement, or NULL, at its end: hexadecimal digits alone, so that nothing in them can end the
/// literal.
#[cfg(feature = "mysql")]
pub(crate) fn push_literal(sql: &mut String, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else {
        sql.push_str("NULL");
        return;
    };
    sql.push_str("x'");
    push_hex(sql, bytes);
    sql.push('\'');
}

#[cfg(any(feature = "mysql", feature = "sqlite"))]
pub(crate) fn json(rows: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(rows)
        .map_err(|error| Error::new(ErrorKind::Internal, "rows could not be packed").with_source(error))
}
