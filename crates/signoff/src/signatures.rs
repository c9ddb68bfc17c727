//! Tokens whose signature was verified before, so that it need not be verified again. It decides nothing else: claims,
//! times, lease and revocation are checked every time.
//!
//! A token is known by *all* of its bytes, and as long as its key is in the set. Error directions: to forget a token is
//! a nuisance, it costs one verification; to take one token for another would be a vulnerability, so the short key of
//! the cache only finds an entry, and the whole text is compared.

use std::fmt;
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::claims::Facts;
use crate::key::{KeySet, VerifyingKey};

/// What is remembered of a token: our own, or a foreign one.
pub(crate) trait Remembered {
    /// Whether it is of this token, every byte compared.
    fn is_of(&self, token: &str) -> bool;

    /// The key that its signature was verified with.
    fn key(&self) -> Option<&VerifyingKey>;

    /// What it takes of the heap.
    fn size(&self) -> usize;
}

/// The keys that count now.
pub(crate) trait Holds {
    /// Whether this very key is among them, rather than one of the same name.
    fn holds(&self, key: &VerifyingKey) -> bool;
}

impl Remembered for Facts {
    fn is_of(&self, token: &str) -> bool {
        self.is_of(token)
    }

    fn key(&self) -> Option<&VerifyingKey> {
        self.key.as_ref()
    }

    fn size(&self) -> usize {
        self.size()
    }
}

impl Holds for KeySet {
    fn holds(&self, key: &VerifyingKey) -> bool {
        self.holds(key)
    }
}

pub(crate) struct Signatures<T: ?Sized = Facts> {
    /// None when nothing may be remembered.
    cache: Option<Cache<u64, Arc<T>, Bytes>>,
}

#[derive(Clone)]
struct Bytes;

impl<T: Remembered + ?Sized> Weighter<u64, Arc<T>> for Bytes {
    fn weight(&self, _: &u64, facts: &Arc<T>) -> u64 {
        (facts.size() + OVERHEAD) as u64
    }
}

/// What the cache itself takes for an entry, about.
const OVERHEAD: usize = 64;
/// What an entry of ordinary size takes.
const ORDINARY: usize = 900;

impl<T: Remembered + ?Sized> Signatures<T> {
    /// Room for so many bytes of tokens and their claims.
    pub(crate) fn new(bytes: usize) -> Self {
        let cache = (bytes > 0).then(|| Cache::with_weighter((bytes / ORDINARY).max(16), bytes as u64, Bytes));
        Self { cache }
    }

    /// What is known of this token, if exactly it was verified before, with a key that is still in the set.
    pub(crate) fn find(&self, token: &str, keys: &impl Holds) -> Option<Arc<T>> {
        let facts = self.cache.as_ref()?.get(&short(token)?)?;
        let same = facts.is_of(token) && facts.key().is_some_and(|key| keys.holds(key));
        same.then_some(facts)
    }

    /// Whether tokens of this key are worth remembering: an HMAC is cheaper than finding an entry.
    pub(crate) fn wants(&self, key: &VerifyingKey) -> bool {
        self.cache.is_some() && !key.is_symmetric()
    }

    /// Remembers a token whose signature was verified just now.
    pub(crate) fn remember(&self, token: &str, facts: Arc<T>) {
        if let (Some(cache), Some(short)) = (&self.cache, short(token)) {
            cache.insert(short, facts);
        }
    }

    /// Drops the tokens of all keys but these. A token whose key is gone was not found since; this frees its memory.
    pub(crate) fn retain(&self, counts: impl Fn(&VerifyingKey) -> bool) {
        if let Some(cache) = &self.cache {
            cache.retain(|_, facts| facts.key().is_some_and(&counts));
        }
    }

    /// How many tokens are remembered.
    pub(crate) fn len(&self) -> usize {
        self.cache.as_ref().map_or(0, Cache::len)
    }
}

impl<T: Remembered + ?Sized> fmt::Debug for Signatures<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signatures({} tokens)", self.len())
    }
}

/// The end of a signature, mixed to one word; the cache hashes it again, with a key of its own. Whoever cannot sign
/// cannot choose two that collide, because only verified tokens are entered.
fn short(token: &str) -> Option<u64> {
    let tail = token.as_bytes().last_chunk::<16>()?;
    let tail = u128::from_le_bytes(*tail);
    Some((tail as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (tail >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;

    struct Verified {
        token: String,
        key: VerifyingKey,
    }

    impl Remembered for Verified {
        fn is_of(&self, token: &str) -> bool {
            self.token == token
        }

        fn key(&self) -> Option<&VerifyingKey> {
            Some(&self.key)
        }

        fn size(&self) -> usize {
            self.token.len()
        }
    }

    /// The key of the cache is short: two tokens that share it share nothing else, and the later replaces the other.
    #[test]
    fn tokens_that_share_a_short_key_are_told_apart() {
        let key = SigningKey::generate().unwrap();
        let keys = KeySet::new(SigningKey::generate().unwrap()).with_retired(key.verifying_key().clone());
        let tail = "the sixteen last";
        let token = |name: &str| format!("{name}.claims.{tail}");
        assert_eq!(short(&token("alice")), short(&token("bob")));
        let memory = Signatures::new(1 << 20);
        let remember = |name: &str| {
            let verified = Verified { token: token(name), key: key.verifying_key().clone() };
            memory.remember(&token(name), Arc::new(verified));
        };
        remember("alice");
        assert!(memory.find(&token("alice"), &keys).is_some());
        for other in [token("bob"), token("Alice"), token("alice "), token(""), tail.into(), token("alice")[1..].into()]
        {
            assert!(memory.find(&other, &keys).is_none(), "{other}");
        }
        remember("bob");
        assert!(memory.find(&token("bob"), &keys).is_some());
        assert!(memory.find(&token("alice"), &keys).is_none(), "forgotten, which costs a verification");
        assert!(memory.find("too short", &keys).is_none());
    }

    /// Another key under the same name is another key.
    #[test]
    fn a_key_that_left_the_set_counts_no_more() {
        let key = SigningKey::generate().unwrap();
        let with = |key: VerifyingKey| KeySet::new(SigningKey::generate().unwrap()).with_retired(key);
        let memory = Signatures::new(1 << 20);
        let token = "header.claims.signature of a key";
        memory.remember(token, Arc::new(Verified { token: token.into(), key: key.verifying_key().clone() }));
        assert!(memory.find(token, &with(key.verifying_key().clone())).is_some());
        assert!(memory.find(token, &KeySet::new(SigningKey::generate().unwrap())).is_none());
        let public = KeySet::new(SigningKey::generate().unwrap()).jwks();
        let mut public = serde_json::to_value(&public.keys[0]).unwrap();
        public["kid"] = key.kid().into();
        let impostor = VerifyingKey::from_jwk(&public.to_string()).unwrap();
        assert_eq!(impostor.kid(), key.kid());
        assert!(memory.find(token, &with(impostor)).is_none());
    }
}
