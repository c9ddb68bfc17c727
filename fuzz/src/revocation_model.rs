//! The replica against a `BTreeMap`, and against the log itself: equal verdicts after any sequence of operations.

use std::collections::BTreeMap;
use std::time::Duration;

use signoff_revocation::{
    ApplyError, LogPage, Position, Replica, ReplicaReader, Revocation, RevocationSet, Scope, ScopeKind, Timestamp,
    Verdict,
};

use crate::cursor::Cursor;
use crate::horizon::Watch;

/// Runs the operations that the bytes spell out.
pub fn revocation_model(data: &[u8]) {
    let mut cursor = Cursor::new(data);
    let replica = Replica::new();
    let mut world = World {
        replica: &replica,
        reader: replica.reader(),
        model: Model::default(),
        log: Vec::new(),
        watch: Watch::new(Timestamp::from_secs(1_800_000_000).unwrap()),
    };
    // A bound, so that one long input does not become a quadratic number of checks.
    for _ in 0..400 {
        if cursor.is_empty() {
            break;
        }
        match cursor.below(16) {
            0..=3 => world.revoke(&mut cursor),
            4..=6 => world.read_on(),
            7 | 8 => world.apply_any_page(&mut cursor),
            9 => world.apply_nonsense(&mut cursor),
            10 => world.purge(cursor.byte()),
            11 => world.move_clocks(&mut cursor),
            12 if cursor.byte() == 0xff => world.distrust(),
            _ => world.check(&mut cursor),
        }
        assert_eq!(world.replica.applied().get(), world.model.applied);
    }
    assert_eq!(replica.is_empty(), world.model.cutoffs.is_empty());
    // Nothing may be forgotten that a purge to the end of time keeps.
    let kept = world.model.cutoffs.values().filter(|(_, expires_at)| *expires_at == Timestamp::MAX).count();
    assert_eq!(replica.purge(Timestamp::MAX), world.model.cutoffs.len() - kept);
    assert_eq!(replica.len(), kept);
}

struct World<'a> {
    replica: &'a Replica,
    /// Made before the first page: whatever happens to the tables, it has to notice.
    reader: ReplicaReader<'a>,
    model: Model,
    /// What a store would hold: all entries ever, in growing order of position.
    log: Vec<Revocation>,
    watch: Watch,
}

/// What a replica knows, written down in the plainest way.
#[derive(Default)]
struct Model {
    /// By kind and id: the cutoff (`None` stands for the absolute one) and when it may be forgotten.
    cutoffs: BTreeMap<(u8, Vec<u8>), (Option<u64>, Timestamp)>,
    applied: u64,
    ready: bool,
    distrusted: bool,
    /// The farthest horizon of any purge.
    purged: Option<Timestamp>,
}

impl Model {
    fn learn(&mut self, entries: &[Revocation]) {
        for entry in entries {
            let scope = entry.scope();
            let absolute = matches!(scope.kind(), ScopeKind::Token | ScopeKind::Session | ScopeKind::Key);
            let cutoff = if absolute { None } else { Some(entry.position().get()) };
            let key = (scope.kind().code(), scope.id().to_vec());
            let known = self.cutoffs.entry(key).or_insert((cutoff, entry.expires_at()));
            *known = (known.0.max(cutoff), known.1.max(entry.expires_at()));
        }
    }

    fn kills(&self, scope: Scope<'_>, pos: u64) -> bool {
        match self.cutoffs.get(&(scope.kind().code(), scope.id().to_vec())) {
            Some((None, _)) => true,
            Some((Some(cutoff), _)) => pos < *cutoff,
            None => false,
        }
    }
}

impl World<'_> {
    fn head(&self) -> Position {
        self.log.last().map_or(Position::ZERO, Revocation::position)
    }

    /// The store commits an entry; the replica hears nothing of it yet.
    fn revoke(&mut self, cursor: &mut Cursor<'_>) {
        let kind = ScopeKind::ALL[usize::from(cursor.below(6))];
        let id = [cursor.below(6)];
        // Mostly small steps; now and then the wall clock decides, which may be far ahead or behind.
        let now = match cursor.below(8) {
            0 => Timestamp::from_micros((cursor.number() >> 7).cast_signed()).unwrap_or(Timestamp::MAX),
            step => {
                Timestamp::from_micros((self.head().get() + u64::from(step)).cast_signed()).unwrap_or(Timestamp::MAX)
            }
        };
        let head = self.head();
        let position = Position::next(head, now).unwrap();
        assert!(position > head && position.get() >= now.as_micros().unsigned_abs());
        self.log.push(Revocation::new(scope(kind, &id), position, granules(cursor.byte())));
    }

    /// What a node does: reads the log from where it stands.
    fn read_on(&mut self) {
        let page = self.page(self.replica.applied(), self.head(), false);
        self.apply(&page);
    }

    /// A page from anywhere to anywhere: repeated, overlapping, or behind a gap.
    fn apply_any_page(&mut self, cursor: &mut Cursor<'_>) {
        let (a, b) = (self.pick(cursor), self.pick(cursor));
        let thin = cursor.below(2) == 1;
        // Now and then a page that ends before it begins, which is for good: rarely, or nothing else would be seen.
        let (after, through) = if cursor.byte() == 0xff { (a.max(b), a.min(b)) } else { (a.min(b), a.max(b)) };
        let page = if after > through {
            LogPage { after, entries: Vec::new(), through }
        } else {
            self.page(after, through, thin)
        };
        self.apply(&page);
    }

    /// A position of the log, or its start.
    fn pick(&self, cursor: &mut Cursor<'_>) -> Position {
        let index = usize::from(cursor.byte()) % (self.log.len() + 1);
        index.checked_sub(1).map_or(Position::ZERO, |index| self.log[index].position())
    }

    /// A complete stretch of the log; a thin one leaves out what may be forgotten already.
    fn page(&self, after: Position, through: Position, thin: bool) -> LogPage {
        let inside = self.log.iter().filter(|entry| entry.position() > after && entry.position() <= through);
        let kept = inside.filter(|entry| !thin || !self.may_be_forgotten(entry));
        LogPage { after, entries: kept.cloned().collect(), through }
    }

    fn may_be_forgotten(&self, entry: &Revocation) -> bool {
        self.model.purged.is_some_and(|purged| is_forgotten(entry.expires_at(), purged))
    }

    fn apply(&mut self, page: &LogPage) {
        let answer = self.replica.apply(page);
        if page.through < page.after {
            assert_eq!(answer, Err(ApplyError::WentBack { applied: page.after, head: page.through }));
            self.model.distrusted = true;
            return;
        }
        self.model.learn(&page.entries);
        assert_eq!(self.replica.len(), self.model.cutoffs.len());
        let applied = Position::new(self.model.applied).unwrap();
        if page.after > applied {
            assert_eq!(answer, Err(ApplyError::Gap { applied }), "a gap moves nothing");
            return;
        }
        self.model.applied = self.model.applied.max(page.through.get());
        self.model.ready = true;
        assert_eq!(answer.map(Position::get), Ok(self.model.applied));
    }

    /// Entries out of order, repeated or out of bounds: nothing of such a page may count.
    fn apply_nonsense(&mut self, cursor: &mut Cursor<'_>) {
        let mut page = self.page(self.pick(cursor), self.head(), false);
        let position = match cursor.below(3) {
            0 => page.after,
            1 => Position::new(page.through.get() + 1).unwrap_or(page.after),
            _ => page.entries.first().map_or(page.after, Revocation::position),
        };
        let intruder = Revocation::new(Scope::Everything, position, Timestamp::MAX);
        // At the end of the page even the position of an entry that is there already is out of order.
        page.entries.push(intruder);
        assert_eq!(self.replica.apply(&page), Err(ApplyError::Disordered));
        assert_eq!(self.replica.len(), self.model.cutoffs.len());
    }

    /// Forgets what has expired: at once, or in parts with a verdict between any two.
    fn purge(&mut self, byte: u8) {
        let horizon = granules(byte);
        let before = self.model.cutoffs.len();
        self.model.cutoffs.retain(|_, (_, expires_at)| !is_forgotten(*expires_at, horizon));
        let dropped = if byte & 0xc0 == 0x40 {
            (0..Replica::PARTS).map(|_| self.purge_part(horizon)).sum()
        } else {
            self.replica.purge(horizon)
        };
        assert_eq!(dropped, before - self.model.cutoffs.len());
        self.model.purged = self.model.purged.max(Some(horizon));
    }

    fn purge_part(&mut self, horizon: Timestamp) -> usize {
        let dropped = self.replica.purge_part(horizon);
        if let Some((kind, id)) = self.model.cutoffs.keys().next() {
            let kind = ScopeKind::from_code(*kind).unwrap();
            // Every cutoff kills what was born at the very beginning, for entries stand behind it.
            let verdict = self.reader.verdict(&[scope(kind, id)], Position::ZERO);
            assert_ne!(verdict, Verdict::Alive, "a purge in parts took what has not expired");
        }
        dropped
    }

    fn distrust(&mut self) {
        self.replica.distrust();
        self.model.distrusted = true;
    }

    fn move_clocks(&mut self, cursor: &mut Cursor<'_>) {
        let wall = match cursor.below(4) {
            0 => Timestamp::from_micros((cursor.number() >> 6).cast_signed()).unwrap_or(Timestamp::MAX),
            _ => Timestamp::from_secs(1_800_000_000 + i64::from(cursor.byte()) * 600).unwrap(),
        };
        self.watch.advance(wall, Duration::from_secs(u64::from(cursor.byte()) * 60));
    }

    /// The verdict about a token, in the eyes of the replica, of the model, and of the log.
    fn check(&mut self, cursor: &mut Cursor<'_>) {
        let ids: [[u8; 1]; 5] = std::array::from_fn(|_| [cursor.below(6)]);
        let asked = cursor.byte();
        // Positions about the entries of the log, for that is where verdicts change.
        let pos = self.pick(cursor).get().saturating_add(u64::from(cursor.below(3))).saturating_sub(1);
        let pos = if cursor.byte() == 0xff { Position::MAX } else { Position::new(pos).unwrap() };
        let kinds = ScopeKind::ALL.into_iter().enumerate().filter(|(n, _)| asked & (1 << n) == 0);
        let scopes: Vec<_> = kinds.zip(&ids).map(|((_, kind), id)| scope(kind, id)).collect();
        let everything = [Scope::Everything];
        let all = || scopes.iter().chain(&everything).copied();

        let verdict = self.replica.verdict(&scopes, pos);
        assert_eq!(self.reader.verdict(&scopes, pos), verdict, "a handle is of another opinion");
        if self.model.distrusted || !self.model.ready {
            assert_eq!(verdict, Verdict::Unready);
            return;
        }
        match verdict {
            Verdict::Alive => assert!(!all().any(|scope| self.model.kills(scope, pos.get()))),
            Verdict::Dead(kind) => {
                assert!(all().any(|scope| scope.kind() == kind && self.model.kills(scope, pos.get())));
            }
            _ => panic!("a replica that is ready answers"),
        }
        // The promise without any model: up to the applied position, no entry that must be remembered is overlooked.
        let in_force =
            |entry: &&Revocation| entry.position().get() <= self.model.applied && !self.may_be_forgotten(entry);
        let dead = self.log.iter().filter(in_force).any(|entry| {
            all().any(|scope| scope == entry.scope() && (scope.kind().is_absolute() || pos < entry.position()))
        });
        assert!(!dead || verdict != Verdict::Alive, "the dead live");
    }
}

fn scope(kind: ScopeKind, id: &[u8]) -> Scope<'_> {
    Scope::from_parts(kind, if kind == ScopeKind::Everything { &[] } else { id }).unwrap()
}

/// Few different times, so that entries and horizons meet; whole granules, for expiry is no finer than that.
fn granules(byte: u8) -> Timestamp {
    if byte == 0xff {
        return Timestamp::MAX;
    }
    Timestamp::MIN.saturating_add(RevocationSet::GRANULE * u32::from(byte % 64))
}

/// What expires at the end of time never does.
fn is_forgotten(expires_at: Timestamp, horizon: Timestamp) -> bool {
    expires_at <= horizon && expires_at < Timestamp::MAX
}
