//! The verdict on a whole token, beside a check of one of its scopes.
//!
//! Claim: how many checks' time the verdict on six scopes takes. It may overlap what single checks do one by one.

use signoff_benches::loops::{BATCH, isolated};
use signoff_benches::{Contestant, Length, Unit, claim, interleave, remark};
use signoff_revocation::{Cutoff, Position, RevocationSet, Scope};

use crate::keys::{Subject, cut_off, expiry, id};
use crate::lookups::numbers;

/// How many tokens, and how many sessions, are cut off.
const EACH: u64 = 500_000;
const SUBJECTS: u64 = 100_000;
/// The client and the key of every token that is asked for: most applications have few.
const CLIENT: &str = "https://bank.example/api";
const KEY: &str = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";

/// Measures.
pub(crate) fn run(length: Length) {
    let set = set();
    let (mut one, mut six) = (set.reader(), set.reader());
    // Each has a series of its own: what one has asked the set for would be in the caches for the next.
    let [empty, one, six] = interleave(
        &format!("isolated, {EACH} tokens, as many sessions and {SUBJECTS} subjects are cut off"),
        Unit::Nanoseconds,
        length.pick(301, 101),
        [
            Contestant::new("nothing", isolated(BATCH, tokens(0), |token| token.token[0] != 0)),
            Contestant::new(
                "Reader::cutoff, the session of a token",
                isolated(BATCH, tokens(1), |token| one.cutoff(Scope::Session(&token.session)).is_some()),
            ),
            Contestant::new(
                "Reader::dead_by, six scopes of a token",
                isolated(BATCH, tokens(2), |token| six.dead_by(&token.scopes(), Position::MAX).is_some()),
            ),
        ],
    );
    claim("verdict-six-scopes", &six, &one);
    let net = six.net_of(&empty).over(&one.net_of(&empty));
    remark(format_args!("  net of nothing, the verdict takes {net:.3} checks"));
}

/// What the scopes of a token are made of.
struct Token {
    token: [u8; 16],
    session: [u8; 16],
    subject: Subject,
}

impl Token {
    fn scopes(&self) -> [Scope<'_>; 6] {
        [
            Scope::Token(&self.token),
            Scope::Session(&self.session),
            Scope::Subject(self.subject.as_str()),
            Scope::Client(CLIENT),
            Scope::Key(KEY),
            Scope::Everything,
        ]
    }
}

/// Draws tokens: one in a hundred is cut off, as many are of a session that is, and as many of a subject that was,
/// before they were born.
fn tokens(series: u64) -> impl FnMut(u64) -> Token {
    let [mut token, mut session] = [3 * series, 3 * series + 1].map(|series| numbers(EACH, series));
    let mut subject = numbers(SUBJECTS, 3 * series + 2);
    // Made before, as a request has parsed its token before it asks: a text that was written byte by byte a moment ago
    // is read slowly.
    let subjects: Vec<_> = (0..1_024).map(|_| Subject::new(subject(0))).collect();
    move |zero| {
        let (token, session) = (token(zero), session(zero));
        Token { token: token_id(token), session: id(session), subject: subjects[token as usize % 1_024] }
    }
}

fn set() -> RevocationSet {
    let set = RevocationSet::new();
    let insert = |scope: Scope<'_>, cutoff, number| set.insert(scope, cutoff, expiry(number)).expect("there is room");
    let long_ago = Cutoff::at(Position::ZERO);
    for number in 0..EACH {
        cut_off(&set, number);
        insert(Scope::Token(&token_id(number)), Cutoff::ABSOLUTE, number);
    }
    (0..SUBJECTS).for_each(|number| insert(Scope::Subject(Subject::new(number).as_str()), long_ago, number));
    ["old-app", "older-app", "partner"].into_iter().for_each(|client| insert(Scope::Client(client), long_ago, 0));
    insert(Scope::Key("2019"), Cutoff::ABSOLUTE, 0);
    set
}

/// The id of a token: never that of a session.
fn token_id(number: u64) -> [u8; 16] {
    id(number | 1 << 60)
}
