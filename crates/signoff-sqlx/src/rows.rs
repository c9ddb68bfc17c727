//! What the databases' rows mean. The columns have the same names everywhere; nothing here knows which database it is.

use std::net::IpAddr;
use std::time::Duration;

use signoff::audit::{Actor, AuditEvent, AuditKind, Reason};
use signoff::store::{LogPage, LogRead, Revocation, Scope, ScopeKind, StoredKeyRing, Terms};
use signoff::time::Timestamp;
use signoff::{ClientId, Context, Error, LogoutId, Position, Session, SessionId, Subject};
use sqlx::{ColumnIndex, Decode, Row, Type};

use crate::error::{damaged, database};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
use crate::pack::unhex;

/// A row's columns, by name.
pub(crate) trait Fields {
    fn integer(&self, column: &'static str) -> Result<i64, Error>;
    fn optional_integer(&self, column: &'static str) -> Result<Option<i64>, Error>;
    fn bytes(&self, column: &'static str) -> Result<Option<Vec<u8>>, Error>;

    /// Text is read as bytes: MySQL keeps what must compare as bytes in columns of bytes.
    fn text(&self, column: &'static str) -> Result<Option<String>, Error> {
        let text = self.bytes(column)?.map(String::from_utf8).transpose();
        text.map_err(|_| damaged("a stored text is broken"))
    }
}

impl<R> Fields for R
where
    R: Row,
    &'static str: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    fn integer(&self, column: &'static str) -> Result<i64, Error> {
        self.try_get(column).map_err(database)
    }

    fn optional_integer(&self, column: &'static str) -> Result<Option<i64>, Error> {
        self.try_get(column).map_err(database)
    }

    fn bytes(&self, column: &'static str) -> Result<Option<Vec<u8>>, Error> {
        self.try_get_unchecked(column).map_err(database)
    }
}

/// The positions of one transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Positions {
    /// The head before.
    pub(crate) after: Position,
    /// The first one handed out.
    pub(crate) first: Position,
    /// The last one, now the head.
    pub(crate) last: Position,
}

impl Positions {
    /// From the head before and after `count` positions were handed out.
    pub(crate) fn new(previous: i64, head: i64, count: usize) -> Result<Self, Error> {
        let before_first = head.saturating_sub(i64::try_from(count).unwrap_or(i64::MAX));
        Ok(Self { after: position(previous)?, first: position(before_first.saturating_add(1))?, last: position(head)? })
    }
}

impl Positions {
    /// The one with this number, from 1.
    #[cfg(any(feature = "mysql", feature = "sqlite"))]
    pub(crate) fn nth(self, nth: usize) -> i64 {
        integer(self.first.get()).saturating_add(integer(nth as u64 - 1))
    }
}

/// A session that a transaction destroyed.
#[derive(Debug)]
pub(crate) struct Dead {
    pub(crate) id: SessionId,
    pub(crate) subject: Subject,
    pub(crate) expires_at: Timestamp,
}

/// An audit record as its columns, in the order of [`RECORD`].
#[derive(Debug, serde::Serialize)]
pub(crate) struct Record<'a>(
    pub(crate) i64,
    pub(crate) &'static str,
    pub(crate) Option<&'a str>,
    pub(crate) String,
    pub(crate) Option<&'static str>,
    pub(crate) Option<&'a str>,
    /// As hexadecimal digits.
    pub(crate) Option<String>,
    pub(crate) Option<&'a str>,
    pub(crate) Option<String>,
    pub(crate) Option<&'a str>,
);

impl<'a> From<&'a AuditEvent> for Record<'a> {
    fn from(event: &'a AuditEvent) -> Self {
        Self(
            event.at.as_micros(),
            event.kind.as_str(),
            event.subject.as_ref().map(Subject::as_str),
            event.actor.to_text(),
            event.reason.map(Reason::as_str),
            event.session.as_deref(),
            event.logout.map(|id| crate::pack::hex(id.as_bytes())),
            event.detail.as_deref(),
            event.context.address().map(|address| address.to_string()),
            event.context.user_agent(),
        )
    }
}

/// Times and positions are at most `i64::MAX` by construction.
pub(crate) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A node's row.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) fn node(row: &impl Fields) -> Result<signoff::store::Node, Error> {
    let broken = || damaged("a stored node is broken");
    let id: [u8; 16] = row.bytes("id")?.and_then(|id| id.try_into().ok()).ok_or_else(broken)?;
    Ok(signoff::store::Node {
        id: signoff::NodeId::from_bytes(id),
        name: row.text("name")?.ok_or_else(broken)?,
        renewals: u64::try_from(row.integer("renewals")?).map_err(|_| broken())?,
        applied: position(row.integer("applied")?)?,
    })
}

pub(crate) fn position(number: i64) -> Result<Position, Error> {
    let position = u64::try_from(number).ok().and_then(Position::new);
    position.ok_or_else(|| damaged("a stored position is negative"))
}

pub(crate) fn timestamp(micros: i64) -> Result<Timestamp, Error> {
    Timestamp::from_micros(micros).ok_or_else(|| damaged("a stored time is before 1970 or after 9999"))
}

pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

pub(crate) fn session_id(row: &impl Fields) -> Result<SessionId, Error> {
    let bytes = row.bytes("sid")?.unwrap_or_default();
    let bytes = bytes.try_into().map(SessionId::from_bytes);
    bytes.map_err(|_| damaged("a stored session id has no 16 bytes"))
}

pub(crate) fn session(row: &impl Fields) -> Result<Session, Error> {
    let time = |column| row.integer(column).and_then(timestamp);
    let name = |column| Ok::<_, Error>(row.text(column)?.unwrap_or_default());
    let broken = |_| damaged("a stored session is broken");
    Ok(Session {
        id: session_id(row)?,
        subject: Subject::new(&name("subject")?).map_err(broken)?,
        client_id: ClientId::new(&name("client_id")?).map_err(broken)?,
        born: position(row.integer("born")?)?,
        created_at: time("created_at")?,
        authenticated_at: time("authenticated_at")?,
        last_seen_at: time("last_seen_at")?,
        idle_expires_at: time("idle_expires_at")?,
        expires_at: time("expires_at")?,
        scope: row.text("scope")?,
        claims: row.text("claims")?,
        data: row.bytes("data")?.unwrap_or_default(),
        version: row.integer("version")?.unsigned_abs(),
        device: row.text("device")?,
        context: context(row)?,
        elsewhere: Vec::new(),
    })
}

pub(crate) fn dead(row: &impl Fields) -> Result<Dead, Error> {
    let subject = Subject::new(&row.text("subject")?.unwrap_or_default());
    Ok(Dead {
        id: session_id(row)?,
        subject: subject.map_err(|_| damaged("a stored subject is broken"))?,
        expires_at: timestamp(row.integer("expires_at")?)?,
    })
}

pub(crate) fn event(row: &impl Fields) -> Result<AuditEvent, Error> {
    let broken = || damaged("a stored audit record is broken");
    let text = |column| row.text(column);
    let logout = row.bytes("logout")?.map(|bytes| bytes.try_into().map(LogoutId::from_bytes)).transpose();
    Ok(AuditEvent {
        at: timestamp(row.integer("at")?)?,
        kind: text("kind")?.and_then(|word| AuditKind::from_word(&word)).ok_or_else(broken)?,
        subject: text("subject")?.map(|subject| Subject::new(&subject)).transpose().map_err(|_| broken())?,
        actor: text("actor")?.and_then(|actor| Actor::from_text(&actor)).ok_or_else(broken)?,
        reason: text("reason")?.map(|word| Reason::from_word(&word).ok_or_else(broken)).transpose()?,
        session: text("session")?,
        logout: logout.map_err(|_| broken())?,
        detail: text("detail")?,
        context: context(row)?,
    })
}

/// The columns `address` and `user_agent`, which sessions and records share.
fn context(row: &impl Fields) -> Result<Context, Error> {
    let address = row.text("address")?.map(|address| address.parse::<IpAddr>()).transpose();
    let address = address.map_err(|_| damaged("a stored address is broken"))?;
    let context = address.map_or(Context::new(), |address| Context::new().with_address(address));
    Ok(match row.text("user_agent")? {
        Some(user_agent) => context.with_user_agent(&user_agent),
        None => context,
    })
}

/// A stretch of the log from rows of the head beside each entry, or beside nothing.
#[cfg(feature = "mysql")]
pub(crate) fn log_read<R: Fields>(rows: &[R], after: Position, limit: u32) -> Result<LogRead, Error> {
    let first = rows.first().ok_or_else(|| damaged("the head of the log is missing"))?;
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        // NULL in the row that stands for "no entries".
        if let Some(at) = row.optional_integer("position")? {
            let id = row.bytes("id")?.unwrap_or_default();
            entries.push(revocation(at, row.integer("kind")?, &id, row.integer("expires_at")?)?);
        }
    }
    stretch(first.integer("head")?, entries, after, limit)
}

/// A stretch of the log from one row: the head, and all entries as one text, a line for each with its position, kind,
/// expiry, and id as hexadecimal digits. With a row for each, a start would spend most of its time on columns.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) fn packed_log(row: &impl Fields, after: Position, limit: u32) -> Result<LogRead, Error> {
    let text = row.text("log")?.unwrap_or_default();
    let mut entries = Vec::with_capacity(text.len() / 64);
    for line in text.lines() {
        let mut words = line.split(' ');
        let mut number = || words.next().and_then(|word| word.parse::<i64>().ok());
        let numbers = (number(), number(), number());
        let (Some(at), Some(kind), Some(expires_at)) = numbers else { return Err(damaged(BROKEN_ENTRY)) };
        let id = words.next().and_then(unhex).ok_or_else(|| damaged(BROKEN_ENTRY))?;
        entries.push(revocation(at, kind, &id, expires_at)?);
    }
    // They come in order, but that is more than an aggregate promises.
    entries.sort_by_key(Revocation::position);
    stretch(row.integer("head")?, entries, after, limit)
}

fn stretch(head: i64, entries: Vec<Revocation>, after: Position, limit: u32) -> Result<LogRead, Error> {
    let head = position(head)?;
    let full = entries.len() == limit as usize;
    let through = entries.last().filter(|_| full).map_or(head, Revocation::position);
    Ok(LogRead { page: LogPage { after, entries, through }, head })
}

const BROKEN_ENTRY: &str = "a log entry has an unknown scope";

/// An entry that cannot be read may be a revocation: no start without it.
fn revocation(at: i64, kind: i64, id: &[u8], expires_at: i64) -> Result<Revocation, Error> {
    let kind = u8::try_from(kind).ok().and_then(ScopeKind::from_code);
    let scope = kind.and_then(|kind| Scope::from_parts(kind, id)).ok_or_else(|| damaged(BROKEN_ENTRY))?;
    // One that was cut or padded would revoke nobody.
    if matches!(scope.kind(), ScopeKind::Session | ScopeKind::Token) && id.len() != 16 {
        return Err(damaged("a log entry names a session or token that has no 16 bytes"));
    }
    Ok(Revocation::new(scope, position(at)?, timestamp(expires_at)?))
}

/// Whether sessions of the scope are cut off by a row of their own, which the live sessions are held against.
pub(crate) const fn cuts_sessions_off(kind: ScopeKind) -> bool {
    matches!(kind, ScopeKind::Subject | ScopeKind::Client | ScopeKind::Everything)
}

pub(crate) fn terms(row: &impl Fields) -> Result<Terms, Error> {
    let duration = |column| Ok::<_, Error>(Duration::from_micros(row.integer(column)?.unsigned_abs()));
    Ok(Terms { longest_session: duration("longest_session")?, leeway: duration("leeway")? })
}

pub(crate) fn key_ring(row: &impl Fields) -> Result<StoredKeyRing, Error> {
    let version = u64::try_from(row.integer("version")?);
    let version = version.map_err(|_| damaged("the version of the key ring is negative"))?;
    Ok(StoredKeyRing { version, document: row.text("document")?.unwrap_or_default() })
}
