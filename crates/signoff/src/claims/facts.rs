//! How claims are kept: numbers, and all texts side by side in one place. It checks nothing.

use std::borrow::Cow;
use std::sync::Arc;

use signoff_revocation::{Fingerprint, Replica, Scope, Verdict};

use crate::key::VerifyingKey;
use crate::opaque::Checksum;
use crate::time::Timestamp;
use crate::{Position, SessionId, TokenId};

/// The texts of a token that was presented for the first time are kept where they are, without allocation, when they
/// are no longer than this together. More room would cost every token the time to move it.
pub(crate) const INLINE: usize = 256;

/// What was read, before it is known how it will be kept.
#[derive(Clone, Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) fixed: Fixed,
    pub(crate) subject: Cow<'a, str>,
    pub(crate) client_id: Cow<'a, str>,
    pub(crate) scope: Option<Cow<'a, str>>,
    /// The members of the application's own claims as JSON, without the braces around them.
    pub(crate) application: Cow<'a, str>,
}

/// What has a fixed size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fixed {
    pub(crate) session_id: SessionId,
    /// `jti`; an opaque token has none, it *is* its id.
    pub(crate) token_id: Option<TokenId>,
    pub(crate) position: Position,
    pub(crate) issued_at: Timestamp,
    /// When the person last proved who they are (`auth_time`); tokens of earlier versions do not say.
    pub(crate) authenticated_at: Option<Timestamp>,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) expires_at: Timestamp,
    /// When the session of an opaque token ends unless it is used; a JWT does not know.
    pub(crate) idle_expires_at: Timestamp,
}

/// Everything about a token in one piece of memory, so that looking at it costs few cache misses.
#[derive(Clone)]
pub(crate) struct Facts<B: ?Sized = [u8]> {
    pub(crate) fixed: Fixed,
    /// The key that signed; an opaque token has none.
    pub(crate) key: Option<VerifyingKey>,
    /// Session, subject and the token's id, if they were hashed ahead; an opaque token has its session twice.
    hashed: Option<[Fingerprint; 3]>,
    /// The last digits of an opaque token, which its hash does not cover. Of a fixed length, because comparing six bytes
    /// through the C library costs as much as hashing all the others.
    checksum: Checksum,
    /// Where subject, client, scope, application's claims and the token itself end within `bytes`.
    ends: [u16; 5],
    has_scope: bool,
    /// Whether the token is kept without the header, which is its key's.
    is_headless: bool,
    bytes: B,
}

impl Draft<'_> {
    #[inline]
    fn fill<const N: usize>(&self, key: Option<VerifyingKey>, kept: Kept<'_>) -> Facts<[u8; N]> {
        let (mut bytes, mut at) = ([0; N], 0);
        let mut put = |text: &str| {
            bytes[at..at + text.len()].copy_from_slice(text.as_bytes());
            at += text.len();
            at as u16
        };
        let mut ends = [put(&self.subject), put(&self.client_id), 0, 0, 0];
        ends[2] = self.scope.as_deref().map_or(ends[1], &mut put);
        ends[3] = ends[2];
        if !self.application.is_empty() {
            put("{");
            put(&self.application);
            ends[3] = put("}");
        }
        ends[4] = if kept.token.is_empty() { ends[3] } else { put(kept.token) };
        let (has_scope, Kept { hashed, checksum, is_headless, .. }) = (self.scope.is_some(), kept);
        Facts { fixed: self.fixed, key, hashed, checksum, ends, has_scope, is_headless, bytes }
    }

    fn len(&self) -> usize {
        let texts = self.subject.len() + self.client_id.len() + self.application.len();
        texts + self.scope.as_deref().map_or(0, str::len) + "{}".len()
    }

    /// Whether the facts can be kept where they are.
    pub(crate) fn is_short(&self) -> bool {
        self.len() <= INLINE
    }

    /// The facts where they are. They must be short.
    #[inline]
    pub(crate) fn keep(&self, key: Option<VerifyingKey>) -> Facts<[u8; INLINE]> {
        self.fill(key, Kept::default())
    }

    /// The facts in memory of their own; `None` for texts longer than any token or session has.
    pub(crate) fn share(&self, key: Option<VerifyingKey>) -> Option<Arc<Facts>> {
        self.share_with(key, Kept::default())
    }

    /// The facts of a JWT, to be found again by it.
    pub(crate) fn remember_jwt(&self, key: VerifyingKey, token: &str, replica: &Replica) -> Option<Arc<Facts>> {
        let rest = token.strip_prefix(key.header());
        let (token, is_headless) = (rest.unwrap_or(token), rest.is_some());
        let kept = Kept { token, is_headless, hashed: self.hashed(replica), ..Kept::default() };
        self.share_with(Some(key), kept)
    }

    /// The facts of an opaque token, to be found again by its hash and its last digits.
    pub(crate) fn remember_opaque(&self, checksum: Checksum, replica: &Replica) -> Option<Arc<Facts>> {
        self.share_with(None, Kept { checksum, hashed: self.hashed(replica), ..Kept::default() })
    }

    /// What this replica looks up.
    fn hashed(&self, replica: &Replica) -> Option<[Fingerprint; 3]> {
        let session = Scope::Session(self.fixed.session_id.as_bytes());
        let token_id = self.fixed.token_id.as_ref().map_or(session, |id| Scope::Token(id.as_bytes()));
        let hash = |scope| replica.fingerprint(scope);
        Some([hash(session)?, hash(Scope::Subject(&self.subject))?, hash(token_id)?])
    }

    fn share_with(&self, key: Option<VerifyingKey>, kept: Kept<'_>) -> Option<Arc<Facts>> {
        // One allocation whose size is known to the compiler; the steps waste a fifth on average.
        Some(match self.len() + kept.token.len() {
            ..=256 => Arc::new(self.fill::<256>(key, kept)),
            257..=384 => Arc::new(self.fill::<384>(key, kept)),
            385..=512 => Arc::new(self.fill::<512>(key, kept)),
            513..=640 => Arc::new(self.fill::<640>(key, kept)),
            641..=768 => Arc::new(self.fill::<768>(key, kept)),
            769..=1024 => Arc::new(self.fill::<1024>(key, kept)),
            1025..=1536 => Arc::new(self.fill::<1536>(key, kept)),
            1537..=2048 => Arc::new(self.fill::<2048>(key, kept)),
            2049..=4096 => Arc::new(self.fill::<4096>(key, kept)),
            4097..=8192 => Arc::new(self.fill::<8192>(key, kept)),
            8193..=16384 => Arc::new(self.fill::<16384>(key, kept)),
            _ => return None,
        })
    }
}

/// What is kept besides the claims.
#[derive(Clone, Copy, Default)]
struct Kept<'a> {
    token: &'a str,
    is_headless: bool,
    checksum: Checksum,
    hashed: Option<[Fingerprint; 3]>,
}

impl Facts {
    fn part(&self, field: usize) -> &[u8] {
        let start = field.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.bytes.get(usize::from(start)..usize::from(self.ends[field])).unwrap_or_default()
    }

    fn text(&self, field: usize) -> &str {
        // It was text when it was filled in.
        std::str::from_utf8(self.part(field)).unwrap_or_default()
    }

    pub(crate) fn subject(&self) -> &str {
        self.text(0)
    }

    pub(crate) fn client_id(&self) -> &str {
        self.text(1)
    }

    pub(crate) fn scope(&self) -> Option<&str> {
        self.has_scope.then(|| self.text(2))
    }

    /// The application's claims as a JSON object; empty when there are none.
    pub(crate) fn application(&self) -> &str {
        self.text(3)
    }

    /// Whether this belongs to an opaque token with these last digits, the others being the right ones.
    #[inline]
    pub(crate) fn ends_with(&self, checksum: Checksum) -> bool {
        self.checksum == checksum
    }

    /// Whether this was read from exactly this JWT, which was kept.
    #[inline]
    pub(crate) fn is_of(&self, token: &str) -> bool {
        let header = if self.is_headless { self.key.as_ref().map_or("", VerifyingKey::header) } else { "" };
        token.strip_prefix(header).is_some_and(|rest| rest.as_bytes() == self.part(4))
    }

    /// Whether the token is dead by one of its scopes.
    #[inline]
    pub(crate) fn verdict(&self, replica: &Replica) -> Verdict {
        let Some(hashed) = &self.hashed else { return replica.verdict(&self.scopes(), self.fixed.position) };
        let key = || self.key.as_ref().map(|key| Scope::Key(key.kid()));
        let client = || Scope::Client(self.client_id());
        replica.verdict_hashed(hashed, || [client(), key().unwrap_or_else(client)], self.fixed.position)
    }

    /// What it takes of the heap.
    pub(crate) fn size(&self) -> usize {
        size_of_val(self) + 2 * size_of::<usize>()
    }

    /// Whether the session of an opaque token is past its idle or absolute end.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.fixed.idle_expires_at || now >= self.fixed.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;

    #[test]
    fn what_is_kept_is_what_was_drafted() {
        let (key, replica) = (SigningKey::generate().unwrap().verifying_key().clone(), Replica::new());
        let fixed = Fixed {
            session_id: SessionId::from_bytes([1; 16]),
            token_id: None,
            position: Position::ZERO,
            issued_at: Timestamp::MIN,
            authenticated_at: None,
            not_before: None,
            expires_at: Timestamp::MAX,
            idle_expires_at: Timestamp::MAX,
        };
        for length in [0, 1, 100, 240, 255, 256, 300, 511, 512, 513, 1_100, 3_000, 8_000] {
            for (scope, application) in [(None, ""), (Some(""), "\"a\":1"), (Some("read"), "")] {
                let draft = Draft {
                    fixed,
                    subject: "s".repeat(length).into(),
                    client_id: "app".into(),
                    scope: scope.map(Cow::from),
                    application: application.into(),
                };
                let check = |facts: &Facts, token: &str| {
                    assert_eq!((facts.subject(), facts.client_id()), (&*draft.subject, "app"));
                    assert_eq!(facts.scope(), scope);
                    assert!(facts.is_of(token) && !facts.is_of("a.b.d") && !facts.is_of(&format!("{token}.")));
                    let braced = if application.is_empty() { String::new() } else { format!("{{{application}}}") };
                    assert_eq!(facts.application(), braced);
                };
                check(&draft.share(None).unwrap(), "");
                let opaque = draft.remember_opaque(*b"012abc", &replica).unwrap();
                assert!(opaque.ends_with(*b"012abc") && !opaque.ends_with(*b"012abC"));
                let own = format!("{}.b.c", key.header());
                for token in ["a.b.c", &own] {
                    check(&draft.remember_jwt(key.clone(), token, &replica).unwrap(), token);
                }
                let headless = draft.remember_jwt(key.clone(), &own, &replica).unwrap();
                assert!(!headless.is_of(".b.c") && !headless.is_of(&own[1..]) && !headless.is_of("a.b.c"));
                if draft.is_short() {
                    check(&draft.keep(None), "");
                }
                assert_eq!(draft.is_short(), draft.len() <= INLINE);
            }
        }
    }
}
