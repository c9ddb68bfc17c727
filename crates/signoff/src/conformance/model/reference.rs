//! What must come out, told in another way than the library does it: a few facts about each session, and no log, no
//! positions, no cache and no transactions.

use std::collections::BTreeMap;
use std::time::Duration;

use super::act::{Act, Said, Scoped};
use crate::time::Timestamp;
use crate::{Delivery, Rejection, Settings, Update};

/// Everything that the reference knows.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Model {
    pub(super) now: Timestamp,
    rules: Rules,
    sessions: BTreeMap<usize, One>,
    /// Sessions that ended at or before this may have been purged.
    purged: Timestamp,
    /// A session that lived when its token was exchanged, and whose end kept the answer back: it must have ended by now.
    owed: Option<usize>,
}

/// The settings that count.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Rules {
    delivery: Delivery,
    access: Duration,
    idle: Duration,
    absolute: Duration,
    grace: Duration,
    /// A note of use may be left out for so long after the last one.
    interval: Duration,
}

/// A session.
#[derive(Clone, PartialEq, Debug)]
struct One {
    subject: usize,
    client: usize,
    end: Timestamp,
    /// Its idle end is at one of these, because a note of use may have been left out.
    idle: (Timestamp, Timestamp),
    /// The latest that its idle end ever was.
    latest: Timestamp,
    destroyed: bool,
    cut_off: bool,
    version: u64,
    data: u8,
    /// When each of its access tokens ends, and whether it was revoked by itself.
    tokens: Vec<(Timestamp, bool)>,
    /// Its refresh tokens, the newest last, and when the one before was exchanged.
    refresh: Vec<String>,
    exchanged: Option<Timestamp>,
}

/// Whether a session lives, as far as that is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Dead,
    Either,
    Live,
}

impl Model {
    pub(super) fn new(now: Timestamp, settings: &Settings, grace: Duration) -> Self {
        let rules = Rules {
            delivery: settings.delivery,
            access: settings.access_lifetime,
            idle: settings.idle,
            absolute: settings.absolute,
            grace,
            interval: (settings.idle / 10).min(Duration::from_secs(60)),
        };
        Self { now, rules, sessions: BTreeMap::new(), purged: Timestamp::MIN, owed: None }
    }

    /// Whether this answer is one that may be given now, and if so, what is known afterwards.
    pub(super) fn step(&mut self, act: &Act, said: &Said) -> bool {
        match (act, said) {
            (Act::Nothing, Said::Nothing) => true,
            (Act::LogIn { slot, subject, client }, Said::Began { refresh }) => {
                let end = self.now.saturating_add(self.rules.absolute);
                let idle = self.idle_end(end);
                let session = One {
                    subject: *subject,
                    client: *client,
                    end,
                    idle: (idle, idle),
                    latest: idle,
                    destroyed: false,
                    cut_off: false,
                    version: 1,
                    data: 0,
                    tokens: vec![(self.token_end(end), false)],
                    refresh: refresh.iter().cloned().collect(),
                    exchanged: None,
                };
                self.sessions.insert(*slot, session).is_none()
            }
            (Act::Authenticate { slot, token }, Said::Accepted(accepted)) => {
                self.authenticate(*slot, *token, *accepted)
            }
            (Act::Touch { slot, .. }, Said::Kept(kept)) => match (kept, self.life(*slot)) {
                (true, Life::Live) => self.note(*slot, self.rules.interval),
                // A note that was left out says nothing about the session, and does nothing for it.
                (true, Life::Dead) => true,
                (true, Life::Either) => {
                    let latest = self.now.saturating_add(self.rules.idle);
                    self.with(*slot, |one, _| {
                        one.idle.1 = one.idle.1.max(latest).min(one.end);
                        true
                    })
                }
                (false, _) => self.observe(*slot, false),
            },
            (Act::Renew { slot, .. }, Said::Renewed(renewed)) => {
                self.observe(*slot, *renewed)
                    && (!renewed || self.note(*slot, Duration::ZERO))
                    && self.with(*slot, |one, model| {
                        if *renewed {
                            one.tokens.push((model.token_end(one.end), false));
                        }
                        true
                    })
            }
            (Act::Load { slot, .. }, Said::Loaded(loaded)) => {
                self.observe(*slot, loaded.is_some())
                    && self.with(*slot, |one, _| loaded.is_none_or(|loaded| loaded == (one.version, one.data)))
            }
            (Act::Save { slot, version, data, .. }, Said::Updated(update)) => {
                self.observe(*slot, *update != Update::Gone)
                    && self.with(*slot, |one, _| match update {
                        Update::Gone => true,
                        Update::Conflict => one.version != *version,
                        Update::Saved(saved) => {
                            let fits = one.version == *version && *saved == version + 1;
                            (one.version, one.data) = (*saved, *data);
                            fits
                        }
                    })
            }
            (Act::Refresh { slot, presented }, said) => self.refresh(*slot, presented, said),
            (Act::LogOut { slot, token }, Said::Ended(ended)) => match ended {
                Some(destroyed) => {
                    let expect = self.destroy(|n, _| n == *slot);
                    *destroyed == expect || self.may_be_purged(*slot)
                }
                None => self.may_be_unknown(*slot, token),
            },
            (Act::Everywhere { slot, token }, Said::Ended(ended)) => match (ended, self.sessions.get(slot).cloned()) {
                (Some(destroyed), Some(own)) => self.ends(*destroyed, |_, one| one.subject == own.subject),
                (None, Some(_)) => self.may_be_unknown(*slot, token),
                _ => false,
            },
            (Act::Others { slot, .. }, Said::Ended(Some(destroyed))) => {
                let Some(own) = self.sessions.get(slot).cloned() else { return false };
                self.ends(*destroyed, |n, one| one.subject == own.subject && n != *slot)
            }
            (Act::EndSession { slot, subject, .. }, Said::Ended(ended)) => {
                let theirs = self.sessions.get(slot).is_some_and(|one| one.subject == *subject);
                match ended {
                    Some(destroyed) => theirs && self.observe(*slot, true) && self.ends(*destroyed, |n, _| n == *slot),
                    None => !theirs || self.observe(*slot, false),
                }
            }
            (Act::Revoke(scoped), Said::Ended(Some(destroyed))) => self.revoke(scoped, *destroyed),
            (Act::List { subject }, Said::Listed(listed)) => {
                let all: Vec<_> =
                    self.sessions.iter().filter(|(_, one)| one.subject == *subject).map(|(n, _)| *n).collect();
                listed.iter().all(|n| all.contains(n)) && all.into_iter().all(|n| self.observe(n, listed.contains(&n)))
            }
            (Act::Purge, Said::Nothing) => {
                let day = Duration::from_secs(24 * 60 * 60);
                self.purged = self.purged.max(self.now.saturating_sub(day));
                true
            }
            _ => false,
        }
    }

    /// Whether everything that was answered at once fits together.
    pub(super) fn settle(&mut self) -> bool {
        let owed = self.owed.take().and_then(|slot| self.sessions.get(&slot));
        owed.is_none_or(|one| one.destroyed || one.cut_off)
    }

    fn authenticate(&mut self, slot: usize, token: usize, accepted: bool) -> bool {
        let Some(one) = self.sessions.get(&slot) else { return false };
        match self.rules.delivery {
            // A JWT asks nobody but the clock and the log.
            Delivery::Jwt => {
                let Some((end, revoked)) = one.tokens.get(token) else { return false };
                accepted == (self.now < *end && !revoked && !one.destroyed && !one.cut_off)
            }
            // When the clock went back, a note of use may have brought the idle end forward, and memory knows the later one:
            // seen alive there says nothing.
            Delivery::Opaque if accepted => {
                !one.destroyed && !one.cut_off && self.now < one.end && self.now < one.latest
            }
            Delivery::Opaque => self.observe(slot, false),
        }
    }

    fn refresh(&mut self, slot: usize, presented: &str, said: &Said) -> bool {
        let life = self.life(slot);
        let (now, grace, idle) = (self.now, self.rules.grace, self.rules.idle);
        let purged = self.may_be_purged(slot);
        let Some(one) = self.sessions.get_mut(&slot) else { return false };
        let Some(at) = one.refresh.iter().position(|token| token == presented) else { return false };
        let age = one.refresh.len() - 1 - at;
        let in_grace = age == 1 && one.exchanged.is_some_and(|at| now < at.saturating_add(grace));
        match said {
            // Nobody is given what is dead by the time that it is given.
            Said::NotRefreshed(Rejection::Revoked) if life == Life::Live && (age == 0 || in_grace) => {
                if age == 0 {
                    one.exchanged = Some(now);
                    one.refresh.push(format!("the successor of {presented}"));
                }
                self.owed = Some(slot);
                true
            }
            Said::NotRefreshed(Rejection::Revoked) => self.observe(slot, false),
            Said::NotRefreshed(Rejection::UnknownToken) => purged,
            Said::NotRefreshed(Rejection::Reused) => {
                let fits = life != Life::Dead && age > 0 && !in_grace;
                one.destroyed = true;
                fits
            }
            Said::Refreshed(successor) if life != Life::Dead => {
                let token_end = token_end(now, &self.rules, one.end);
                one.tokens.push((token_end, false));
                if age == 0 {
                    let idle = now.saturating_add(idle).min(one.end);
                    (one.idle, one.exchanged) = ((idle, idle), Some(now));
                    let fresh = !one.refresh.contains(successor);
                    one.refresh.push(successor.clone());
                    fresh
                } else {
                    // The same one, and the session need not even have been looked at in a new light.
                    in_grace && one.refresh.last() == Some(successor) && self.observe(slot, true)
                }
            }
            _ => false,
        }
    }

    fn revoke(&mut self, scoped: &Scoped, destroyed: u64) -> bool {
        match scoped {
            Scoped::Everything => self.cut(destroyed, |_| true),
            Scoped::Client(client) => self.cut(destroyed, |one| one.client == *client),
            Scoped::Session(slot, _) => self.ends(destroyed, |n, _| n == *slot),
            Scoped::Subject(subject) => self.ends(destroyed, |_, one| one.subject == *subject),
            Scoped::Token(slot, token, _) => {
                destroyed == 0
                    && self.with(*slot, |one, _| one.tokens.get_mut(*token).map(|token| token.1 = true).is_some())
            }
        }
    }

    fn cut(&mut self, destroyed: u64, whose: impl Fn(&One) -> bool) -> bool {
        self.sessions.values_mut().filter(|one| whose(one)).for_each(|one| one.cut_off = true);
        destroyed == 0
    }

    /// These are destroyed, as many as were said to be.
    fn ends(&mut self, destroyed: u64, whose: impl Fn(usize, &One) -> bool) -> bool {
        // What was purged is not there to be destroyed.
        let purged = self.sessions.iter().filter(|(n, one)| whose(**n, one) && self.may_be_purged(**n)).count() as u64;
        let most = self.destroy(whose);
        (most.saturating_sub(purged)..=most).contains(&destroyed)
    }

    fn destroy(&mut self, whose: impl Fn(usize, &One) -> bool) -> u64 {
        let mut destroyed = 0;
        for (n, one) in &mut self.sessions {
            if whose(*n, one) && !one.destroyed {
                one.destroyed = true;
                destroyed += 1;
            }
        }
        destroyed
    }

    /// Whether the session may be seen to live, or not; from then on it is known.
    fn observe(&mut self, slot: usize, live: bool) -> bool {
        let (life, now) = (self.life(slot), self.now);
        if life == Life::Either
            && let Some(one) = self.sessions.get_mut(&slot)
        {
            match live {
                true => one.idle.0 = now.saturating_add(Duration::from_micros(1)),
                false => one.idle.1 = now,
            }
        }
        life == Life::Either || (life == Life::Live) == live
    }

    /// A note of use was written now, or one that is at most so old.
    fn note(&mut self, slot: usize, at_most: Duration) -> bool {
        let end = |model: &Self, one: &One| model.idle_end(one.end);
        self.with(slot, |one, model| {
            let latest = end(model, one);
            let least = latest.saturating_sub(at_most);
            one.idle = match latest >= one.idle.1 {
                true if at_most.is_zero() => (latest, latest),
                true => (one.idle.0.max(least), latest),
                // The clock went back: the end may go back with it or stay.
                false => (one.idle.0.min(least), one.idle.1),
            };
            true
        })
    }

    fn life(&self, slot: usize) -> Life {
        match self.sessions.get(&slot) {
            None => Life::Dead,
            Some(one) if one.destroyed || one.cut_off || self.now >= one.end || self.now >= one.idle.1 => Life::Dead,
            Some(one) if self.now < one.idle.0 => Life::Live,
            Some(_) => Life::Either,
        }
    }

    fn with(&mut self, slot: usize, change: impl FnOnce(&mut One, &Self) -> bool) -> bool {
        let Some(mut one) = self.sessions.remove(&slot) else { return false };
        let fits = change(&mut one, self);
        one.latest = one.latest.max(one.idle.1);
        self.sessions.insert(slot, one);
        fits
    }

    fn may_be_purged(&self, slot: usize) -> bool {
        self.sessions.get(&slot).is_some_and(|one| one.end <= self.purged)
    }

    /// A JWT speaks for itself; nobody knows another token whose session was purged.
    fn may_be_unknown(&self, slot: usize, token: &str) -> bool {
        !token.contains('.') && self.may_be_purged(slot)
    }

    fn idle_end(&self, end: Timestamp) -> Timestamp {
        self.now.saturating_add(self.rules.idle).min(end)
    }

    fn token_end(&self, end: Timestamp) -> Timestamp {
        token_end(self.now, &self.rules, end)
    }
}

/// On a whole second, and not after the session.
fn token_end(now: Timestamp, rules: &Rules, end: Timestamp) -> Timestamp {
    match rules.delivery {
        Delivery::Jwt => {
            let end = now.saturating_add(rules.access).min(end);
            Timestamp::from_secs(end.as_secs()).unwrap_or(end)
        }
        Delivery::Opaque => end,
    }
}
