//! What the library decides, asked once for every age that the model can have. The model decides none of it itself.

use std::time::Duration;

use signoff_revocation::{Lease, LeaseTerms, LowWater, Observations, Position, Waiting};

/// How coarse the model's time is: in how many units of its clock a holder stops, and others have waited.
///
/// Every clock advances by one or two units in a tick. A holder's unit is `H / holder` and everybody else's is
/// `W / observer`, so with `observer` twice `holder` a tick is `L / holder` of real time: the slowest holder (one unit) and
/// the fastest observer (two) are exactly at the bounds of drift, and the others run further off than they may.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) holder: u8,
    pub(crate) observer: u8,
}

/// Ages are counted up to this at most.
const AGES: usize = 9;
/// Whatever the clocks began with.
const START: Duration = Duration::from_secs(1_000);
const P: Position = match Position::new(70) {
    Some(position) => position,
    None => Position::MAX,
};

/// What the rows said, as far as P matters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Rows {
    Applied,
    Behind,
    None,
    Unknown,
}

pub(crate) struct Decisions {
    holds: [bool; AGES],
    expels: [bool; AGES],
    over: [[bool; 4]; AGES],
}

impl Decisions {
    /// Of a store with leases of 1.6 s, and of holders that take them for so many halves of that.
    pub(crate) fn new(scale: Scale, halves: u32) -> Self {
        let length = Duration::from_millis(1_600);
        let terms = LeaseTerms::new(length).unwrap();
        let holders = LeaseTerms::new(length * halves / 2).unwrap();
        let others = |age: usize| START + terms.observer() * age as u32 / u32::from(scale.observer);
        let holds = |age: usize| {
            let lease = Lease::new();
            let permit = lease.begin(START);
            assert!(lease.grant(permit, &holders));
            lease.holds(START + terms.holder() * age as u32 / u32::from(scale.holder))
        };
        let expels = |age| {
            let mut table = Observations::new();
            assert_eq!(table.observe([("id", 1)], START, &terms), []);
            !table.observe([("id", 1)], others(age), &terms).is_empty()
        };
        let over = |age, rows| {
            let low_water = match rows {
                Rows::Applied => LowWater::At(P),
                Rows::Behind => LowWater::At(Position::ZERO),
                Rows::None => LowWater::NoRows,
                Rows::Unknown => LowWater::Unknown,
            };
            Waiting::new(P, START, &terms).is_over(others(age), low_water)
        };
        Self {
            holds: std::array::from_fn(holds),
            expels: std::array::from_fn(expels),
            over: std::array::from_fn(|age| {
                [Rows::Applied, Rows::Behind, Rows::None, Rows::Unknown].map(|rows| over(age, rows))
            }),
        }
    }

    /// Whether a lease holds at this age of its cycle, on the holder's clock.
    pub(crate) fn holds(&self, age: u8) -> bool {
        self.holds[usize::from(age)]
    }

    /// The first age at which it does not.
    pub(crate) fn lease_over(&self) -> u8 {
        self.holds.iter().position(|holds| !holds).unwrap() as u8
    }

    /// Whether a row is expelled that has not changed for so long.
    pub(crate) fn expels(&self, age: u8) -> bool {
        self.expels[usize::from(age)]
    }

    /// Whether a logout is over at this age of its commit.
    pub(crate) fn is_over(&self, age: u8, rows: Rows) -> bool {
        self.over[usize::from(age)][rows as usize]
    }

    /// The first age at which time ends it.
    pub(crate) fn wait_over(&self) -> u8 {
        (0..).find(|age| self.is_over(*age, Rows::Unknown)).unwrap()
    }
}

/// Which row: its id, and its count of renewals.
pub(crate) type Version = (u8, u8);

/// The model's copy of [`Observations`] for one row, whose time is relative: what was seen, for how long, and whether it is
/// to be expelled. The test below compares the two.
pub(crate) fn observe(
    decisions: &Decisions,
    seen: Option<(Version, u8)>,
    listed: Option<Version>,
) -> (Option<(Version, u8)>, bool) {
    let Some(version) = listed else { return (None, false) };
    let age = seen.map_or(0, |(before, age)| if before == version { age } else { 0 });
    (Some((version, age)), decisions.expels(age))
}

/// Every sequence of four reads, with every pause between them.
#[test]
fn the_models_table_of_rows_is_the_real_one() {
    let scale = Scale { holder: 2, observer: 4 };
    let decisions = Decisions::new(scale, 2);
    let terms = LeaseTerms::new(Duration::from_millis(1_600)).unwrap();
    let listings = [None, Some((0, 0)), Some((0, 1)), Some((1, 0))];
    let reads = listings.len() * 5;
    for sequence in 0..reads.pow(4) {
        let mut real = Observations::new();
        let (mut seen, mut units) = (None::<(Version, u8)>, 0);
        for read in [sequence, sequence / reads, sequence / reads.pow(2), sequence / reads.pow(3)] {
            let (listed, pause) = (listings[read % listings.len()], (read / listings.len() % 5) as u8);
            units += u32::from(pause);
            seen = seen.map(|(version, age)| (version, (age + pause).min(decisions.wait_over())));
            // Rounded down once, the distance of two times can be a nanosecond short.
            let now = terms.observer() * units / u32::from(scale.observer) + Duration::from_nanos(u64::from(units));
            let expel = real.observe(listed.map(|(id, renewals)| (id, u64::from(renewals))), now, &terms);
            let (after, expelled) = observe(&decisions, seen, listed);
            seen = after;
            assert_eq!(!expel.is_empty(), expelled, "{sequence}");
        }
    }
}
