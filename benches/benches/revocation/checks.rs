//! One check, beside the same in other structures, and beside one read of a random cache line.
//!
//! Claims: isolated checks over a line, a read-only map, moka and Redis; the p99 of an isolated check, and checks in a
//! row, over the same map. The set only stands still here; `threads` moves it.

use std::mem;

use signoff_benches::loops::{BATCH, in_a_row, isolated, one_by_one};
use signoff_benches::{Contestant, Length, Unit, claim, interleave, median, quantile, remark};
use signoff_revocation::RevocationSet;
use signoff_test_servers::{Failure, Redis};

use crate::LARGE;
use crate::keys::sessions;
use crate::lookups::{ids, nothing, ours, random_line};
use crate::redis_server::{connect, fill};
use crate::structures::{arc_swap, moka};

const OURS: &str = "signoff, Reader::cutoff";
const MAP: &str = "hashbrown + foldhash behind arc-swap";
const LINE: &str = "random line read";

/// The sizes for which a set is built here.
pub(crate) fn small(length: Length) -> Result<(), Failure> {
    const HUNDRED_THOUSAND: u64 = 100_000;
    const MILLION: u64 = 1_000_000;

    let set = sessions(HUNDRED_THOUSAND);
    one_check(length, &set, HUNDRED_THOUSAND, arc_swap(HUNDRED_THOUSAND), Claim::Map("check-map-1e5"));
    let (set, mut map) = (sessions(MILLION), arc_swap(MILLION));
    one_check(length, &set, MILLION, &mut map, Claim::Map("check-map-1e6"));
    many_checks(length, &set, MILLION, map, "check-map-throughput-1e6");
    beside_moka(length, &set, MILLION, moka(MILLION), "check-moka-1e6");
    beside_redis(length, &set, MILLION)
}

/// The large size, with a set that is there already.
pub(crate) fn large(length: Length, set: &RevocationSet) {
    let mut map = arc_swap(LARGE);
    one_check(length, set, LARGE, &mut map, Claim::Line("check-line-1e7"));
    many_checks(length, set, LARGE, &mut map, "check-map-throughput-1e7");
    slow_checks(length, set, LARGE, map, "check-map-p99-1e7");
    let mut cache = moka(LARGE);
    beside_moka(length, set, LARGE, &mut cache, "check-moka-1e7");
    // To free it takes almost as long as to build it, and leaves the allocator with lists that it walks for seconds.
    mem::forget(cache);
}

/// Lookups per round of ours beside those that leave nothing of ours in the caches: most of them then find what the
/// first ones have brought back.
const ROW: usize = 40 * BATCH;

/// What an isolated check is claimed over, and the claim's id.
#[derive(Clone, Copy)]
enum Claim {
    Line(&'static str),
    /// Net of what the loop takes.
    Map(&'static str),
}

fn one_check(length: Length, set: &RevocationSet, live: u64, map: impl FnMut(&[u8; 16]) -> bool, which: Claim) {
    let draw = || ids(live, 0);
    let [empty, line, check, get] = interleave(
        &format!("one isolated check, {live} entries"),
        Unit::Nanoseconds,
        length.pick(301, 101),
        [
            Contestant::new("nothing", isolated(BATCH, draw(), nothing)),
            Contestant::new(LINE, isolated(BATCH, draw(), random_line(set.bytes()))),
            Contestant::new(OURS, isolated(BATCH, draw(), ours(set))),
            Contestant::new(MAP, isolated(BATCH, draw(), map)),
        ],
    );
    let [net_line, net_check, net_get] = [&line, &check, &get].map(|series| series.net_of(&empty));
    match which {
        Claim::Line(id) => claim(id, &check, &line),
        Claim::Map(id) => claim(id, &net_check, &net_get),
    }
    for (how, check, line, get) in [("raw", &check, &line, &get), ("net", &net_check, &net_line, &net_get)] {
        let (line, get) = (check.over(line), check.over(get));
        remark(format_args!("  {how}, ours takes {line:.3} of the line and {get:.3} of the map"));
    }
}

fn many_checks(length: Length, set: &RevocationSet, live: u64, map: impl FnMut(&[u8; 16]) -> bool, id: &str) {
    let draw = || ids(live, 1);
    let [check, get] = interleave(
        &format!("checks in a row, {live} entries"),
        Unit::PerSecond,
        length.pick(301, 101),
        [Contestant::new(OURS, in_a_row(draw(), ours(set))), Contestant::new(MAP, in_a_row(draw(), map))],
    );
    claim(id, &check, &get);
}

fn slow_checks(length: Length, set: &RevocationSet, live: u64, map: impl FnMut(&[u8; 16]) -> bool, id: &str) {
    fn p99(mut draw: impl FnMut(u64) -> [u8; 16], mut look_up: impl FnMut(&[u8; 16]) -> bool) -> impl FnMut() -> f64 {
        let mut nanos = Vec::new();
        move || {
            one_by_one(BATCH, &mut nanos, &mut draw, &mut look_up);
            quantile(&mut nanos, 0.99)
        }
    }

    let draw = || ids(live, 2);
    let [_, check, get] = interleave(
        &format!("p99 of isolated checks timed one by one, {live} entries"),
        Unit::Nanoseconds,
        length.pick(301, 101),
        [
            Contestant::new(LINE, p99(draw(), random_line(set.bytes()))),
            Contestant::new(OURS, p99(draw(), ours(set))),
            Contestant::new(MAP, p99(draw(), map)),
        ],
    );
    let mut empty = Vec::new();
    one_by_one(10 * BATCH, &mut empty, draw(), nothing);
    remark(format_args!("  nothing takes {:.0}ns (median), which are in all of these", median(empty)));
    claim(id, &check, &get);
}

fn beside_moka(length: Length, set: &RevocationSet, live: u64, cache: impl FnMut(&[u8; 16]) -> bool, id: &str) {
    let draw = || ids(live, 3);
    let [empty, check, get] = interleave(
        &format!("one isolated check, {live} entries"),
        Unit::Nanoseconds,
        length.pick(51, 11),
        [
            Contestant::new("nothing", isolated(BATCH, draw(), nothing)),
            Contestant::new(OURS, isolated(ROW, draw(), ours(set))),
            Contestant::new("moka 0.12 sync::Cache::get", isolated(5 * BATCH, draw(), cache)),
        ],
    );
    claim(id, &check.net_of(&empty), &get.net_of(&empty));
}

fn beside_redis(length: Length, set: &RevocationSet, live: u64) -> Result<(), Failure> {
    let server = Redis::start()?;
    let mut connection = connect(&server)?;
    fill(&mut connection, live)?;
    let exists = |id: &[u8; 16]| {
        let found: Result<u64, _> = redis::cmd("EXISTS").arg(id.as_slice()).query(&mut connection);
        found.expect("Redis answers") != 0
    };
    let draw = || ids(live, 4);
    let [empty, check, exists] = interleave(
        &format!("one isolated check, {live} entries, Redis on a loopback connection that is kept"),
        Unit::Nanoseconds,
        length.pick(51, 21),
        [
            Contestant::new("nothing", isolated(BATCH, draw(), nothing)),
            Contestant::new(OURS, isolated(ROW, draw(), ours(set))),
            Contestant::new("Redis EXISTS over loopback", isolated(BATCH / 50, draw(), exists)),
        ],
    );
    claim("check-redis", &check.net_of(&empty), &exists.net_of(&empty));
    Ok(())
}
