//! From a dump to a replica. Bytes that are no dump are refused; nothing is allocated but for bytes that are there.

use std::error::Error;
use std::fmt;

use super::{CROWDED, ENTRIES, KEYS, NAME};
use crate::hash::{Keys, Print};
use crate::position::Cutoff;
use crate::replica::Replica;
use crate::scope::{Revocation, Scope, ScopeKind};
use crate::set::{Full, RevocationSet};
use crate::shard::Entry;
use crate::table::{REGIONS, is_wide};
use crate::tick::{TICK_BITS, Tick};

/// Makes a replica of the parts of a [`Dump`](crate::Dump).
///
/// It cannot tell whether parts are missing, or from another dump: see that they are all there, as they were, and in order.
///
/// ```
/// use signoff_revocation::{DumpLoader, LogPage, Position, Replica, Revocation, Scope, ScopeKind, Timestamp, Verdict};
///
/// let (start, at) = (Position::ZERO, Position::new(70).unwrap());
/// let revoked = Revocation::new(Scope::Session(b"its sid"), at, Timestamp::from_secs(1_900_000_000).unwrap());
/// let page = LogPage { after: start, entries: vec![revoked], through: at };
/// let replica = Replica::new();
/// replica.apply(&page)?;
///
/// let mut loader = DumpLoader::new(usize::MAX);
/// let dump = replica.dump().unwrap();
/// let recent = dump.recent().to_vec();
/// for part in dump {
///     loader.part(&part)?;
/// }
/// let again = loader.finish(&recent)?;
///
/// // It is at the last of the recent entries, and says nothing before it knows what came since.
/// let scopes = [Scope::Session(b"its sid")];
/// assert_eq!((again.applied(), again.verdict(&scopes, at)), (at, Verdict::Unready));
/// again.apply(&LogPage { after: at, entries: vec![], through: Position::new(80).unwrap() })?;
/// assert_eq!(again.verdict(&scopes, at), Verdict::Dead(ScopeKind::Session));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DumpLoader {
    limit: usize,
    /// Made by the first part.
    set: Option<RevocationSet>,
    /// The entries of a region, as far as they came.
    region: u8,
    entries: Vec<(Print, Entry)>,
}

impl DumpLoader {
    /// For a replica whose set takes [so many bytes](RevocationSet::with_limit) at the most.
    pub fn new(limit: usize) -> Self {
        Self { limit, set: None, region: 0, entries: Vec::new() }
    }

    /// Takes the next part.
    ///
    /// # Errors
    ///
    /// [`DumpError::Full`], or [`DumpError::Damaged`] when this is no part of a dump, or of a program that hashes
    /// otherwise. Then there is nothing to be had from this loader any more.
    pub fn part(&mut self, part: &[u8]) -> Result<(), DumpError> {
        let taken = self.take(part);
        if taken.is_err() {
            // No part begins another one.
            (self.set, self.region) = (None, u8::MAX);
        }
        taken
    }

    fn take(&mut self, part: &[u8]) -> Result<(), DumpError> {
        let (first, rest) = part.split_first().ok_or(DumpError::Damaged)?;
        if *first == KEYS {
            if self.set.is_some() || self.region != 0 || !self.entries.is_empty() {
                return Err(DumpError::Damaged);
            }
            let keys = Keys::from_bytes(rest).ok_or(DumpError::Damaged)?;
            self.set = Some(RevocationSet::with_keys(keys, self.limit));
            return Ok(());
        }
        let set = self.set.as_ref().ok_or(DumpError::Damaged)?;
        match *first {
            NAME => {
                let (scope, entry) = read_name(rest).ok_or(DumpError::Damaged)?;
                Ok(set.insert_entry(scope, entry)?)
            }
            CROWDED => {
                let [code] = rest else { return Err(DumpError::Damaged) };
                let kind = ScopeKind::from_code(*code).ok_or(DumpError::Damaged)?;
                if set.crowd(kind)? { Ok(()) } else { Err(DumpError::Damaged) }
            }
            ENTRIES => {
                let (region, records) = rest.split_first().ok_or(DumpError::Damaged)?;
                // In order, so that each region is filled once.
                if usize::from(*region) >= REGIONS || *region < self.region {
                    return Err(DumpError::Damaged);
                }
                if *region > self.region {
                    set.fill(self.region, &mut self.entries)?;
                    self.region = *region;
                }
                read_entries(*region, records, &mut self.entries)
            }
            _ => Err(DumpError::Damaged),
        }
    }

    /// The replica, when all parts are taken: complete up to the last of `recent`, which are those of the dump.
    /// [`Verdict::Unready`](crate::Verdict::Unready) until a page is applied.
    ///
    /// **Only for a log that has these entries**, from the first to the last, and no others in between. For any other log
    /// the replica would lack revocations, and accept what they kill: the vulnerable direction.
    ///
    /// # Errors
    ///
    /// [`DumpError::Full`]; [`DumpError::Damaged`] when there was no part, or one was refused.
    pub fn finish(mut self, recent: &[Revocation]) -> Result<Replica, DumpError> {
        let set = self.set.take().ok_or(DumpError::Damaged)?;
        set.fill(self.region, &mut self.entries)?;
        Ok(Replica::loaded(set, recent))
    }
}

impl fmt::Debug for DumpLoader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DumpLoader").field("set", &self.set).finish_non_exhaustive()
    }
}

fn read_name(part: &[u8]) -> Option<(Scope<'_>, Entry)> {
    let (code, part) = part.split_first()?;
    let (expires, part) = part.split_first_chunk()?;
    let (cutoff, id) = part.split_first_chunk()?;
    let kind = ScopeKind::from_code(*code).filter(|kind| kind.is_few())?;
    let cutoff = if kind.is_absolute() { Cutoff::ABSOLUTE } else { Cutoff::from_bits(u64::from_le_bytes(*cutoff)) };
    let expires = Tick::from_bits(u64::from(u32::from_le_bytes(*expires)));
    Some((Scope::from_parts(kind, id)?, Entry { cutoff, expires }))
}

fn read_entries(region: u8, records: &[u8], entries: &mut Vec<(Print, Entry)>) -> Result<(), DumpError> {
    let size = if is_wide(region) { 18 } else { 10 };
    if !records.len().is_multiple_of(size) {
        return Err(DumpError::Damaged);
    }
    entries.try_reserve(records.len() / size).map_err(|_| DumpError::Full)?;
    for record in records.chunks_exact(size) {
        entries.push(read_entry(region, record).ok_or(DumpError::Damaged)?);
    }
    Ok(())
}

fn read_entry(region: u8, record: &[u8]) -> Option<(Print, Entry)> {
    let (tag, record) = record.split_first_chunk()?;
    let (slot, cutoff) = record.split_first_chunk()?;
    let (tag, slot) = (u16::from_le_bytes(*tag), u64::from_le_bytes(*slot));
    let cutoff = match cutoff.first_chunk() {
        Some(cutoff) => Cutoff::from_bits(u64::from_le_bytes(*cutoff)),
        None => Cutoff::ABSOLUTE,
    };
    let print = Print { region, tag, rest: slot >> TICK_BITS };
    print.is_sound().then_some((print, Entry { cutoff, expires: Tick::from_bits(slot) }))
}

/// Why there is no replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DumpError {
    /// It is no dump, or of a program that hashes otherwise.
    Damaged,
    /// There is no room for it: the limit is reached, or memory is short.
    Full,
}

impl fmt::Display for DumpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged => f.write_str("this is no dump of a replica, or one of another version"),
            Self::Full => Full.fmt(f),
        }
    }
}

impl Error for DumpError {}

impl From<Full> for DumpError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}
