//! The harness of all benches: it runs ours and the others by turns, and prints a table and one line per claim.
//!
//! It does no statistics beyond medians and their range. Speeds drift on shared machines, so a claim is the median of
//! the ratios of rounds, each measured within moments, and never a quotient of numbers from two runs.

#![expect(clippy::print_stdout, reason = "printing is what a bench does")]

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub mod arrivals;
pub mod loops;
pub mod random;

/// How long a bench takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a full run or a quick one")]
pub enum Length {
    /// For numbers to be written down.
    Full,
    /// Within a minute: the same claims with fewer rounds.
    Quick,
}

impl Length {
    /// Quick with `--quick`, and when `cargo test` runs the bench, which then gets no `--bench`. Other words are ignored.
    pub fn from_args() -> Self {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let has = |word: &str| args.iter().any(|arg| arg == word);
        if has("--quick") || !has("--bench") { Self::Quick } else { Self::Full }
    }

    /// The number for this length.
    pub const fn pick(self, full: usize, quick: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

/// The path that follows `--save`: where a bench that writes its numbers to a file puts them.
pub fn save_path() -> Option<PathBuf> {
    std::env::args().skip_while(|arg| arg != "--save").nth(1).map(PathBuf::from)
}

/// What a series measures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "time, rate, memory or a count")]
pub enum Unit {
    /// Bytes of memory: small is good.
    Bytes,
    /// How many of something there were: small is good.
    Count,
    /// Nanoseconds per operation: small is good.
    Nanoseconds,
    /// Operations per second: large is good.
    PerSecond,
}

/// Somebody who takes part: a name, and what measures one round in the unit of the bench.
pub struct Contestant<'a> {
    name: &'a str,
    round: Box<dyn FnMut() -> f64 + 'a>,
}

impl<'a> Contestant<'a> {
    /// `round` is called once to warm up and once per round.
    pub fn new(name: &'a str, round: impl FnMut() -> f64 + 'a) -> Self {
        Self { name, round: Box::new(round) }
    }
}

impl fmt::Debug for Contestant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Contestant").field(&self.name).finish()
    }
}

/// What a contestant measured, round by round.
#[derive(Clone, Debug)]
pub struct Series {
    name: String,
    unit: Unit,
    rounds: Vec<f64>,
}

/// Runs all contestants once per round, in an order that is drawn anew for each, and prints the table.
///
/// If they always followed each other in the same order, one of them would always pay for what the one before leaves
/// behind. Ed25519 measured 5 % more after a batch of another library, for the whole batch, whatever was done to warm up.
pub fn interleave<const N: usize>(
    title: &str,
    unit: Unit,
    rounds: usize,
    contestants: [Contestant<'_>; N],
) -> [Series; N] {
    let measured = interleave_all(title, unit, rounds, contestants.into());
    measured.try_into().expect("one series each")
}

/// As [`interleave`], for contestants whose number is known when the bench runs.
pub fn interleave_all(title: &str, unit: Unit, rounds: usize, mut contestants: Vec<Contestant<'_>>) -> Vec<Series> {
    println!("\n{title}; {rounds} rounds, median [least..most]");
    for contestant in &mut contestants {
        (contestant.round)();
    }
    let mut measured = vec![Vec::with_capacity(rounds); contestants.len()];
    let mut order: Vec<_> = (0..contestants.len()).collect();
    for round in 0..rounds {
        random::shuffle(&mut order, round as u64);
        for &who in &order {
            measured[who].push((contestants[who].round)());
        }
    }
    let series = contestants.iter().zip(measured).map(|(contestant, rounds)| {
        let series = Series::new(contestant.name, unit, rounds);
        println!("  {series}");
        series
    });
    series.collect()
}

impl Series {
    /// What was measured outside of [`interleave`].
    pub fn new(name: &str, unit: Unit, rounds: Vec<f64>) -> Self {
        Self { name: name.into(), unit, rounds }
    }

    /// A base that never varies, for a claim against a number: the same in every round of this series.
    #[must_use]
    pub fn target(&self, name: &str, value: f64) -> Self {
        Self::new(name, self.unit, vec![value; self.rounds.len()])
    }

    /// What is left of every round without what `nothing` took in it: the loop that both of them ran.
    #[must_use]
    pub fn net_of(&self, nothing: &Self) -> Self {
        let rounds = self.rounds.iter().zip(&nothing.rounds).map(|(whole, nothing)| whole - nothing);
        Self::new(&format!("{}, net", self.name), self.unit, rounds.collect())
    }

    /// Who was measured.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The median of the rounds.
    pub fn median(&self) -> f64 {
        median(self.rounds.clone())
    }

    /// The median of the ratios of rounds, each ours divided by the base.
    pub fn over(&self, base: &Self) -> f64 {
        median(self.rounds.iter().zip(&base.rounds).map(|(ours, base)| ours / base).collect())
    }

    fn print(&self, value: f64) -> String {
        match self.unit {
            Unit::Bytes if value < 10_000.0 => format!("{value:.2}B"),
            Unit::Bytes => format!("{:.1}MB", value / 1e6),
            Unit::Count => format!("{value:.0}"),
            Unit::Nanoseconds if value < 1_000.0 => format!("{value:.1}ns"),
            Unit::Nanoseconds if value < 10_000.0 => format!("{value:.0}ns"),
            Unit::Nanoseconds => format!("{:.1}us", value / 1_000.0),
            Unit::PerSecond => format!("{value:.0}/s"),
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = self.rounds.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.rounds.iter().copied().fold(0.0, f64::max);
        let name = &self.name;
        write!(f, "{name:<58} {:>9} [{}..{}]", self.print(self.median()), self.print(least), self.print(most))
    }
}

/// Prints the line of a claim: ours divided by the base, of the same rounds.
pub fn claim(id: &str, ours: &Series, base: &Series) {
    let (ratio, name) = (ours.over(base), &base.name);
    let (ours, base) = (ours.print(ours.median()), base.print(base.median()));
    // Small ratios would lose all their digits.
    let places = if ratio < 0.01 { 5 } else { 3 };
    println!("claim {id} ratio={ratio:.places$} ours={ours} base={base} base_name={name}");
}

/// Prints a remark that belongs to the table.
pub fn remark(text: fmt::Arguments<'_>) {
    println!("{text}");
}

/// The time that `work` took.
pub fn time<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = now();
    let result = work();
    (result, now() - start)
}

/// Nanoseconds per call over `count` calls in a row, each told its number.
pub fn nanos_each(count: usize, mut call: impl FnMut(usize)) -> f64 {
    let ((), taken) = time(|| (0..count).for_each(&mut call));
    taken.as_secs_f64() * 1e9 / count as f64
}

/// A moment, for what [`time`] cannot enclose: asynchronous work.
#[expect(clippy::disallowed_methods, reason = "benches measure seconds, and nobody suspends the machine meanwhile")]
pub fn now() -> Instant {
    Instant::now()
}

/// The median; of an even number the larger of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    quantile(&mut values, 0.5)
}

/// The smallest value that is above `part` of the values, which it leaves in another order.
pub fn quantile(values: &mut [f64], part: f64) -> f64 {
    let rank = (values.len() as f64 * part) as usize;
    if rank >= values.len() { f64::NAN } else { *values.select_nth_unstable_by(rank, f64::total_cmp).1 }
}

/// The file system that a folder is on: what a durable write costs depends on it more than on anything else.
pub fn file_system(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let within = mounts.filter(|(point, _)| folder.starts_with(point));
    within.max_by_key(|(point, _)| point.len()).map_or_else(|| "unknown".to_owned(), |(_, kind)| kind.to_owned())
}

/// How long the disk that a folder is on takes to confirm 4 KiB that were appended to a file: the median of some.
///
/// # Errors
///
/// The folder cannot be written to.
pub fn flush_time(folder: &Path) -> io::Result<Duration> {
    let path = folder.join(format!("signoff-flush-{}", std::process::id()));
    let mut file = fs::File::create(&path)?;
    let mut taken = Vec::new();
    for _ in 0..201 {
        file.write_all(&[7; 4096])?;
        let start = now();
        file.sync_data()?;
        taken.push(now() - start);
    }
    fs::remove_file(path)?;
    taken.sort_unstable();
    Ok(taken[taken.len() / 2])
}

#[cfg(test)]
mod tests;
