//! Checks while other threads check or write.
//!
//! Claims: a check beside a writer over one without; the checks of two threads over those of one, by the processor time
//! that they took; the slowest checks while the set grows and expires; and the slowest insert, by processor time
//! too, for that is how long it can keep another writer waiting.

use std::hint::{self, black_box};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use signoff_benches::loops::{BATCH, isolated, one_by_one};
use signoff_benches::{Contestant, Length, Series, Unit, claim, interleave, now, quantile, remark, time};
use signoff_revocation::RevocationSet;

use crate::LARGE;
use crate::keys::{cut_off, insertion};
use crate::lookups::{ids, ours};

/// Long enough for a paced writer to insert a hundred times in a round.
const LONG: usize = 4 * BATCH;

/// Measures; the set has grown afterwards.
pub(crate) fn run(length: Length, set: &RevocationSet) {
    two_readers(length, set);
    with_writer(length, set);
    busy(length, set);
    pauses(length, set);
}

/// The longest that one insert takes, with the shards that some of them rebuild. A purge takes turns per shard, too, so
/// nobody waits for much more.
fn pauses(length: Length, set: &RevocationSet) {
    let first = 2 * LARGE;
    let inserts = length.pick(2_000_000, 500_000) as u64;
    let taken = (first..first + inserts).map(|number| {
        let before = clock_gettime(ClockId::ThreadCPUTime);
        cut_off(set, number);
        let taken = Duration::try_from(clock_gettime(ClockId::ThreadCPUTime) - before).expect("time goes on");
        taken.as_nanos() as f64
    });
    let longest = taken.fold(0.0, f64::max);
    let ours = Series::new("processor time of the longest insert", Unit::Nanoseconds, vec![longest]);
    remark(format_args!("\n{inserts} inserts into {} entries\n  {ours}", set.len()));
    claim("insert-pause", &ours, &ours.target("target", 1e6));
}

fn two_readers(length: Length, set: &RevocationSet) {
    let round = AtomicU64::new(0);
    // The checks of one thread per second of the processor, which does not count while somebody else has it.
    let read = |start: &Barrier| {
        let (mut look_up, mut draw) = (ours(set), ids(LARGE, round.fetch_add(1, Ordering::Relaxed)));
        start.wait();
        let before = clock_gettime(ClockId::ThreadCPUTime);
        for _ in 0..20 * BATCH {
            black_box(look_up(&draw(0)));
        }
        let taken = Duration::try_from(clock_gettime(ClockId::ThreadCPUTime) - before).expect("time goes on");
        (20 * BATCH) as f64 / taken.as_secs_f64()
    };
    let together = |readers: usize| {
        let start = Barrier::new(readers);
        thread::scope(|scope| {
            let readers: Vec<_> = (0..readers).map(|_| scope.spawn(|| read(&start))).collect();
            readers.into_iter().map(|reader| reader.join().expect("nobody panics")).sum()
        })
    };
    let [two, one] = interleave(
        &format!("checks in a row per second of processor time, {LARGE} entries"),
        Unit::PerSecond,
        length.pick(101, 31),
        [Contestant::new("two threads together", || together(2)), Contestant::new("one thread", || together(1))],
    );
    claim("two-readers", &two, &one);
}

fn with_writer(length: Length, set: &RevocationSet) {
    const PERIOD: Duration = Duration::from_micros(100);
    let (writing, done, inserts) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU64::new(0));
    let first = set.len() as u64;
    // It waits by spinning, also when it does not write: a thread that sleeps and wakes ten thousand times a second slows
    // the other one down, whatever it does when it is awake.
    let write = || {
        let mut due = now();
        while !done.load(Ordering::Relaxed) {
            if now() < due {
                hint::spin_loop();
                continue;
            }
            due += PERIOD;
            if writing.load(Ordering::Relaxed) {
                cut_off(set, first + inserts.fetch_add(1, Ordering::Relaxed));
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(write);
        let mut under_way = Duration::ZERO;
        let mut beside = isolated(LONG, ids(LARGE, 1), ours(set));
        let [with, without] = interleave(
            &format!("one isolated check, {LARGE} entries, with a writer on another thread and without"),
            Unit::Nanoseconds,
            length.pick(101, 41),
            [
                Contestant::new("10,000 inserts a second meanwhile", || {
                    writing.store(true, Ordering::Relaxed);
                    let (nanos, taken) = time(&mut beside);
                    writing.store(false, Ordering::Relaxed);
                    under_way += taken;
                    nanos
                }),
                Contestant::new("nobody writes", isolated(LONG, ids(LARGE, 2), ours(set))),
            ],
        );
        done.store(true, Ordering::Relaxed);
        claim("check-with-writer", &with, &without);
        let rate = inserts.load(Ordering::Relaxed) as f64 / under_way.as_secs_f64();
        remark(format_args!("  the writer inserted {rate:.0} a second"));
    });
}

fn busy(length: Length, set: &RevocationSet) {
    let first = set.len() as u64;
    let (done, inserts, expired) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let write = || {
        // One expires for one that goes in, but each region waits for its turn, so the set grows a little.
        for step in (0..).step_by(4_096).take_while(|_| !done.load(Ordering::Relaxed)) {
            (step..step + 4_096).for_each(|number| cut_off(set, first + number));
            expired.fetch_add(set.purge_part(insertion(step)) as u64, Ordering::Relaxed);
            inserts.store(step + 4_096, Ordering::Relaxed);
        }
    };
    let (mut nanos, mut p99, mut p999) = (Vec::new(), Vec::new(), Vec::new());
    let mut draw = ids(LARGE, 3);
    let mut look_up = ours(set);
    thread::scope(|scope| {
        scope.spawn(write);
        let start = now();
        for round in 0..=length.pick(301, 61) {
            one_by_one(5 * BATCH, &mut nanos, &mut draw, &mut look_up);
            // The first one warms up.
            if round > 0 {
                p99.push(quantile(&mut nanos, 0.99));
                p999.push(quantile(&mut nanos, 0.999));
            }
        }
        let taken = (now() - start).as_secs_f64();
        done.store(true, Ordering::Relaxed);
        let (inserts, expired) = (inserts.load(Ordering::Relaxed), expired.load(Ordering::Relaxed));
        remark(format_args!(
            "\nisolated checks timed one by one while another thread inserts {:.0} a second and {expired} of {first} \
             entries expire;\n{} rounds of {}, median [least..most]",
            inserts as f64 / taken,
            p99.len(),
            5 * BATCH,
        ));
    });
    for (id, name, rounds, target) in
        [("check-p99-busy", "p99", p99, 600.0), ("check-p999-busy", "p999", p999, 1_000.0)]
    {
        let ours = Series::new(name, Unit::Nanoseconds, rounds);
        remark(format_args!("  {ours}"));
        claim(id, &ours, &ours.target("target", target));
    }
}
