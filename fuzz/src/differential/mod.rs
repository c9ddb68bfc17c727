//! Millions of tokens, good, nearly good and bad, each held against jsonwebtoken and against its own other spellings.
//!
//! Not guided by coverage, as fuzzing is: it is fast instead, and a seed and an index lead to the same token again.

mod bytes;
mod header;
mod literal;
mod members;
mod payload;
mod prng;
mod respell;
mod token;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Map, Value};
use signoff::{Live, Rejection};

use crate::judge::{Judged, judge};
use crate::keys::Key;
use crate::strictness::Strictness;
use prng::Prng;
use token::Token;

/// What became of so many tokens.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Tally {
    pub tokens: u64,
    pub accepted: u64,
    /// How many were spelled anew and judged again.
    pub respelled: u64,
    /// What both refuse, by our reason.
    pub both_refuse: BTreeMap<&'static str, u64>,
    /// What we refuse and jsonwebtoken accepts. A token in several classes counts for each.
    pub stricter: BTreeMap<Strictness, u64>,
    /// The indices of tokens that broke a rule.
    pub failures: Vec<u64>,
}

impl Tally {
    /// Judges the tokens of a seed with these indices. A token that breaks a rule makes a panic, whose message has been
    /// printed when its index stands in [`Tally::failures`].
    pub fn of(seed: u64, indices: impl Iterator<Item = u64>) -> Self {
        let mut tally = Self::default();
        for index in indices {
            tally.tokens += 1;
            if catch_unwind(AssertUnwindSafe(|| tally.judge(seed, index))).is_err() {
                tally.failures.push(index);
            }
        }
        tally
    }

    /// Both tallies in one.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        self.tokens += other.tokens;
        self.accepted += other.accepted;
        self.respelled += other.respelled;
        for (reason, count) in other.both_refuse {
            *self.both_refuse.entry(reason).or_default() += count;
        }
        for (class, count) in other.stricter {
            *self.stricter.entry(class).or_default() += count;
        }
        self.failures.extend(other.failures);
        self
    }

    fn judge(&mut self, seed: u64, index: u64) {
        let mut prng = Prng::new(seed, index);
        let token = token::generate(&mut prng);
        if token.key != Key::Hs256 && !token.is_well_signed {
            // Signatures of public keys are remembered: what comes after a good token must not profit from it.
            let _ = judge(&token::assemble(token.key, &token.header, &token.payload));
        }
        let judged = judge(&token.text);
        match &judged {
            Judged::BothAccept(_) => self.accepted += 1,
            Judged::BothRefuse(reason) => *self.both_refuse.entry(reason.reason()).or_default() += 1,
            Judged::Stricter(_, classes) => {
                classes.iter().for_each(|class| *self.stricter.entry(*class).or_default() += 1);
            }
        }
        if token.is_well_signed && prng.one_in(3) {
            self.respelled += u64::from(check_respelled(&token, &judged, &mut prng).is_some());
        }
    }
}

/// The same header and claims in another spelling get the same answer, and say the same.
fn check_respelled(token: &Token, judged: &Judged, prng: &mut Prng) -> Option<()> {
    let payload = respell::respell(&token.payload, prng)?;
    let header = if prng.one_in(4) { respell::respell(&token.header, prng)? } else { token.header.clone() };
    let text = token::assemble(token.key, &header, &payload);
    let again = judge(&text);
    let (reason, other) = (judged.refusal(), again.refusal());
    // A spelling can be too large, for us alone.
    if [reason, other].contains(&Some(Rejection::TooLarge)) {
        return Some(());
    }
    assert_eq!(reason, other, "one answer for one spelling: {} and {text}", token.text);
    match (judged, &again) {
        (Judged::BothAccept(live), Judged::BothAccept(again)) => {
            assert_eq!(facts(live), facts(again), "read differently: {} and {text}", token.text);
        }
        // jsonwebtoken takes the last of two members with the same name, so for it the order decides.
        (Judged::Stricter(_, classes), _) | (_, Judged::Stricter(_, classes))
            if classes.contains(&Strictness::DuplicateMember) => {}
        (Judged::Stricter(_, classes), Judged::Stricter(_, others)) => {
            assert_eq!(classes, others, "classified differently: {} and {text}", token.text);
        }
        (Judged::BothRefuse(_), Judged::BothRefuse(_)) => {}
        _ => panic!("jsonwebtoken accepts one spelling only: {} and {text}", token.text),
    }
    Some(())
}

/// Everything that a token says.
fn facts(live: &Live) -> (String, Map<String, Value>) {
    let registered = format!(
        "{:?} {:?} {} {:?} {:?} {:?} {:?} {:?}",
        live.subject().to_string(),
        live.client_id().to_string(),
        live.session_id(),
        live.token_id().map(ToString::to_string),
        live.position(),
        live.issued_at(),
        live.expires_at(),
        live.scope(),
    );
    (registered, live.application().unwrap())
}
