//! Holds signoff's answer on a token against jsonwebtoken's, and panics when they differ for no known reason.

use std::collections::BTreeSet;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, URL_SAFE_NO_PAD};
use signoff::{Live, Rejection, Unverified};

use crate::model;
use crate::oracle;
use crate::service::service;
use crate::strictness::Strictness;

/// What the two said.
pub(crate) enum Judged {
    BothAccept(Box<Live>),
    BothRefuse(Rejection),
    /// They accept, we refuse, and these are the reasons that the token gives for it.
    Stricter(Rejection, BTreeSet<Strictness>),
}

impl Judged {
    /// Why signoff refused it, if it did.
    pub(crate) const fn refusal(&self) -> Option<Rejection> {
        match self {
            Self::BothAccept(_) => None,
            Self::BothRefuse(reason) | Self::Stricter(reason, _) => Some(*reason),
        }
    }
}

/// Presents a token to both.
///
/// What jsonwebtoken refuses, signoff refuses. What it accepts, signoff accepts if and only if the token is in no class
/// of [`Strictness`], and otherwise refuses for a reason of one of its classes.
pub(crate) fn judge(token: &str) -> Judged {
    let verified = service().signoff.verify(token);
    let parsed = Unverified::parse(token).map(|_| ());
    // What parsing refuses, verifying refuses for the same reason.
    assert!(parsed.is_ok() || parsed.err() == verified.as_ref().err().copied(), "parsed in two ways: {token}");
    match (verified, oracle::decode(token)) {
        (Ok(live), Ok(theirs)) => {
            let classes = model::classes(token);
            assert!(classes.is_empty(), "we accept it, but it is {classes:?}: {token}");
            assert_eq!(respell(token), token, "accepted in another spelling than its own");
            oracle::check_same_reading(&theirs, &live);
            // What was remembered of the first look does not change the second.
            let again = service().signoff.verify(token).unwrap();
            oracle::check_same_reading(&theirs, &again);
            Judged::BothAccept(Box::new(live))
        }
        (Ok(live), Err(error)) => {
            let header = token.split_once('.').map(|(header, _)| model::text(header)).unwrap();
            let header = serde_json::from_str(&header).unwrap();
            assert!(oracle::has_odd_acme_members(&header), "they refuse, we accept: {error}: {token}");
            assert_eq!(model::classes(token), BTreeSet::new(), "we accept it: {token}");
            Judged::BothAccept(Box::new(live))
        }
        (Err(reason), Ok(_)) => {
            let classes = model::classes(token);
            assert!(
                classes.iter().any(|class| class.rejection() == reason),
                "they accept, we refuse: {reason:?}, but it is {classes:?}: {token}"
            );
            Judged::Stricter(reason, classes)
        }
        (Err(reason), Err(_)) => Judged::BothRefuse(reason),
    }
}

/// The parts decoded by a lenient reader and printed again by a strict writer.
fn respell(token: &str) -> String {
    let config = NO_PAD.with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let lenient = GeneralPurpose::new(&URL_SAFE, config);
    let again: Vec<_> = token.split('.').map(|part| URL_SAFE_NO_PAD.encode(lenient.decode(part).unwrap())).collect();
    again.join(".")
}
