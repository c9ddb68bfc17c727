//! The bytes of a snapshot: whatever is not exactly as it was written is refused. It opens no file and asks no store.
//!
//! ```text
//! "signoff\x1a", version   8 + 4 bytes
//! frame: header            what the log must have (`Header`)
//! frame: part of the dump  any number of them
//! frame: nothing           the end; no byte may follow
//!
//! frame = length (4 bytes), so many bytes, checksum (4 bytes)
//! ```
//!
//! A checksum is the CRC-32 of *everything* before it but other checksums, so that a part that is missing, doubled,
//! exchanged or of another snapshot is noticed as well. (A CRC of something and its own CRC is always the same number, and
//! would forget what came before.) It is against damage, not against people: whoever may write the file may write the
//! program. All numbers are little-endian.

use std::fmt;
use std::io::{self, Read, Write};

use crc32fast::Hasher;
use ring::digest::{self, SHA256};
use signoff_revocation::{Dump, DumpError, DumpLoader, Replica, Revocation};

use crate::Position;

/// How to find out whether a log is the one that the snapshot is a copy of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    /// The log after this position begins with so many entries that have this digest.
    pub(crate) after: Position,
    pub(crate) count: u32,
    digest: [u8; 32],
}

impl Header {
    fn of(recent: &[Revocation]) -> Self {
        let first = recent.first().map_or(0, |entry| entry.position().get());
        let after = Position::new(first.saturating_sub(1)).unwrap_or(Position::ZERO);
        Self { after, count: recent.len() as u32, digest: digest_of(recent) }
    }

    /// Whether the log, read as [`Header::after`] and [`Header::count`] say, gave what it had when the snapshot was made.
    pub(crate) fn knows(&self, entries: &[Revocation]) -> bool {
        *self == Self::of(entries)
    }

    fn to_bytes(self) -> Vec<u8> {
        [&self.after.get().to_le_bytes()[..], &self.count.to_le_bytes(), &self.digest].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (after, bytes) = bytes.split_first_chunk()?;
        let (count, digest) = bytes.split_first_chunk()?;
        let count = u32::from_le_bytes(*count);
        let sane = (1..=Dump::RECENT as u32).contains(&count);
        let after = Position::new(u64::from_le_bytes(*after)).filter(|_| sane)?;
        Some(Self { after, count, digest: digest.try_into().ok()? })
    }
}

/// Everything there is to an entry, and to the next one.
fn digest_of(entries: &[Revocation]) -> [u8; 32] {
    let mut context = digest::Context::new(&SHA256);
    for entry in entries {
        let (scope, expires_at) = (entry.scope(), entry.expires_at().as_micros());
        context.update(&entry.position().get().to_le_bytes());
        context.update(&expires_at.to_le_bytes());
        context.update(&[scope.kind().code()]);
        context.update(&(scope.id().len() as u64).to_le_bytes());
        context.update(scope.id());
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

/// Writes a snapshot.
pub(crate) fn write(dump: Dump<'_>, to: impl Write) -> io::Result<()> {
    let mut frames = Frames { io: to, checksum: Hasher::new() };
    frames.put(MAGIC)?;
    frames.put(&VERSION.to_le_bytes())?;
    frames.put_frame(&Header::of(dump.recent()).to_bytes())?;
    for part in dump {
        frames.put_frame(&part)?;
    }
    frames.put_frame(&[])?;
    frames.io.flush()
}

/// A snapshot of which the header was read.
pub(crate) struct Snapshot<R> {
    frames: Frames<R>,
    pub(crate) header: Header,
}

impl<R: Read> Snapshot<R> {
    /// Reads the header.
    pub(crate) fn open(from: R) -> Result<Self, Unusable> {
        let mut frames = Frames { io: from, checksum: Hasher::new() };
        let (magic, version) = (frames.take()?, frames.take()?);
        if magic != *MAGIC {
            return Err(Unusable::Damaged);
        }
        if version != VERSION.to_le_bytes() {
            return Err(Unusable::OtherVersion);
        }
        let header = frames.take_frame(&mut Vec::new())?.and_then(Header::from_bytes).ok_or(Unusable::Damaged)?;
        Ok(Self { frames, header })
    }

    /// Reads the rest, for a log that [has](Header::knows) these entries.
    pub(crate) fn load(mut self, recent: &[Revocation], limit: usize) -> Result<Replica, Unusable> {
        let mut loader = DumpLoader::new(limit);
        let mut part = Vec::new();
        while let Some(part) = self.frames.take_frame(&mut part)? {
            loader.part(part)?;
        }
        match self.frames.io.read(&mut [0])? {
            0 => Ok(loader.finish(recent)?),
            _ => Err(Unusable::Damaged),
        }
    }
}

struct Frames<T> {
    io: T,
    /// Of everything so far but checksums.
    checksum: Hasher,
}

impl<W: Write> Frames<W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.checksum.update(bytes);
        self.io.write_all(bytes)
    }

    fn put_frame(&mut self, bytes: &[u8]) -> io::Result<()> {
        let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "a client or key has a very long name");
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= LONGEST).ok_or_else(too_long)?;
        self.put(&length.to_le_bytes())?;
        self.put(bytes)?;
        self.io.write_all(&self.checksum.clone().finalize().to_le_bytes())
    }
}

impl<R: Read> Frames<R> {
    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let bytes = self.take_unsummed()?;
        self.checksum.update(&bytes);
        Ok(bytes)
    }

    fn take_unsummed<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.io.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The next frame, in a buffer that is used again; `None` is the end.
    fn take_frame<'a>(&mut self, buffer: &'a mut Vec<u8>) -> Result<Option<&'a [u8]>, Unusable> {
        let length = u32::from_le_bytes(self.take()?);
        // Nothing is known of this number yet.
        if length > LONGEST {
            return Err(Unusable::Damaged);
        }
        buffer.resize(length as usize, 0);
        self.io.read_exact(buffer)?;
        self.checksum.update(buffer);
        if self.take_unsummed()? != self.checksum.clone().finalize().to_le_bytes() {
            return Err(Unusable::Damaged);
        }
        Ok((length > 0).then_some(buffer))
    }
}

const MAGIC: &[u8; 8] = b"signoff\x1a";
/// Another one for every change: of this format, of what parts of a dump mean, and of how scopes are hashed.
const VERSION: u32 = 1;
/// No frame is longer.
const LONGEST: u32 = 1 << 20;
const _: () = assert!(Dump::LARGEST_PART <= LONGEST as usize);

/// Why a snapshot is of no use. It never is a reason not to start.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// Its bytes are not those that were written.
    Damaged,
    /// Other people can write to it.
    Exposed,
    /// It takes more memory than revocations may.
    Full,
    /// There is none.
    Missing,
    /// Another version of this library wrote it.
    OtherVersion,
    /// The log does not have the entries that were its newest ones.
    Stale,
    /// The store did not say whether it is the right one.
    Unconfirmed(crate::Error),
    /// It cannot be read.
    Unreadable(io::Error),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged => f.write_str("it is damaged"),
            Self::Exposed => f.write_str("others than its owner can write to it"),
            Self::Full => f.write_str("it takes more memory than there is, or than revocation_bytes"),
            Self::Missing => f.write_str("there is none"),
            Self::OtherVersion => f.write_str("another version wrote it"),
            Self::Stale => {
                f.write_str("the log does not have its newest entries: it is too old, or of another database")
            }
            Self::Unconfirmed(error) => write!(f, "the log could not be read: {error}"),
            Self::Unreadable(error) => write!(f, "it cannot be read: {error}"),
        }
    }
}

impl From<DumpError> for Unusable {
    fn from(error: DumpError) -> Self {
        match error {
            DumpError::Full => Self::Full,
            _ => Self::Damaged,
        }
    }
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::UnexpectedEof => Self::Damaged,
            _ => Self::Unreadable(error),
        }
    }
}

#[cfg(test)]
mod tests;
