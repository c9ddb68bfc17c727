//! What a history of logins, checks and logouts on several nodes must show, however it was made: by the simulation, or by
//! processes on a real database. Times are readings of one clock that all events share.

pub(crate) mod line;
pub(crate) mod mistakes;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// What was asked of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum What {
    /// A check said yes.
    Accepted,
    /// A check said that the token is revoked: the node has read so in the log.
    Dead,
    /// A check said that there is no such session: the store was asked, whose log the node may not have read yet.
    Gone,
    /// A check said that the node cannot know.
    Stale,
    /// A logout that reaches everywhere returned `Ok`.
    LoggedOut,
    /// A logout returned an error, or its answer never came: it may have happened, or happen yet.
    Attempted,
}

/// One question and its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) token: u32,
    pub(crate) node: usize,
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
    pub(crate) what: What,
}

/// From when to when something was wrong with a node: it may say `Stale` then.
pub(crate) type Trouble = (usize, Duration, Duration);

/// What was checked.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Checked {
    /// Checks that were held against the rules.
    pub(crate) decisions: usize,
    /// Among them those that began after the acknowledged logout of their token.
    pub(crate) after_logout: usize,
    /// Logouts that were acknowledged.
    pub(crate) logouts: usize,
    /// Checks by nodes that could not know.
    pub(crate) stale: usize,
}

impl std::ops::AddAssign for Checked {
    fn add_assign(&mut self, other: Self) {
        self.decisions += other.decisions;
        self.after_logout += other.after_logout;
        self.logouts += other.logouts;
        self.stale += other.stale;
    }
}

/// Holds a history against the rules:
///
/// 1. no check that began after a logout of its token was acknowledged accepts it, on any node;
/// 2. what a node has called dead once it never accepts again;
/// 3. nothing is called dead before somebody began to log it out;
/// 4. a node says that it cannot know only while something is wrong with it.
pub(crate) fn check(events: &[Event], troubles: &[Trouble]) -> Result<Checked, String> {
    let mut checked = Checked::default();
    // By token: when the first logout was acknowledged, and when the first was begun.
    let mut acknowledged: HashMap<u32, Event> = HashMap::new();
    let mut begun: HashMap<u32, Duration> = HashMap::new();
    // By token and node: the first time that it was called dead.
    let mut dead: BTreeMap<(u32, usize), Event> = BTreeMap::new();
    let earlier = |known: &mut Event, event: &Event| {
        if event.ended < known.ended {
            *known = *event;
        }
    };
    for event in events {
        match event.what {
            What::LoggedOut => {
                checked.logouts += 1;
                acknowledged.entry(event.token).and_modify(|known| earlier(known, event)).or_insert(*event);
            }
            What::Dead => {
                let known = dead.entry((event.token, event.node));
                known.and_modify(|known| earlier(known, event)).or_insert(*event);
            }
            _ => {}
        }
        if matches!(event.what, What::LoggedOut | What::Attempted) {
            let known = begun.entry(event.token).or_insert(event.began);
            *known = event.began.min(*known);
        }
    }
    for event in events {
        let is_after = acknowledged.get(&event.token).filter(|logout| event.began > logout.ended);
        match event.what {
            What::Accepted => {
                if let Some(logout) = is_after {
                    return Err(format!("accepted after an acknowledged logout:\n  {logout:?}\n  {event:?}"));
                }
                let before = dead.get(&(event.token, event.node)).filter(|dead| event.began > dead.ended);
                if let Some(dead) = before {
                    return Err(format!("accepted what was dead:\n  {dead:?}\n  {event:?}"));
                }
            }
            What::Dead | What::Gone if begun.get(&event.token).is_none_or(|begun| event.ended < *begun) => {
                return Err(format!("nobody has logged it out:\n  {event:?}"));
            }
            What::Stale => {
                let is_excused = troubles
                    .iter()
                    .any(|(node, from, to)| *node == event.node && *from <= event.ended && event.began <= *to);
                if !is_excused {
                    return Err(format!("stale, although nothing was wrong:\n  {event:?}"));
                }
                checked.stale += 1;
            }
            What::Dead | What::Gone => {}
            What::LoggedOut | What::Attempted => continue,
        }
        checked.decisions += 1;
        checked.after_logout += usize::from(is_after.is_some());
    }
    Ok(checked)
}
