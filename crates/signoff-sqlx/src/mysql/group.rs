//! Many logouts of sessions in one transaction of two hops: what there is, and what is done about it. Each hop is a text of
//! several statements. What else a batch may name is in [`super::sign_off`].

use std::collections::HashMap;
use std::fmt::Write as _;

use signoff::store::{SessionTarget, SignOff, SignedOff};
use signoff::time::Timestamp;
use signoff::{Error, SessionId, Subject};
use sqlx::mysql::MySqlConnection;

use super::sign_off::{LATEST, list};
use super::{audit, text};
use crate::error::damaged;
use crate::pack::push_literal;
use crate::rows::{Fields, dead, micros, position, session_id};
use crate::sign_off::{self, Found};
use crate::steps;

type Asked<'a> = (&'a SignOff, &'a SessionTarget);

pub(super) async fn end_sessions(
    connection: &mut MySqlConnection,
    batch: &[SignOff],
    asked: &[Asked<'_>],
    now: Timestamp,
) -> Result<SignedOff, Error> {
    steps::reached("sign-off: begun");
    let done = transact(connection, batch, asked, now).await;
    text::ended(connection, done).await
}

async fn transact(
    connection: &mut MySqlConnection,
    batch: &[SignOff],
    asked: &[Asked<'_>],
    now: Timestamp,
) -> Result<SignedOff, Error> {
    let ids: Vec<_> = asked.iter().map(|(_, target)| target.id).collect();
    let look = format!(
        "START TRANSACTION; \
         SELECT sid, subject, expires_at, destroyed_at FROM signoff_session FORCE INDEX (PRIMARY) \
         WHERE sid IN ({}) FOR UPDATE",
        list(&ids)
    );
    let rows = text::rows(connection, look).await?;
    let mut there = HashMap::with_capacity(rows.len());
    for row in &rows {
        let alive = row.integer("destroyed_at")? == 0;
        there.insert(session_id(row)?, if alive { Some(dead(row)?) } else { None });
    }

    let mut alive: Vec<SessionId> = Vec::with_capacity(rows.len());
    let mut states = Vec::with_capacity(asked.len());
    let mut doomed: Vec<(&Asked<'_>, Option<&Subject>, i64)> = Vec::with_capacity(asked.len());
    for one in asked {
        let (request, target) = one;
        let (destroyed, known, subject, until) = match there.get(&target.id) {
            Some(Some(dead)) => {
                alive.push(target.id);
                let margin = micros(request.margin).min(LATEST);
                (true, true, Some(&dead.subject), Some(dead.expires_at.as_micros().saturating_add(margin).min(LATEST)))
            }
            Some(None) => (false, true, None, None),
            None => (false, false, None, target.revoke_unknown_until.map(Timestamp::as_micros)),
        };
        if let Some(until) = until {
            doomed.push((one, subject, until));
        }
        states.push((destroyed, known, until));
    }

    let rows = text::rows(connection, settle(&alive, &doomed, now)).await?;
    steps::reached("sign-off: committed");
    let head = rows.first().ok_or_else(|| damaged("the head of the log is missing"))?;
    let (previous, through) = (position(head.integer("previous")?)?, head.integer("head")?);
    // Nothing was appended: the head is as it was found.
    let after = if doomed.is_empty() { position(through)? } else { previous };
    let mut next = through.saturating_sub(i64::try_from(doomed.len()).unwrap_or(i64::MAX));
    let found = states.into_iter().map(|(destroyed, known, until)| {
        let entry = match until {
            Some(until) => {
                next = next.saturating_add(1);
                Some((position(next)?, until))
            }
            None => None,
        };
        Ok(Found { destroyed, known, entry })
    });
    let found: Vec<_> = found.collect::<Result<_, Error>>()?;
    sign_off::assemble(batch, found, after, position(through)?)
}

/// Destroys, records, moves the head, appends and commits. Of the head before and after there is one row.
///
/// Only where nothing is revoked is the head not moved: then READ COMMITTED lets it see whatever destroyed a session that was
/// found gone.
fn settle(alive: &[SessionId], doomed: &[(&Asked<'_>, Option<&Subject>, i64)], now: Timestamp) -> String {
    const HEAD: &str = "SELECT previous, head FROM signoff_meta WHERE id = 1; ";
    let (micros, count) = (now.as_micros(), doomed.len());
    let mut sql = String::with_capacity(400 * count + 256);
    if count == 0 {
        return format!("{HEAD}COMMIT");
    }
    if !alive.is_empty() {
        let list = list(alive);
        sql = format!(
            "UPDATE signoff_session FORCE INDEX (PRIMARY) \
             SET destroyed_at = {micros}, data = '', claims = NULL WHERE sid IN ({list}); "
        );
    }
    let events: Vec<_> =
        doomed.iter().map(|((request, target), ..)| request.audit(None, Some(&target.id), 1, now)).collect();
    audit::push_insert(&mut sql, events.iter().zip(doomed.iter().map(|(_, subject, _)| *subject)));
    // Writing to a text does not fail. The lock of the head puts commits in order: whoever comes second waits here until
    // this transaction has ended.
    let _ = write!(
        sql,
        "; UPDATE signoff_meta SET previous = head, head = GREATEST(head, {micros} - 1) + {count} WHERE id = 1; \
         SELECT head - {count} INTO @signoff_base FROM signoff_meta WHERE id = 1; \
         {HEAD}INSERT INTO signoff_log (position, kind, id, expires_at) VALUES "
    );
    for (n, ((_, target), _, until)) in doomed.iter().enumerate() {
        let _ = write!(sql, "{}(@signoff_base + {}, 2, ", if n == 0 { "" } else { ", " }, n + 1);
        push_literal(&mut sql, Some(target.id.as_bytes()));
        let _ = write!(sql, ", {until})");
    }
    sql.push_str("; COMMIT");
    sql
}
