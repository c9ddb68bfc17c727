//! Holds signoff against jsonwebtoken on as many generated tokens as asked for, and counts what became of them.
//!
//! ```text
//! cargo run --release --no-default-features --example differential -- --tokens 10000000 --seed 1 --threads 2
//! cargo run --no-default-features --example differential -- --seed 1 --only 4711       one token again
//! ```

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::thread;

use signoff_fuzz::{Strictness, Tally};

/// With as many tokens, a class that none is in, or a low share of good ones, means that the generator is broken.
const ENOUGH: u64 = 100_000;
/// So many of a hundred tokens must be accepted, or most never reach what they shall try.
const ACCEPTED: u64 = 20;

#[expect(clippy::disallowed_methods, reason = "the speed is measured, and nothing is decided by it")]
fn main() -> ExitCode {
    let mut options = [("--tokens", 1_000_000), ("--seed", 1), ("--threads", 2), ("--only", u64::MAX)];
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let option = options.iter_mut().find(|option| option.0 == name);
        let value = arguments.next().and_then(|value| value.parse().ok());
        let (Some(option), Some(value)) = (option, value) else {
            eprintln!("--tokens N, --seed N, --threads N, --only INDEX");
            return ExitCode::FAILURE;
        };
        option.1 = value;
    }
    let [tokens, seed, threads, only] = options.map(|option| option.1);
    if only != u64::MAX {
        let tally = Tally::of(seed, std::iter::once(only));
        println!("{tally:#?}");
        return if tally.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let start = std::time::Instant::now();
    let tally = run(seed, tokens, threads);
    let speed = tally.tokens as f64 / start.elapsed().as_secs_f64();
    print(&tally);
    println!("seed {seed}, {threads} threads, {speed:.0} tokens per second");
    verdict(&tally)
}

fn run(seed: u64, tokens: u64, threads: u64) -> Tally {
    let threads = threads.max(1);
    let workers: Vec<_> = (0..threads)
        .map(|first| thread::spawn(move || Tally::of(seed, (first..tokens).step_by(threads as usize))))
        .collect();
    workers.into_iter().map(|worker| worker.join().unwrap()).fold(Tally::default(), Tally::plus)
}

fn print(tally: &Tally) {
    let share = |count: u64| format!("{count:>10} {:>6.2} %", count as f64 * 100.0 / tally.tokens.max(1) as f64);
    println!("{} tokens", share(tally.tokens));
    println!("{} accepted by both, read alike", share(tally.accepted));
    println!("{} spelled anew, with the same answer", share(tally.respelled));
    println!("refused by both:");
    for (reason, count) in &tally.both_refuse {
        println!("{} {reason}", share(*count));
    }
    println!("refused by signoff alone (a token may be in several classes):");
    for class in Strictness::ALL {
        let count = tally.stricter.get(&class).copied().unwrap_or_default();
        println!("{} {:<17} {}", share(count), format!("{class:?}"), class.sentence());
    }
}

fn verdict(tally: &Tally) -> ExitCode {
    let mut held = tally.failures.is_empty();
    if !held {
        let first = &tally.failures[..tally.failures.len().min(10)];
        eprintln!("{} tokens broke a rule, the first by index: {first:?}", tally.failures.len());
    }
    if tally.tokens >= ENOUGH {
        for class in Strictness::ALL.iter().filter(|class| !tally.stricter.contains_key(class)) {
            eprintln!("no token is in the class {class:?}");
            held = false;
        }
        if tally.accepted * 100 < tally.tokens * ACCEPTED {
            eprintln!("fewer than {ACCEPTED} % are accepted");
            held = false;
        }
    }
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
