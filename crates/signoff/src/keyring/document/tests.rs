//! Nothing of a sealed ring can be changed without its key-encryption key, not even where it changes nothing.

use super::*;

fn kek(n: u8) -> KeyEncryptionKey {
    KeyEncryptionKey::new([n; 32])
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_000_000_000 + secs).unwrap()
}

fn key(algorithm: Algorithm, signs_from: i64) -> RingKey {
    RingKey::new(&SigningKey::generate_for(algorithm).unwrap(), at(0), at(signs_from))
}

/// Three keys of all kinds, of which the first has an end.
fn keys() -> Vec<RingKey> {
    let mut keys = vec![key(Algorithm::EdDsa, 0), key(Algorithm::Es256, 100), key(Algorithm::Hs256, 200)];
    keys[0].entry.verifies_until = Some(at(500));
    keys
}

fn open(document: impl Into<String>, version: u64) -> Result<Ring, Error> {
    let stored = StoredKeyRing { version, document: document.into() };
    Ring::open(&stored, &KeyEncryptionKeys::new(kek(7)).with_other(kek(8)))
}

#[test]
fn keys_come_back_as_they_went() {
    let (sealed, document) = Ring::seal(3, keys(), &kek(7)).unwrap();
    let opened = open(&*document, 3).unwrap();
    assert_eq!((opened.version, &opened.kek, opened.nonce), (3, &sealed.kek, sealed.nonce));
    for (ours, theirs) in sealed.keys.iter().zip(&opened.keys) {
        assert_eq!(ours.entry, theirs.entry);
        let signature = theirs.signing_key().unwrap().sign(b"a.b").unwrap();
        assert!(ours.verifying.verifies(b"a.b", signature.as_ref()));
    }
    assert_eq!(opened.keys.len(), 3);
    let (_, again) = Ring::seal(3, keys(), &kek(7)).unwrap();
    assert_ne!(again, document, "a nonce is used once");
}

#[test]
fn every_changed_byte_is_refused() {
    let (_, document) = Ring::seal(1, keys(), &kek(7)).unwrap();
    assert!(open(&*document, 1).is_ok());
    for at in 0..document.len() {
        let bytes = document.as_bytes();
        let (before, after) = (&bytes[..at], &bytes[at + 1..]);
        let changed = [bytes[at] ^ 1, bytes[at] ^ 2, bytes[at] ^ 0x20, b' ', b'0', b'A', b'"'];
        let changed =
            changed.into_iter().filter(|byte| *byte != bytes[at]).map(|byte| [before, &[byte], after].concat());
        let moved = [[before, after].concat(), [before, b" ", &bytes[at..]].concat(), before.to_vec()];
        for text in changed.chain(moved).filter_map(|bytes| String::from_utf8(bytes).ok()) {
            let error = open(&*text, 1).expect_err(&text);
            // Another name of the key-encryption key is a key that was not given.
            assert!(matches!(error.kind(), ErrorKind::Data | ErrorKind::Misuse), "{error}");
        }
    }
}

/// Changes parts of a good ring and writes it down as we would, so that only the seal can tell.
fn refuses(what: &str, change: impl FnOnce(&mut Text)) {
    let (_, document) = Ring::seal(5, keys(), &kek(7)).unwrap();
    let mut text: Text = serde_json::from_str(&document).unwrap();
    change(&mut text);
    let version = text.ring.version;
    let changed = write(&text).unwrap();
    assert_ne!(changed, document, "{what}");
    let error = open(changed, version).expect_err(what);
    assert_eq!(error.kind(), ErrorKind::Data, "{what}");
}

#[test]
fn every_changed_part_is_refused() {
    let foreign = |text: &mut Text| public(&key(Algorithm::EdDsa, 300 + i64::try_from(text.ring.keys.len()).unwrap()));
    for n in 0..3 {
        refuses("kid", |text| text.ring.keys[n].kid = "another".into());
        refuses("alg", |text| text.ring.keys[n].alg = "RS256".into());
        for by in [-1, 1, 1_000_000] {
            refuses("created_at", |text| text.ring.keys[n].created_at += by);
            refuses("signs_from", |text| text.ring.keys[n].signs_from += by);
            refuses("verifies_for", |text| {
                let promised = &mut text.ring.keys[n].verifies_for;
                *promised = promised.wrapping_add_signed(by);
            });
            refuses("an end", |text| text.ring.keys[n].verifies_until = Some(at(500).as_micros() + by));
        }
        refuses("no end", |text| {
            let end = &mut text.ring.keys[n].verifies_until;
            *end = if end.is_some() { None } else { Some(0) };
        });
        refuses("left out", |text| drop(text.ring.keys.remove(n)));
        refuses("twice", |text| {
            let twin = serde_json::from_value(serde_json::to_value(&text.ring.keys[n]).unwrap()).unwrap();
            text.ring.keys.insert(n, twin);
        });
        refuses("exchanged", |text| text.ring.keys[n] = foreign(text));
        refuses("another order", |text| text.ring.keys.swap(n, (n + 1) % 3));
        refuses("names exchanged", |text| {
            let [ours, theirs] = [n, (n + 1) % 3].map(|n| text.ring.keys[n].kid.clone());
            text.ring.keys[n].kid = theirs;
            text.ring.keys[(n + 1) % 3].kid = ours;
        });
    }
    refuses("added", |text| {
        let foreign = foreign(text);
        text.ring.keys.push(foreign);
    });
    refuses("empty", |text| text.ring.keys.clear());
    refuses("another version", |text| text.ring.version += 1);
    refuses("another format", |text| text.ring.format += 1);
    refuses("another of our keys", |text| text.ring.kek = kek(8).id().into());
    refuses("another nonce", |text| text.nonce = b64::text(&[0; 12]));
    refuses("a short nonce", |text| text.nonce.truncate(4));
    refuses("no seal", |text| text.sealed.clear());
    // What was sealed for another ring, or at another time, under the same key.
    let (_, other) = Ring::seal(5, keys(), &kek(7)).unwrap();
    let other = || serde_json::from_str::<Text>(&other).unwrap();
    refuses("another seal", |text| (text.sealed, text.nonce) = (other().sealed, other().nonce));
    refuses("another public part", |text| text.ring = other().ring);
}

#[test]
fn a_ring_under_another_version_is_refused() {
    let (_, document) = Ring::seal(5, keys(), &kek(7)).unwrap();
    for version in [0, 4, 6, u64::MAX] {
        assert_eq!(open(&*document, version).unwrap_err().kind(), ErrorKind::Data);
    }
    for text in ["", "{}", "[]", "null", "\u{0}", &"[".repeat(100_000), &"x".repeat(MAX_DOCUMENT + 1)] {
        assert_eq!(open(text, 5).unwrap_err().kind(), ErrorKind::Data);
    }
}

#[test]
fn a_missing_key_is_said_by_name() {
    let (_, document) = Ring::seal(1, keys(), &kek(9)).unwrap();
    let error = open(&*document, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains(kek(9).id()), "{source}");

    let hostile = document.replace(kek(9).id(), &"\\n\\u001b[2J".repeat(100));
    let error = open(hostile, 1).unwrap_err();
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    assert!(source.len() < 2_000 && !source.contains('\n') && !source.contains('\u{1b}'), "{source}");
}

#[test]
fn nothing_secret_is_printed_or_stored() {
    let keys = keys();
    let (ring, document) = Ring::seal(1, keys.clone(), &kek(7)).unwrap();
    let printed = format!("{ring:?} {:?} {:?}", kek(7), KeyEncryptionKeys::new(kek(7)).with_other(kek(8)));
    assert!(printed.contains("redacted"));
    for key in &keys {
        let private = key.private.as_slice();
        // The middle of the document: its ends are the same for all keys of a kind.
        let part = &private[private.len() / 2..][..8];
        let hex: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
        for shown in [format!("{part:?}").trim_matches(['[', ']']).to_owned(), hex, b64::text(part)] {
            assert!(!printed.contains(&shown) && !document.contains(&shown));
        }
    }
}

#[test]
fn a_ring_has_bounds() {
    assert_eq!(Ring::seal(1, Vec::new(), &kek(7)).unwrap_err().kind(), ErrorKind::Misuse);
    let one = key(Algorithm::EdDsa, 0);
    assert!(Ring::seal(1, vec![one.clone(); MAX_KEYS], &kek(7)).is_ok());
    assert_eq!(Ring::seal(1, vec![one; MAX_KEYS + 1], &kek(7)).unwrap_err().kind(), ErrorKind::Misuse);
}
