//! Private keys in PEM (RFC 7468): one block, with the label of PKCS#8. It converts no other form of key.

use pem_rfc7468::Decoder;
use zeroize::Zeroizing;

use crate::{Error, ErrorKind};

/// The DER in the one block of the text.
pub(super) fn pkcs8(pem: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let refuse = |what| Err(Error::new(ErrorKind::Misuse, what));
    // Editors and mounted secrets add and lose line ends.
    let pem = pem.trim().as_bytes();
    match first_label(pem) {
        Some("PRIVATE KEY") => {}
        Some("EC PARAMETERS" | "EC PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" | "RSA PRIVATE KEY") => {
            return refuse("this PEM is not plain PKCS#8: convert it with `openssl pkcs8 -topk8 -nocrypt`");
        }
        _ => return refuse("not a PEM text with one PRIVATE KEY block"),
    }
    const REFUSED: Error =
        Error::new(ErrorKind::Misuse, "not a PEM text with exactly one well-formed PRIVATE KEY block");
    let mut decoder = Decoder::new(pem).map_err(|_| REFUSED)?;
    let mut der = Zeroizing::new(vec![0; decoder.remaining_len()]);
    decoder.decode(&mut der).map_err(|_| REFUSED)?;
    if decoder.is_finished() { Ok(der) } else { Err(REFUSED) }
}

/// The label of the first block, even where more blocks follow.
fn first_label(pem: &[u8]) -> Option<&str> {
    let text = str::from_utf8(pem).ok()?;
    let (label, _) = text.split_once("-----BEGIN ")?.1.split_once("-----")?;
    Some(label)
}
