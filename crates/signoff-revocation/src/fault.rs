//! Mistakes that the tests must notice: each can be switched on in a build with `--cfg signoff_faults`, by its name in
//! the environment variable `SIGNOFF_FAULT`. In every other build they are constants and gone.

/// A mistake that a harness must catch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// What is published is not ordered behind what it promises.
    Barrier,
    /// The deadline of a lease is not ordered behind the pages that it stands for.
    Deadline,
    /// A rebuilt shard lacks some of its entries.
    Growth,
    /// A cutoff or expiry is replaced where it should be raised.
    Merge,
    /// What expires within the granule after the horizon is dropped, too.
    Purge,
    /// A full line does not say that entries went on to the next.
    Spill,
}

#[cfg(not(signoff_faults))]
pub(crate) const fn seeded(_fault: Fault) -> bool {
    false
}

#[cfg(signoff_faults)]
pub(crate) fn seeded(fault: Fault) -> bool {
    static NAME: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let name = NAME.get_or_init(|| std::env::var("SIGNOFF_FAULT").unwrap_or_default());
    name.eq_ignore_ascii_case(&format!("{fault:?}"))
}
