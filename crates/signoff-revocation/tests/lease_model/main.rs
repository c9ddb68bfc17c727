//! The whole protocol of leases, explored.
#![forbid(unsafe_code)]
#![cfg(not(any(signoff_loom, signoff_shuttle)))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod decisions;
mod protocol;
mod search;

use std::io::Write;

use decisions::Scale;
use protocol::{Fault, Numbers, Options, Protocol, Renew, T0, Until, situation};
use search::{End, Outcome, search};

const FINAL: Options = Options {
    fault: None,
    leave: true,
    numbers: Numbers::Canonical,
    preload: true,
    renew: Renew::Unconditional,
    scale: Scale { holder: 2, observer: 4 },
    t0: T0::BeforeLogRead,
    until: Until::RowsOrTime,
    strays: 2,
    deletions: 1,
};

/// Real ids and counts, one incarnation after the other under ids of its own.
const COUNTED: Options = Options {
    numbers: Numbers::Counted { ids: 2, renewals: 2 },
    scale: Scale { holder: 1, observer: 2 },
    leave: false,
    preload: false,
    strays: 1,
    ..FINAL
};

/// As the protocol was first described: deadlines from the renewal, and rows alone.
const FIRST: Options = Options { t0: T0::BeforeRenewal, until: Until::Rows, ..FINAL };

fn explore<const H: usize, const O: usize>(name: &str, options: Options, limit: usize) -> Outcome {
    let outcome = search(&Protocol::<H, O>::new(options), limit);
    let how = match &outcome.end {
        End::Broken(way) => format!("broken after {} steps", way.len()),
        End::Exhausted => "that is all".to_owned(),
        End::Limit => "and there are more".to_owned(),
    };
    // Written past the capture of the test harness: a model that shrank to a few states proves nothing.
    let line = format!("lease model: {name}: {} states, {how}\n", outcome.states);
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    outcome
}

fn holds<const H: usize, const O: usize>(name: &str, options: Options) {
    let outcome = explore::<H, O>(name, options, 20_000_000);
    if let End::Broken(way) = &outcome.end {
        for step in way {
            println!("{step:?}");
        }
    }
    assert_eq!(outcome.end, End::Exhausted);
    assert_eq!(outcome.situations, situation::ALL);
}

fn breaks<const O: usize>(number: &str, fault: Fault, options: Options) {
    let name = format!("{number} {fault:?}");
    let outcome = explore::<1, O>(&name, Options { fault: Some(fault), ..options }, 20_000_000);
    let End::Broken(way) = &outcome.end else { panic!("{name} was not noticed") };
    for step in way {
        println!("{step:?}");
    }
}

#[test]
fn the_protocol_holds() {
    holds::<1, 1>("the protocol", FINAL);
}
#[test]
fn two_observers() {
    holds::<1, 2>("two observers", FINAL);
}
#[test]
fn first() {
    holds::<1, 1>("first", FIRST);
}
#[test]
fn counted() {
    holds::<1, 1>("counted", COUNTED);
}
#[test]
fn counted_cas() {
    holds::<1, 1>("counted cas", Options { renew: Renew::IfUnchanged, ..COUNTED });
}

macro_rules! faults { ($($name:ident $o:literal $fault:ident $base:expr;)*) => { $(
#[test]
fn $name() { breaks::<$o>(stringify!($name), Fault::$fault, $base); }
)* } }
const FIXED: Options = COUNTED;
const CAS: Options = Options { renew: Renew::IfUnchanged, ..COUNTED };
faults! {
  f1 1 RenewalUpserts FINAL;
  f2 1 LoadBeforeInsert FINAL;
  f3 1 ReportBeforePublish FIRST;
  f4a 1 LeaseTwiceAsLong FINAL;
  f4b 1 LeaseHalfAsLongAgain FINAL;
  f5 1 DeadlineFromAnswer FINAL;
  f6a 1 LogoutDoesNotWait FINAL;
  f6b 1 ExpelWithoutWait FINAL;
  f7a 1 FixedIdReset FIXED;
  f7b 2 FixedIdAdopted FIXED;
  f7c 1 FixedIdAdopted Options {deletions: 2, ..FIXED};
  f8a 1 InsertRetried COUNTED;
  f8b 1 InsertRetried CAS;
  f9 1 SeenBeforeRead FINAL;
  f10 1 RetryCountedFromRetry CAS;
  f11a 1 ReplicaBeforeDeadline Options {until: Until::Rows, ..FINAL};
  f11b 1 ReplicaBeforeDeadline Options {until: Until::Time, ..FINAL};
  f12 1 ReplicaEmptied FINAL;
  f14 1 DeleteThenStop FINAL;
  f15 1 HeadAfterEntries FINAL;
  f16 1 TimeRuleFromRenewal FINAL;
  f17 1 ExpelUnconditional FINAL;
  f18 1 CachedClock FINAL;
  f19 1 RowsBeforeCommit FINAL;
  f20 1 NoRowRenews FINAL;
  f21 1 NoLoadAfterInsert FINAL;
  f22 1 StaleRowsIgnored FINAL;
  f23 1 LaggardDeleted FINAL;
  f24 1 InsertGrants FINAL;
  f25 1 ReportBeforePublish FINAL;
  r10 1 AlreadyGoneReturns FINAL;
  r11 1 LeaverGranted FINAL;
}
