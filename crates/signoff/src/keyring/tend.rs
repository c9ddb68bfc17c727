//! What is done with a ring: read, plan, compare and set, and start again when another node was faster. What a ring
//! should hold is decided in `plan`, and how it is written in `document`.

use std::cmp::Ordering;
use std::sync::MutexGuard;
use std::time::Duration;

use super::document::{MAX_KEYS, Ring, RingKey};
use super::plan::{self, Entry, Rules};
use super::{KeyRing, KeyState, KeyStatus};
use crate::store::Store;
use crate::time::Timestamp;
use crate::{Error, ErrorKind, KeySet, SigningKey};

/// What tending a ring needs to know.
#[derive(Clone, Copy)]
pub(crate) struct Tending<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) now: Timestamp,
    /// For how long after it was signed any token may have to be recognised: at least lifetime and leeway.
    pub(crate) accepted_for: Duration,
    /// Whether a key was revoked. Such a key never signs, and is not published.
    pub(crate) revoked: &'a (dyn Fn(&str) -> bool + Sync),
}

/// The ring as it is now.
#[derive(Debug)]
pub(crate) struct Tended {
    /// To sign and verify with until the next time. Keys that do not sign yet verify too: another node's clock may be
    /// ahead.
    pub(crate) keys: KeySet,
    /// All of the ring, in the order in which they sign.
    pub(crate) list: Vec<KeyStatus>,
    /// Grows with every change.
    #[cfg(test)]
    pub(crate) version: u64,
    /// When to tend it again, at the latest: when something is due, and after `refresh` anyway.
    pub(crate) due_at: Timestamp,
    /// The keys that this call added.
    pub(crate) created: Vec<String>,
    /// The keys that this call dropped.
    pub(crate) dropped: Vec<String>,
}

/// What is asked of a ring besides being in order.
#[derive(Clone, Copy)]
pub(super) enum Request<'a> {
    Import(&'a SigningKey, Option<Timestamp>),
    Remove(&'a str),
    Rotate,
    Tend,
}

/// How often a change is tried again when other nodes are faster. Their changes are rare, and leave less to do.
const ATTEMPTS: u32 = 8;

impl KeyRing {
    /// Brings the ring in the store up to date, and gives the keys to work with. Several nodes may do so at once.
    ///
    /// # Errors
    ///
    /// * [`ErrorKind::Data`]: the ring is damaged, was changed by somebody else, or went back.
    /// * [`ErrorKind::Misuse`]: its key-encryption key was not given, or tokens live for too many periods.
    /// * [`ErrorKind::Unavailable`]: the store did not answer, or other nodes kept changing the ring. Try again.
    pub(crate) async fn tend(&self, tending: Tending<'_>) -> Result<Tended, Error> {
        self.apply(tending, Request::Tend).await
    }

    /// Publishes a new key now, which signs after `prepublish`. When one is already about to sign by then, that is it:
    /// repeating this is safe.
    ///
    /// # Errors
    ///
    /// As [`KeyRing::tend`].
    pub(crate) async fn rotate(&self, tending: Tending<'_>) -> Result<Tended, Error> {
        self.apply(tending, Request::Rotate).await
    }

    /// Adds a key that was made elsewhere. It signs from the given time on, else after `prepublish`; from now on if the
    /// ring is new. A time before `now` is for a key that verifiers know already; before the time of the key that signs
    /// now, the imported one only verifies, until what it signed so far is over. A key that is in the ring already
    /// stays as it is.
    ///
    /// # Errors
    ///
    /// As [`KeyRing::tend`], and [`ErrorKind::Misuse`] when the key was revoked, or the ring is full.
    pub(crate) async fn import(
        &self,
        tending: Tending<'_>,
        key: &SigningKey,
        signs_from: Option<Timestamp>,
    ) -> Result<Tended, Error> {
        if (tending.revoked)(key.kid()) {
            return Err(Error::new(ErrorKind::Misuse, "this key was revoked, which cannot be undone"));
        }
        self.apply(tending, Request::Import(key, signs_from)).await
    }

    /// Drops a key at once, with all that it signed. When it was signing, the next key takes its place, else a new one,
    /// which others may not know yet: for emergencies. A key that is not there counts as dropped before.
    ///
    /// Other nodes accept it until they refresh, and others for `jwks_max_age`; revoke it too if it leaked.
    ///
    /// # Errors
    ///
    /// As [`KeyRing::tend`].
    pub(crate) async fn remove(&self, tending: Tending<'_>, kid: &str) -> Result<Tended, Error> {
        self.apply(tending, Request::Remove(kid)).await
    }

    async fn apply(&self, tending: Tending<'_>, request: Request<'_>) -> Result<Tended, Error> {
        let retention = self.rotation.retention(tending.accepted_for)?;
        let rules = Rules { rotation: &self.rotation, retention, now: tending.now };
        for _ in 0..ATTEMPTS {
            let ring = self.load(tending.store).await?;
            let keys = self.next(ring.as_ref(), rules, tending.revoked, request)?;
            let created = names_missing(&keys, ring.as_ref().map_or(&[], |ring| &ring.keys));
            let dropped = ring.as_ref().map_or_else(Vec::new, |ring| names_missing(&ring.keys, &keys));
            if let Some(ring) = &ring
                && ring.kek == self.keks.current().id()
                && ring.keys.iter().map(|key| &key.entry).eq(keys.iter().map(|key| &key.entry))
            {
                return self.tended(ring, tending.now, created, dropped);
            }
            if let Some(ring) = self.save(tending.store, ring.map_or(0, |ring| ring.version), keys).await? {
                let (version, kek) = (ring.version, &ring.kek);
                tracing::info!(target: "signoff", version, kek, ?created, ?dropped, "key ring saved");
                return self.tended(&ring, tending.now, created, dropped);
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "other nodes kept changing the key ring"))
    }

    /// The keys as they should be now.
    pub(super) fn next(
        &self,
        ring: Option<&Ring>,
        rules: Rules<'_>,
        revoked: &(dyn Fn(&str) -> bool + Sync),
        request: Request<'_>,
    ) -> Result<Vec<RingKey>, Error> {
        let (now, soonest) = (rules.now, rules.now.saturating_add(self.rotation.prepublish));
        let mut pool = ring.map_or_else(Vec::new, |ring| ring.keys.clone());
        if let (None, Some(first)) = (ring, &self.first) {
            pool.push(importable(first, now, now)?);
        }
        let make = |signs_from| {
            let key = SigningKey::generate_for(self.rotation.algorithm)?;
            Ok::<_, Error>(RingKey::new(&key, now, signs_from))
        };
        match request {
            Request::Import(key, signs_from) if pool.iter().all(|known| known.entry.kid != key.kid()) => {
                // The other half is for the rotation, which must not stop for want of room.
                if pool.len() >= MAX_KEYS / 2 {
                    return Err(Error::new(ErrorKind::Misuse, "the key ring is full: remove keys that are not needed"));
                }
                let entries: Vec<Entry> = pool.iter().map(|key| key.entry.clone()).collect();
                let signing = plan::signing(&entries, now).map(|signing| signing.signs_from);
                let signs_from = match (signs_from, signing) {
                    (None, None) => now,
                    (None, Some(_)) => soonest,
                    // The key that signs now has done so until now: nobody takes over earlier.
                    (Some(time), Some(signing)) if time > signing => time.max(now),
                    (Some(time), _) => time,
                };
                pool.push(importable(key, now, signs_from)?);
            }
            Request::Rotate
                if !pool.iter().any(|key| key.entry.signs_from > now && key.entry.signs_from <= soonest) =>
            {
                pool.push(make(if pool.is_empty() { now } else { soonest })?);
            }
            _ => {}
        }
        let removed = |kid: &str| matches!(request, Request::Remove(removed) if removed == kid) || revoked(kid);
        let entries: Vec<Entry> = pool.iter().map(|key| key.entry.clone()).collect();
        let entries = plan::plan(entries, rules, removed, |signs_from| {
            let key = make(signs_from)?;
            let entry = key.entry.clone();
            pool.push(key);
            Ok(entry)
        })?;
        // The plan knows names and times; the keys themselves stayed here.
        let keys = entries.into_iter().filter_map(|entry| {
            let mut key = pool.iter().find(|key| key.entry.kid == entry.kid)?.clone();
            key.entry = entry;
            Some(key)
        });
        Ok(keys.collect())
    }

    pub(super) async fn load(&self, store: &dyn Store) -> Result<Option<Ring>, Error> {
        // Taken before loading: another task of this node may see a later one meanwhile.
        let seen = *self.seen();
        let stored = store.load_key_ring().await?;
        let ring = stored.map(|stored| Ring::open(&stored, &self.keks)).transpose()?;
        let went_back = match (seen, &ring) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some((version, nonce)), Some(ring)) => {
                ring.version < version || (ring.version == version && ring.nonce != nonce)
            }
        };
        if went_back {
            let what = "the key ring went back: restart to work with it, if somebody restored the database";
            return Err(Error::new(ErrorKind::Data, what));
        }
        ring.as_ref().inspect(|ring| self.remember(ring));
        Ok(ring)
    }

    /// `None` when somebody else was faster.
    pub(super) async fn save(
        &self,
        store: &dyn Store,
        expected: u64,
        keys: Vec<RingKey>,
    ) -> Result<Option<Ring>, Error> {
        let version = expected.checked_add(1);
        let version = version.ok_or_else(|| Error::new(ErrorKind::Data, "the key ring has no versions left"))?;
        let (ring, document) = Ring::seal(version, keys, self.keks.current())?;
        let saved = match store.save_key_ring(expected, &document).await {
            Ok(saved) => saved,
            Err(error) => {
                // It may have been saved all the same. If it was not, nothing is known but the error.
                let stored = store.load_key_ring().await.ok().flatten();
                if stored.is_none_or(|stored| stored.version != version || stored.document != document) {
                    return Err(error);
                }
                true
            }
        };
        if saved {
            self.remember(&ring);
        }
        Ok(saved.then_some(ring))
    }

    fn tended(&self, ring: &Ring, now: Timestamp, created: Vec<String>, dropped: Vec<String>) -> Result<Tended, Error> {
        let entries: Vec<Entry> = ring.keys.iter().map(|key| key.entry.clone()).collect();
        let signing = plan::signing(&entries, now).and_then(|entry| entries.iter().position(|other| other == entry));
        let signing = signing.ok_or_else(|| Error::new(ErrorKind::Internal, "a key ring without keys"))?;
        let keys = KeySet::new(ring.keys[signing].signing_key()?);
        let keys = ring.keys.iter().fold(keys, |keys, key| keys.with_retired(key.verifying.clone()));
        let refresh = now.saturating_add(self.rotation.refresh);
        let due_at = plan::next_change(&entries, &self.rotation, now).map_or(refresh, |next| next.min(refresh));
        let list = entries.into_iter().enumerate().map(|(at, entry)| KeyStatus {
            kid: entry.kid,
            algorithm: entry.algorithm,
            state: match at.cmp(&signing) {
                Ordering::Less => KeyState::Retiring,
                Ordering::Equal => KeyState::Signing,
                Ordering::Greater => KeyState::Prepublished,
            },
            created_at: entry.created_at,
            signs_from: entry.signs_from,
            verifies_until: entry.verifies_until,
        });
        Ok(Tended {
            keys,
            list: list.collect(),
            #[cfg(test)]
            version: ring.version,
            due_at,
            created,
            dropped,
        })
    }

    fn remember(&self, ring: &Ring) {
        let mut seen = self.seen();
        if seen.is_none_or(|(version, _)| version < ring.version) {
            *seen = Some((ring.version, ring.nonce));
        }
    }

    fn seen(&self) -> MutexGuard<'_, Option<(u64, [u8; 12])>> {
        // What is in it is whole at every moment.
        self.seen.lock().unwrap_or_else(|poison| poison.into_inner())
    }
}

/// A key that comes back from a sealed ring as what it is.
fn importable(key: &SigningKey, now: Timestamp, signs_from: Timestamp) -> Result<RingKey, Error> {
    let ours = RingKey::new(key, now, signs_from);
    let again = ours.signing_key().ok().filter(|again| again.kid() == key.kid());
    again.ok_or_else(|| Error::new(ErrorKind::Misuse, "this key cannot be kept in a ring"))?;
    Ok(ours)
}

/// Those of `these` that are not among `those`.
fn names_missing(these: &[RingKey], those: &[RingKey]) -> Vec<String> {
    let missing = these.iter().filter(|key| those.iter().all(|other| other.entry.kid != key.entry.kid));
    missing.map(|key| key.entry.kid.clone()).collect()
}
