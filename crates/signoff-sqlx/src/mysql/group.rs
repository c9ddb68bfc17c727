//! Many logouts of sessions in one transaction of two hops: what there is, and what is done about it. Each hop is a text of
//! several statements. What else a batch may name is in [`super::sign_off`].

use std::collections::HashMap;

use signoff::store::{ScopeKind, SessionTarget, SignOff, SignedOff};
use signoff::time::Timestamp;
use signoff::{Error, SessionId, Subject};
use sqlx::mysql::MySqlConnection;

use super::sign_off::LATEST;
use super::text::{self, Insert, push};
use super::{audit, log};
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
         WHERE sid IN {} FOR UPDATE",
        text::list(&ids)
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
    let positions = log::advanced(&rows, doomed.len())?;
    // Nothing was appended: the head is as it was found.
    let after = if doomed.is_empty() { positions.last } else { positions.after };
    let mut next = 0;
    let found = states.into_iter().map(|(destroyed, known, until)| {
        let entry = match until {
            Some(until) => {
                next += 1;
                Some((position(positions.nth(next))?, until))
            }
            None => None,
        };
        Ok(Found { destroyed, known, entry })
    });
    let found: Vec<_> = found.collect::<Result<_, Error>>()?;
    sign_off::assemble(batch, found, after, positions.last)
}

/// Destroys, records, moves the head, appends and commits. Of the head before and after there is one row.
///
/// Only where nothing is revoked is the head not moved: then READ COMMITTED lets it see whatever destroyed a session that was
/// found gone.
fn settle(alive: &[SessionId], doomed: &[(&Asked<'_>, Option<&Subject>, i64)], now: Timestamp) -> String {
    let (micros, count) = (now.as_micros(), doomed.len());
    if count == 0 {
        return "SELECT previous, head FROM signoff_meta WHERE id = 1; COMMIT".to_owned();
    }
    let mut sql = String::with_capacity(400 * count + 256);
    if !alive.is_empty() {
        let list = text::list(alive);
        push(
            &mut sql,
            format_args!(
                "UPDATE signoff_session FORCE INDEX (PRIMARY) \
                 SET destroyed_at = {micros}, data = '', claims = NULL WHERE sid IN {list}; "
            ),
        );
    }
    let events: Vec<_> =
        doomed.iter().map(|((request, target), ..)| request.audit(None, Some(&target.id), 1, now)).collect();
    audit::push_insert(&mut sql, events.iter().zip(doomed.iter().map(|(_, subject, _)| *subject)));
    // The lock of the head puts commits in order: whoever comes second waits here until this transaction has ended.
    push(&mut sql, format_args!("; {}; ", log::advance_in_text(count, now)));
    let mut insert = Insert::into(&mut sql, "signoff_log (position, kind, id, expires_at)");
    for (n, ((_, target), _, until)) in doomed.iter().enumerate() {
        insert
            .row()
            .nth(n + 1)
            .number(ScopeKind::Session.code().into())
            .bytes(Some(target.id.as_bytes()))
            .number(*until);
    }
    insert.end();
    sql.push_str("; COMMIT");
    sql
}
