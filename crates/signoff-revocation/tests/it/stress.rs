//! Threads at full speed: writers, a purger whose horizon advances, and readers who hold the set to its promise.
//! `SIGNOFF_STRESS_SECS` says for how long.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use signoff_revocation::{Cutoff, Position, Reader, RevocationSet, Scope};

use crate::{from_env, granules, pos};

/// Entry `n` of a writer expires at granule `n / PER_GRANULE`: the further the writers, the later.
const PER_GRANULE: u64 = 4_096;
/// The purger lets so many entries of a writer live before it drops them: enough to split all shards of a region.
const MOST: u64 = 900_000;
/// How many subjects are raised again and again.
const SUBJECTS: u64 = 5_000;

struct World {
    set: RevocationSet,
    writers: [Writer; 2],
    /// How often every subject has been raised.
    raised: Vec<AtomicU64>,
    /// Stored before the purge that goes so far.
    horizon: AtomicU64,
    done: AtomicBool,
}

/// The entries below this are in the set, or were.
#[repr(align(64))]
struct Writer(AtomicU64);

fn token(writer: usize, n: u64) -> [u8; 16] {
    (u128::from(n) << 64 | writer as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes()
}

fn expiry(n: u64) -> u64 {
    n / PER_GRANULE + 1
}

impl World {
    fn is_over(&self) -> bool {
        self.done.load(Ordering::Relaxed)
    }

    /// One writer inserts one by one and raises subjects, the other loads in bulk.
    fn write(&self, writer: usize) {
        let inserted = &self.writers[writer].0;
        let mut n = 0u64;
        while !self.is_over() {
            // Without purges the set would grow for ever.
            if n.saturating_sub(self.horizon.load(Ordering::Relaxed) * PER_GRANULE) > 2 * MOST {
                thread::yield_now();
                continue;
            }
            let count = if writer == 0 { 64 } else { 20_000 };
            let ids: Vec<_> = (n..n + count).map(|n| (token(writer, n), granules(expiry(n)))).collect();
            let entries = ids.iter().map(|(id, expires_at)| (Scope::Token(id), Cutoff::ABSOLUTE, *expires_at));
            if writer == 0 {
                for (scope, cutoff, expires_at) in entries {
                    self.set.insert(scope, cutoff, expires_at).unwrap();
                }
                self.raise(n / count % SUBJECTS);
            } else {
                self.set.load(entries).unwrap();
            }
            n += count;
            inserted.store(n, Ordering::Release);
        }
    }

    fn raise(&self, subject: u64) {
        let raised = &self.raised[subject as usize];
        let times = raised.load(Ordering::Relaxed) + 1;
        let name = subject.to_string();
        // The lower cutoff and the earlier expiry that follow must not matter.
        for (cutoff, expiry) in [(times, 1 << 24), (times - 1, 1)] {
            self.set.insert(Scope::Subject(&name), Cutoff::at(pos(cutoff)), granules(expiry)).unwrap();
        }
        raised.store(times, Ordering::Release);
    }

    /// Now the set is let grow to millions, now it is emptied to some ten thousand: shards split and merge.
    fn purge(&self) -> usize {
        let mut dropped = 0;
        for round in 0.. {
            if self.is_over() {
                break;
            }
            let least = self.writers.iter().map(|writer| writer.0.load(Ordering::Acquire)).min().unwrap_or(0);
            let live = if round % 32 == 31 { 10_000 } else { MOST };
            let horizon = expiry(least.saturating_sub(live)) - 1;
            let horizon = horizon.max(self.horizon.load(Ordering::Relaxed));
            self.horizon.store(horizon, Ordering::SeqCst);
            dropped += self.set.purge(granules(horizon));
            thread::sleep(Duration::from_millis(20));
        }
        dropped
    }

    /// Says how many tokens were seen dead.
    fn read(&self, seed: u64) -> u64 {
        let mut reader = self.set.reader();
        let mut random = seed;
        let mut seen = 0;
        while !self.is_over() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (writer, choice) = ((random >> 60) as usize % 2, random >> 20);
            let inserted = self.writers[writer].0.load(Ordering::Acquire);
            let oldest = self.horizon.load(Ordering::Relaxed) * PER_GRANULE;
            // Any that should be there; often the last one, and often one that is only just being inserted.
            let n = match choice % 4 {
                0 => inserted.saturating_sub(1),
                1 => inserted + choice / 4 % 40,
                _ => oldest + choice / 4 % inserted.saturating_sub(oldest).max(1),
            };
            seen += self.check(writer, n, inserted, &mut reader);
            self.check_subject(choice % SUBJECTS, &mut reader);
        }
        seen
    }

    fn check(&self, writer: usize, n: u64, inserted: u64, reader: &mut Reader<'_>) -> u64 {
        let id = token(writer, n);
        let scopes = [Scope::Token(&id), Scope::Subject("nobody")];
        let asked = [reader.dead_by(&scopes, Position::MAX), self.set.dead_by(&scopes, Position::MAX)];
        let again = reader.dead_by(&scopes, Position::MAX);
        // In the order of the questions: once dead, or inserted before the first, it has to stay so.
        let mut dead = n < inserted;
        for answer in [asked[0], asked[1], again] {
            assert!(answer.is_some() || !dead || self.is_forgotten(n), "token {n} of {inserted} lives");
            dead |= answer.is_some();
        }
        u64::from(dead)
    }

    /// Whether a purge may have dropped it. Whoever finds an entry gone saw the purge, so sees its horizon.
    fn is_forgotten(&self, n: u64) -> bool {
        expiry(n) <= self.horizon.load(Ordering::SeqCst)
    }

    fn check_subject(&self, subject: u64, reader: &mut Reader<'_>) {
        let times = self.raised[subject as usize].load(Ordering::Acquire);
        let name = subject.to_string();
        let asked = [reader.cutoff(Scope::Subject(&name)), self.set.cutoff(Scope::Subject(&name))];
        let promised = (times > 0).then(|| Cutoff::at(pos(times)));
        assert!(asked[0] >= promised && asked[1] >= asked[0], "subject {subject}, raised {times} times: {asked:?}");
    }
}

#[test]
fn once_dead_dead_until_expiry_at_full_speed() {
    let world = World {
        set: RevocationSet::new(),
        writers: [Writer(AtomicU64::new(0)), Writer(AtomicU64::new(0))],
        raised: (0..SUBJECTS).map(|_| AtomicU64::new(0)).collect(),
        horizon: AtomicU64::new(0),
        done: AtomicBool::new(false),
    };
    let world = &world;
    thread::scope(|threads| {
        let readers = [3, 4].map(|seed| threads.spawn(move || Over(world).0.read(seed)));
        let writers = [0, 1].map(|writer| threads.spawn(move || Over(world).0.write(writer)));
        let purger = threads.spawn(move || Over(world).0.purge());
        // In steps, so that a failure is not waited for.
        for _ in 0..from_env("SIGNOFF_STRESS_SECS", 5) * 20 {
            if !world.is_over() {
                thread::sleep(Duration::from_millis(50));
            }
        }
        world.done.store(true, Ordering::Relaxed);
        let seen = readers.map(|reader| reader.join().unwrap());
        for writer in writers {
            writer.join().unwrap();
        }
        let dropped = purger.join().unwrap();
        let inserted = world.writers.each_ref().map(|writer| writer.0.load(Ordering::Relaxed));
        let line = format!("stress: {inserted:?} inserted, {dropped} dropped, {seen:?} seen dead\n");
        std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
        assert!(seen.iter().all(|seen| *seen > 0));
        // Whatever the threads did to each other, the counts are right.
        let subjects = world.raised.iter().filter(|raised| raised.load(Ordering::Relaxed) > 0).count();
        assert_eq!(world.set.len() + dropped, inserted.iter().sum::<u64>() as usize + subjects);
        world.set.purge(granules((1 << 24) - 1));
        assert_eq!(world.set.len(), subjects);
    });
}

/// Ends the others' work when one of them fails.
struct Over<'a>(&'a World);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.done.store(true, Ordering::Relaxed);
    }
}
