//! Canonical base64url without padding (RFC 7515, section 2), into buffers on the stack. It knows nothing of tokens.

use std::mem::MaybeUninit;

use base64_simd::{Out, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// Room for `N` decoded bytes. It is not zeroed first, which would cost more than the decoding.
pub(crate) struct Buffer<const N: usize>([MaybeUninit<u8>; N]);

impl<const N: usize> Buffer<N> {
    pub(crate) const fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; N])
    }

    /// The bytes of a text; `None` when it has padding, another alphabet, white space or stray bits at its end, or is
    /// too long for the buffer.
    pub(crate) fn decode(&mut self, text: &str) -> Option<&[u8]> {
        if text.len() / 4 * 3 + 3 > N {
            return None;
        }
        URL_SAFE_NO_PAD.decode(text.as_bytes(), Out::from_uninit_slice(&mut self.0)).ok().map(|bytes| &*bytes)
    }
}

/// The 16 bytes of an id, from exactly 22 characters.
pub(crate) fn decode_id(text: &[u8]) -> Option<[u8; 16]> {
    if text.len() != 22 {
        return None;
    }
    let mut id = [0; 16];
    let decoded = URL_SAFE_NO_PAD.decode(text, Out::from_slice(&mut id)).ok()?;
    (decoded.len() == 16).then_some(id)
}

/// The 22 characters of an id.
pub(crate) fn encode_id(id: &[u8; 16]) -> [u8; 22] {
    let mut text = [0; 22];
    let _ = URL_SAFE_NO_PAD.encode(id, Out::from_slice(&mut text));
    text
}

/// The bytes of a text of any length, under the conditions of [`Buffer::decode`]. It may be a key, so they are
/// overwritten when dropped.
pub(crate) fn bytes(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; text.len() / 4 * 3 + 3]);
    let length = URL_SAFE_NO_PAD.decode(text.as_bytes(), Out::from_slice(&mut bytes)).ok()?.len();
    bytes.truncate(length);
    Some(bytes)
}

/// The text of some bytes.
pub(crate) fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// Appends the text of some bytes.
pub(crate) fn encode(bytes: &[u8], to: &mut String) {
    URL_SAFE_NO_PAD.encode_append(bytes, to);
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as OTHER;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_canonical_spelling_is_read() {
        let decode = |text: &str| Buffer::<64>::new().decode(text).map(<[u8]>::to_vec);
        assert_eq!(decode(""), Some(vec![]));
        assert_eq!(decode("AA"), Some(vec![0]));
        assert_eq!(decode("_-8"), Some(vec![0xff, 0xef]));
        for bad in ["A", "AB", "AAB", "AA==", "AA=", "A+", "A/", "AA\n", " AA", "A A", "é", "AA\0", "AAAAA"] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
        assert_eq!(decode(&"A".repeat(1_000)), None, "longer than the buffer");
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_other_decoder(text in "[A-Za-z0-9_-]{0,80}[A-Za-z0-9_=+/ .-]?[A-Za-z0-9_-]{0,8}") {
            prop_assert_eq!(Buffer::<128>::new().decode(&text).map(<[u8]>::to_vec), OTHER.decode(&text).ok());
        }

        #[test]
        fn it_reads_what_it_writes(bytes in proptest::collection::vec(any::<u8>(), 0..300), id: [u8; 16]) {
            let mut text = String::new();
            encode(&bytes, &mut text);
            prop_assert_eq!(&text, &OTHER.encode(&bytes));
            prop_assert_eq!(Buffer::<304>::new().decode(&text).map(<[u8]>::to_vec), Some(bytes));
            prop_assert_eq!(decode_id(&encode_id(&id)), Some(id));
        }
    }
}
