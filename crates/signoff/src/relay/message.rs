//! What nodes and relays say to each other, as bytes that nobody without the key can make or change.

use std::fmt;

use ring::hmac;
use signoff_revocation::{LogPage, Revocation, Scope, ScopeKind};

use crate::store::{LogRead, Node};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, NodeId, Position, secret};

/// The secret that relays and their nodes share, so that a broker between them can lose or delay messages, but neither make
/// nor change any. Whoever has it can make nodes believe that nobody was logged out.
pub struct RelayKey(hmac::Key);

impl RelayKey {
    /// A key of at least 32 bytes, from a generator of random numbers.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Misuse`] when it is shorter.
    pub fn new(secret: &[u8]) -> Result<Self, Error> {
        if secret.len() < 32 {
            return Err(Error::new(ErrorKind::Misuse, "the key of a relay has at least 32 bytes"));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }
}

impl fmt::Debug for RelayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelayKey(redacted)")
    }
}

/// Names one question, so that no other's answer passes for its own.
pub(super) type Nonce = [u8; NONCE];
const NONCE: usize = 16;
/// Names one life of one relay, or a part of it.
pub(super) type Era = [u8; 16];
const TAG: usize = 32;
/// So that a question cannot be sent back as an answer.
const QUESTION: &[u8] = b"signoff relay 1 question";
const ANSWER: &[u8] = b"signoff relay 1 answer";

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Question {
    Log {
        after: Position,
        limit: u32,
    },
    /// `era`: the relay's own name, as [`Question::Hello`] told it. A join that somebody repeats is good for nothing.
    Join {
        id: NodeId,
        name: String,
        era: Era,
    },
    /// `count`: more with every renewal of this node.
    Renew {
        id: NodeId,
        applied: Position,
        count: u64,
    },
    Behind {
        position: Position,
    },
    Expel {
        id: NodeId,
        renewals: u64,
    },
    Leave {
        id: NodeId,
    },
    Hello,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    Log(LogRead),
    Rows(Vec<Node>),
    Said(bool),
    Era(Era),
    Failed(ErrorKind),
}

impl Question {
    pub(super) fn seal(&self, key: &RelayKey) -> Result<(Nonce, Vec<u8>), Error> {
        let nonce: Nonce = secret::random()?;
        let mut body = nonce.to_vec();
        match self {
            Self::Log { after, limit } => {
                body.push(1);
                put(&mut body, after.get());
                put(&mut body, u64::from(*limit));
            }
            Self::Join { id, name, era } => {
                body.push(2);
                body.extend(id.as_bytes());
                body.extend(era);
                put_bytes(&mut body, name.as_bytes());
            }
            Self::Renew { id, applied, count } => {
                body.push(3);
                body.extend(id.as_bytes());
                put(&mut body, applied.get());
                put(&mut body, *count);
            }
            Self::Behind { position } => {
                body.push(4);
                put(&mut body, position.get());
            }
            Self::Expel { id, renewals } => {
                body.push(5);
                body.extend(id.as_bytes());
                put(&mut body, *renewals);
            }
            Self::Leave { id } => {
                body.push(6);
                body.extend(id.as_bytes());
            }
            Self::Hello => body.push(7),
        }
        Ok((nonce, sealed(body, key, QUESTION, &[])))
    }

    /// What was asked, and the name of the question; `None` when it does not come from one who has the key.
    pub(super) fn open(sealed: &[u8], key: &RelayKey) -> Option<(Nonce, Self)> {
        let mut rest = opened(sealed, key, QUESTION, &[])?;
        let nonce = take(&mut rest)?;
        let question = match take::<1>(&mut rest)? {
            [1] => Self::Log { after: position(&mut rest)?, limit: number(&mut rest)?.try_into().ok()? },
            [2] => Self::Join {
                id: NodeId::from_bytes(take(&mut rest)?),
                era: take(&mut rest)?,
                name: String::from_utf8(bytes(&mut rest)?.to_vec()).ok()?,
            },
            [3] => Self::Renew {
                id: NodeId::from_bytes(take(&mut rest)?),
                applied: position(&mut rest)?,
                count: number(&mut rest)?,
            },
            [4] => Self::Behind { position: position(&mut rest)? },
            [5] => Self::Expel { id: NodeId::from_bytes(take(&mut rest)?), renewals: number(&mut rest)? },
            [6] => Self::Leave { id: NodeId::from_bytes(take(&mut rest)?) },
            [7] => Self::Hello,
            _ => return None,
        };
        rest.is_empty().then_some((nonce, question))
    }
}

impl Answer {
    pub(super) fn seal(&self, key: &RelayKey, nonce: &Nonce) -> Vec<u8> {
        let mut body = Vec::new();
        match self {
            Self::Log(read) => {
                body.push(1);
                put(&mut body, read.page.after.get());
                put(&mut body, read.page.through.get());
                put(&mut body, read.head.get());
                for entry in &read.page.entries {
                    let scope = entry.scope();
                    body.push(scope.kind().code());
                    put(&mut body, entry.position().get());
                    put(&mut body, entry.expires_at().as_micros().cast_unsigned());
                    put_bytes(&mut body, scope.id());
                }
            }
            Self::Rows(rows) => {
                body.push(2);
                for Node { id, name, renewals, applied } in rows {
                    body.extend(id.as_bytes());
                    put(&mut body, *renewals);
                    put(&mut body, applied.get());
                    put_bytes(&mut body, name.as_bytes());
                }
            }
            Self::Said(what) => body.extend([3, u8::from(*what)]),
            Self::Era(era) => {
                body.push(5);
                body.extend(era);
            }
            Self::Failed(kind) => body.extend([4, u8::from(*kind == ErrorKind::Data)]),
        }
        sealed(body, key, ANSWER, nonce)
    }

    /// The answer to the question of this name; `None` when it is another's.
    pub(super) fn open(sealed: &[u8], key: &RelayKey, nonce: &Nonce) -> Option<Self> {
        let mut rest = opened(sealed, key, ANSWER, nonce)?;
        match take::<1>(&mut rest)? {
            [1] => {
                let (after, through, head) = (position(&mut rest)?, position(&mut rest)?, position(&mut rest)?);
                let mut entries = Vec::new();
                while !rest.is_empty() {
                    let kind = ScopeKind::from_code(take::<1>(&mut rest)?[0])?;
                    let (position, expires_at) = (position(&mut rest)?, number(&mut rest)?.cast_signed());
                    let scope = Scope::from_parts(kind, bytes(&mut rest)?)?;
                    entries.push(Revocation::new(scope, position, Timestamp::from_micros(expires_at)?));
                }
                Some(Self::Log(LogRead { page: LogPage { after, entries, through }, head }))
            }
            [2] => {
                let mut rows = Vec::new();
                while !rest.is_empty() {
                    let (id, renewals) = (NodeId::from_bytes(take(&mut rest)?), number(&mut rest)?);
                    let (applied, name) = (position(&mut rest)?, bytes(&mut rest)?);
                    rows.push(Node { id, name: String::from_utf8(name.to_vec()).ok()?, renewals, applied });
                }
                Some(Self::Rows(rows))
            }
            [3] => Some(Self::Said(take::<1>(&mut rest)? == [1])),
            [4] => {
                let is_data = take::<1>(&mut rest)? == [1];
                Some(Self::Failed(if is_data { ErrorKind::Data } else { ErrorKind::Unavailable }))
            }
            [5] => Some(Self::Era(take(&mut rest)?)),
            _ => None,
        }
    }
}

fn tag(body: &[u8], key: &RelayKey, role: &[u8], nonce: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&key.0);
    // The role and the name have one length each, so no two of these texts are the same.
    [role, nonce, body].into_iter().for_each(|part| context.update(part));
    context.sign()
}

fn sealed(mut body: Vec<u8>, key: &RelayKey, role: &[u8], nonce: &[u8]) -> Vec<u8> {
    let tag = tag(&body, key, role, nonce);
    body.extend(tag.as_ref());
    body
}

fn opened<'a>(sealed: &'a [u8], key: &RelayKey, role: &[u8], nonce: &[u8]) -> Option<&'a [u8]> {
    let (body, given) = sealed.split_at_checked(sealed.len().checked_sub(TAG)?)?;
    let mut text = Vec::with_capacity(role.len() + nonce.len() + body.len());
    [role, nonce, body].into_iter().for_each(|part| text.extend_from_slice(part));
    hmac::verify(&key.0, &text, given).ok()?;
    Some(body)
}

fn put(body: &mut Vec<u8>, number: u64) {
    body.extend(number.to_be_bytes());
}

fn put_bytes(body: &mut Vec<u8>, bytes: &[u8]) {
    put(body, bytes.len() as u64);
    body.extend(bytes);
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    take(rest).map(u64::from_be_bytes)
}

fn position(rest: &mut &[u8]) -> Option<Position> {
    Position::new(number(rest)?)
}

fn bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(number(rest)?).ok()?;
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> RelayKey {
        RelayKey::new(&[7; 32]).unwrap()
    }

    fn messages() -> (Vec<Question>, Vec<Answer>) {
        let (id, at) = (NodeId::from_bytes([9; 16]), |position| Position::new(position).unwrap());
        let entry = |scope, position| Revocation::new(scope, at(position), Timestamp::MAX);
        let entries =
            vec![entry(Scope::Session(&[1; 16]), 5), entry(Scope::Subject("älice"), 6), entry(Scope::Everything, 7)];
        let page = LogPage { after: Position::ZERO, entries, through: at(7) };
        let node = Node { id, name: "a".to_owned(), renewals: 3, applied: at(8) };
        let questions = vec![
            Question::Log { after: at(4), limit: 50_000 },
            Question::Join { id, name: "ö".to_owned(), era: [3; 16] },
            Question::Renew { id, applied: Position::MAX, count: 3 },
            Question::Behind { position: at(1) },
            Question::Expel { id, renewals: u64::MAX },
            Question::Leave { id },
            Question::Hello,
        ];
        let answers = vec![
            Answer::Log(LogRead { page, head: at(9) }),
            Answer::Rows(vec![node.clone(), Node { name: String::new(), ..node }]),
            Answer::Said(true),
            Answer::Said(false),
            Answer::Era([3; 16]),
            Answer::Failed(ErrorKind::Data),
            Answer::Failed(ErrorKind::Unavailable),
        ];
        (questions, answers)
    }

    #[test]
    fn messages_arrive_as_they_were_sent_or_not_at_all() {
        let (questions, answers) = messages();
        let another = RelayKey::new(&[8; 32]).unwrap();
        for question in &questions {
            let (nonce, mut sealed) = question.seal(&key()).unwrap();
            assert_eq!(Question::open(&sealed, &key()), Some((nonce, question.clone())));
            assert_eq!(Question::open(&sealed, &another), None);
            assert_eq!(Answer::open(&sealed, &key(), &nonce), None, "a question is no answer");
            for at in 0..sealed.len() {
                assert_eq!(Question::open(&sealed[..at], &key()), None, "cut at {at}");
                sealed[at] ^= 1;
                assert_eq!(Question::open(&sealed, &key()), None, "changed at {at}");
                sealed[at] ^= 1;
            }
        }
        for answer in &answers {
            let mut sealed = answer.seal(&key(), &[1; 16]);
            assert_eq!(Answer::open(&sealed, &key(), &[1; 16]).as_ref(), Some(answer));
            assert_eq!(Answer::open(&sealed, &key(), &[2; 16]), None, "it answers another question");
            for at in 0..sealed.len() {
                assert_eq!(Answer::open(&sealed[..at], &key(), &[1; 16]), None, "cut at {at}");
                sealed[at] ^= 1;
                assert_eq!(Answer::open(&sealed, &key(), &[1; 16]), None, "changed at {at}");
                sealed[at] ^= 1;
            }
        }
    }

    #[test]
    fn whoever_has_the_key_and_writes_nonsense_gets_none() {
        for body in [&[][..], &[0; 16], &[9; 40], &[1; 17], &[0xFF; 64]] {
            assert_eq!(Question::open(&sealed(body.to_vec(), &key(), QUESTION, &[]), &key()), None);
        }
        let lying = [&[2][..], &[0; 32], &u64::MAX.to_be_bytes()].concat();
        assert_eq!(Answer::open(&sealed(lying, &key(), ANSWER, &[1; 16]), &key(), &[1; 16]), None);
        assert_eq!(RelayKey::new(&[0; 31]).unwrap_err().kind(), ErrorKind::Misuse);
        assert_eq!(format!("{:?}", key()), "RelayKey(redacted)");
    }
}
