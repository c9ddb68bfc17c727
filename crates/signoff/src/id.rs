//! Names of things: 128-bit ids, and the texts that name people and programs.
//!
//! No id is a credential: knowing a session's id opens nothing. Credentials are tokens, see [`crate::Secret`].

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ring::digest;

use crate::time::Timestamp;
use crate::{Error, ErrorKind, b64, secret};

macro_rules! id {
    ($(#[$docs:meta])* $name:ident) => {
        $(#[$docs])*
        ///
        /// 16 bytes; as text, 22 characters of unpadded base64url.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// An id that was stored as bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The bytes, for stores and for [`Scope`](crate::Scope)s.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// Twelve hexadecimal digits of a hash, for logs: enough to tell sessions apart, useless to find them.
            pub fn fingerprint(&self) -> String {
                let hash = digest::digest(&digest::SHA256, &[b"signoff fingerprint ", self.0.as_slice()].concat());
                hash.as_ref()[..6].iter().map(|byte| format!("{byte:02x}")).collect()
            }
        }

        impl FromStr for $name {
            type Err = Error;

            /// The canonical text only.
            fn from_str(text: &str) -> Result<Self, Error> {
                let id = b64::decode_id(text.as_bytes());
                id.map(Self).ok_or(Error::new(ErrorKind::Misuse, concat!("not a ", stringify!($name))))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(std::str::from_utf8(&b64::encode_id(&self.0)).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "(#{})"), self.fingerprint())
            }
        }
    };
}

macro_rules! random_id {
    ($(#[$docs:meta])* $name:ident) => {
        id! { $(#[$docs])* $name }

        impl $name {
            /// A new one, all of it random.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Unavailable`] when the operating system gives no random numbers.
            pub fn generate() -> Result<Self, Error> {
                secret::random().map(Self)
            }
        }
    };
}

random_id! {
    /// Names one logout, in the answer to the user and in the audit trail.
    LogoutId
}
id! {
    /// Names a session: the claim `sid`. A handle, not a credential.
    ///
    /// It begins with the time, as UUIDs of version 7 do (RFC 9562, section 5.7), so that sessions which began together lie
    /// together in a store, and logins and logouts change few of its pages.
    SessionId
}
random_id! {
    /// Names a node from when it joins until it leaves or is expelled; another one each time.
    NodeId
}
random_id! {
    /// Names one JWT: the claim `jti` (RFC 7519, section 4.1.7).
    TokenId
}

impl SessionId {
    /// A new one: 48 bits that count the milliseconds since 1970, and 80 random bits.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when the operating system gives no random numbers.
    pub fn generate(now: Timestamp) -> Result<Self, Error> {
        let mut bytes: [u8; 16] = secret::random()?;
        let [_, _, time @ ..] = (now.as_micros() / 1_000).to_be_bytes();
        bytes[..time.len()].copy_from_slice(&time);
        Ok(Self(bytes))
    }
}

macro_rules! text_id {
    ($(#[$docs:meta])* $name:ident) => {
        $(#[$docs])*
        ///
        /// 1 to 255 bytes of UTF-8 without control characters, compared byte for byte: no case folding, no trimming,
        /// no Unicode normalisation.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the text.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Misuse`] when it is empty, too long, or has control characters.
            pub fn new(text: &str) -> Result<Self, Error> {
                Self::check(text)?;
                Ok(Self(text.into()))
            }

            pub(crate) fn check(text: &str) -> Result<(), Error> {
                if text.is_empty() || text.len() > 255 || text.chars().any(char::is_control) {
                    let what = concat!(stringify!($name), ": 1 to 255 bytes without control characters, please");
                    return Err(Error::new(ErrorKind::Misuse, what));
                }
                Ok(())
            }

            /// A text that was checked before.
            pub(crate) fn checked(text: &str) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// The program that a token was minted for: the claim `client_id` (RFC 9068, section 2.2).
    ClientId
}
text_id! {
    /// Whom a session belongs to: the claim `sub` (RFC 7519, section 4.1.2).
    Subject
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_spelling() {
        let id = SessionId::generate(Timestamp::MAX).unwrap();
        assert_eq!(id.to_string().parse::<SessionId>().unwrap(), id);
        let zero = SessionId::from_bytes([0; 16]).to_string();
        assert_eq!(zero, "A".repeat(22));
        for bad in ["", "A", &"A".repeat(23), &("A".repeat(21) + "B"), &("A".repeat(21) + "="), &"é".repeat(11)] {
            assert!(bad.parse::<SessionId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sessions_of_a_later_millisecond_come_later() {
        let mut before = None;
        for micros in [0, 1_000, 1_800_000_000_000_000, 1_800_000_000_001_999, Timestamp::MAX.as_micros()] {
            let [one, two] = [0; 2].map(|_| SessionId::generate(Timestamp::from_micros(micros).unwrap()).unwrap());
            assert_ne!(one, two);
            assert_eq!(one.as_bytes()[..6], two.as_bytes()[..6]);
            assert!(before < Some(one.min(two)), "{micros}");
            before = Some(one.max(two));
        }
    }

    #[test]
    fn debug_shows_a_fingerprint_and_not_the_id() {
        let id = SessionId::generate(Timestamp::MAX).unwrap();
        let debug = format!("{id:?}");
        assert!(!debug.contains(&id.to_string()));
        assert!(debug.contains(&id.fingerprint()));
    }

    #[test]
    fn subjects_are_bytes() {
        assert_ne!(Subject::new("alice").unwrap(), Subject::new("Alice").unwrap());
        assert_ne!(Subject::new("alice").unwrap(), Subject::new("alice ").unwrap());
        for bad in ["", "a\0b", "a\nb", &"a".repeat(256)] {
            assert_eq!(Subject::new(bad).unwrap_err().kind(), ErrorKind::Misuse);
        }
        assert!(Subject::new(&"é".repeat(127)).is_ok());
    }
}
