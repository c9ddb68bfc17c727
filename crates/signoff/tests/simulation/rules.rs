//! The checker of histories itself.

use std::time::Duration;

use crate::histories::{Event, What, check};

fn event(what: What, node: usize, began: u64, ended: u64) -> Event {
    let millis = Duration::from_millis;
    Event { token: 1, node, began: millis(began), ended: millis(ended), what }
}

#[test]
fn what_breaks_a_rule_is_found_and_what_does_not_is_not() {
    use What::{Accepted, Attempted, Dead, Gone, LoggedOut, Stale};
    let logout = event(LoggedOut, 0, 10, 20);
    let trouble = [(1, Duration::from_millis(30), Duration::from_millis(40))];
    let held = |events: &[Event]| check(events, &trouble).is_ok();
    assert!(held(&[logout, event(Accepted, 1, 19, 25), event(Accepted, 1, 20, 20), event(Dead, 2, 11, 12)]));
    assert!(!held(&[logout, event(Accepted, 1, 21, 25)]));
    assert!(!held(&[event(Accepted, 1, 21, 25), logout, event(LoggedOut, 2, 30, 31)]));
    assert!(held(&[event(Attempted, 0, 10, 20), event(Accepted, 1, 21, 25), event(Dead, 2, 10, 11)]));
    assert!(!held(&[event(Attempted, 0, 10, 20), event(Dead, 1, 12, 13), event(Accepted, 1, 14, 15)]));
    assert!(held(&[event(Attempted, 0, 10, 20), event(Dead, 1, 12, 13), event(Accepted, 2, 14, 15)]));
    assert!(!held(&[event(Dead, 1, 8, 9), logout]) && !held(&[event(Dead, 1, 8, 9)]));
    assert!(!held(&[event(Gone, 1, 8, 9), logout]));
    assert!(held(&[event(Attempted, 0, 10, 20), event(Gone, 1, 12, 13), event(Accepted, 1, 14, 15)]));
    assert!(held(&[event(Stale, 1, 29, 30), event(Stale, 1, 40, 41)]));
    assert!(!held(&[event(Stale, 1, 41, 42)]) && !held(&[event(Stale, 0, 31, 32)]));
    let checked = check(&[logout, event(Dead, 1, 21, 22), event(Stale, 1, 31, 32)], &trouble).unwrap();
    assert_eq!((checked.decisions, checked.after_logout, checked.logouts, checked.stale), (2, 2, 1, 1));
}
