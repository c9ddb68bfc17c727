//! One thing done wrong at a time: the search has to find what comes of it.
//!
//! Each fault is tried in the least of the protocol that shows it. All of these are parts of what holds without a fault.

use crate::options::{Fault, Options, Until};
use crate::search::End;
use crate::{CONDITIONAL, COUNTED, FIRST, FULL, SMALL, explore, in_words};

#[test]
fn in_the_cycle_of_a_node() {
    notices("F1", Fault::RenewalUpserts, SMALL);
    notices("F3", Fault::ReportBeforePublish, FIRST);
    notices("F5", Fault::DeadlineFromAnswer, SMALL);
    notices("F15", Fault::HeadAfterEntries, SMALL);
    notices("F16", Fault::TimeRuleFromRenewal, SMALL);
    notices("F20", Fault::NoRowRenews, SMALL);
    notices("F25", Fault::ReportBeforePublish, SMALL);
}

#[test]
fn in_joining_and_leaving() {
    notices("F2", Fault::LoadBeforeInsert, SMALL);
    notices("F12", Fault::ReplicaEmptied, SMALL);
    notices("F14", Fault::DeleteThenStop, Options { leave: true, ..SMALL });
    notices("F21", Fault::NoLoadAfterInsert, Options { preload: true, ..SMALL });
    notices("F24", Fault::InsertGrants, SMALL);
    notices("R11", Fault::LeaverGranted, Options { leave: true, ..SMALL });
}

#[test]
fn in_expelling() {
    notices("F6b", Fault::ExpelWithoutWait, SMALL);
    notices("F9", Fault::SeenBeforeRead, SMALL);
    notices("F17", Fault::ExpelUnconditional, SMALL);
    notices("F22", Fault::StaleRowsIgnored, SMALL);
    notices("F23", Fault::LaggardDeleted, SMALL);
}

#[test]
fn in_waiting() {
    notices("F4a", Fault::LeaseTwiceAsLong, FULL);
    notices("F4b", Fault::LeaseHalfAsLongAgain, FULL);
    notices("F6a", Fault::LogoutDoesNotWait, SMALL);
    notices("F19", Fault::RowsBeforeCommit, SMALL);
    notices("R10", Fault::AlreadyGoneReturns, SMALL);
}

#[test]
fn in_checking() {
    notices("F11a", Fault::ReplicaBeforeDeadline, Options { until: Until::Rows, ..SMALL });
    notices("F11b", Fault::ReplicaBeforeDeadline, Options { until: Until::Time, ..SMALL });
    notices("F18", Fault::CachedClock, SMALL);
}

#[test]
fn in_ids() {
    notices("F7a", Fault::FixedIdReset, Options { strays: 0, ..COUNTED });
    notices_with::<2>("F7b", Fault::FixedIdAdopted, Options { strays: 0, until: Until::Rows, ..COUNTED });
    notices("F7c", Fault::FixedIdAdopted, Options { strays: 0, deletions: 2, ..COUNTED });
}

#[test]
fn in_trying_again() {
    notices("F8a", Fault::InsertRetried, COUNTED);
    notices("F8b", Fault::InsertRetried, CONDITIONAL);
    notices("F10", Fault::RetryCountedFromRetry, CONDITIONAL);
}

fn notices(number: &str, fault: Fault, options: Options) {
    notices_with::<1>(number, fault, options);
}

fn notices_with<const OBSERVERS: usize>(number: &str, fault: Fault, options: Options) {
    let name = format!("{number} {fault:?}");
    let outcome = explore::<1, OBSERVERS>(&name, Options { fault: Some(fault), ..options }, usize::MAX);
    assert!(matches!(outcome.end, End::Broken(_)), "{name} was not noticed");
    println!("{name}:\n{}", in_words(&outcome.end));
}
