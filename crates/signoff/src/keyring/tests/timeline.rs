//! Two years of two nodes with the times as tight as the inequalities allow: clocks at both ends of what is allowed at
//! every moment that matters, and a node that always refreshes as late as it may.

use std::collections::{HashSet, VecDeque};

use super::*;

const MINUTE: u64 = 60;
const SKEW: u64 = 300;
const LIFETIME: u64 = 900;
const LEEWAY: u64 = 120;

fn tight() -> Rotation {
    Rotation {
        period: Duration::from_secs(27 * DAY),
        jwks_max_age: Duration::from_secs(3_600),
        refresh: Duration::from_secs(MINUTE),
        prepublish: Duration::from_secs(3_600 + MINUTE + SKEW),
        ..Rotation::default()
    }
}

struct Node {
    ring: KeyRing,
    tended: Tended,
    /// The published sets, each with the true time from which on it was served.
    published: VecDeque<(u64, HashSet<String>)>,
}

struct Token {
    kid: String,
    expires_at: u64,
}

impl Node {
    async fn start(rotation: &Rotation, store: &dyn Store, now: Tending<'_>) -> Self {
        let keks = KeyEncryptionKeys::new(kek(7));
        // Not checked: a rotation that is too tight must be seen to fail.
        let ring = KeyRing { keks, rotation: rotation.clone(), first: None, seen: Mutex::default() };
        let tended = ring.tend(Tending { store, ..now }).await.unwrap();
        Self { ring, tended, published: VecDeque::new() }
    }

    async fn refresh(&mut self, time: u64, tending: Tending<'_>) {
        self.tended = self.ring.tend(tending).await.unwrap();
        let kids = self.tended.list.iter().map(|key| key.kid.clone()).collect();
        if self.published.back().is_none_or(|(_, last)| *last != kids) {
            self.published.push_back((time, kids));
        }
    }

    /// What a copy of the published set holds that is as old as it may be.
    fn oldest_copy(&mut self, time: u64) -> Option<&HashSet<String>> {
        let fetched = time.checked_sub(3_600)?;
        while self.published.get(1).is_some_and(|(from, _)| *from <= fetched) {
            self.published.pop_front();
        }
        self.published.front().filter(|(from, _)| *from <= fetched).map(|(_, kids)| kids)
    }
}

/// The other node's clock against the first one's, in seconds. It is set anew when a key is made, when one begins to
/// sign, and when one goes, through all combinations.
fn offset(list: &[KeyStatus], now: u64, rotations: usize) -> i64 {
    let pick = |digit: u32| [-1, 0, 1][rotations / 3_usize.pow(digit) % 3] * i64::try_from(SKEW).unwrap();
    let signing = list.iter().find(|key| key.state == KeyState::Signing).unwrap();
    let since = at(now).since(signing.signs_from);
    if list.iter().any(|key| key.state == KeyState::Prepublished) || since < Duration::from_secs(10 * MINUTE) {
        pick(1)
    } else if since < Duration::from_secs(120 * MINUTE) {
        pick(2)
    } else {
        pick(0)
    }
}

fn shifted(now: u64, offset: i64) -> u64 {
    now.checked_add_signed(offset).unwrap()
}

/// Both nodes sign and look at every token until it is over; `Err` says what a user would have met.
async fn simulate(rotation: Rotation, accepted_for: u64) -> Result<usize, String> {
    const START: u64 = DAY;
    let store = MemoryStore::new();
    let tending = |now| Tending { accepted_for: Duration::from_secs(accepted_for), ..tending(&store, at(now)) };
    let mut nodes =
        [Node::start(&rotation, &store, tending(START)).await, Node::start(&rotation, &store, tending(START)).await];
    let (mut now, mut tokens, mut kids) = (START, Vec::<Token>::new(), HashSet::new());
    while now < START + 2 * 365 * DAY {
        let offset = offset(&nodes[0].tended.list, now, kids.len());
        // The other node refreshes first, so it hears of a change as late as it may.
        for (node, clock) in [(1, shifted(now, offset)), (0, now)] {
            let [one, other] = &mut nodes;
            let (node, other) = if node == 0 { (one, other) } else { (other, one) };
            // It signs with what it knew, just before it hears of anything new, and afterwards.
            for refresh in [false, true] {
                if refresh {
                    node.refresh(now, tending(clock)).await;
                }
                let signing = node.tended.keys.signing();
                let kid = signing.kid().to_owned();
                let signature = signing.sign(b"token").map_err(|error| error.to_string())?;
                for keys in [&node.tended.keys, &other.tended.keys] {
                    let known = keys.find(&kid).is_some_and(|key| key.verifies(b"token", signature.as_ref()));
                    if !known {
                        return Err(format!("at {now} a node does not know the key of a new token"));
                    }
                }
                for node in [&mut *node, &mut *other] {
                    let copy = node.oldest_copy(now);
                    if copy.is_some_and(|copy| !copy.contains(&kid)) {
                        return Err(format!("at {now} a copy of the published keys is too old"));
                    }
                }
                kids.insert(kid.clone());
                tokens.push(Token { kid, expires_at: clock + LIFETIME });
            }
        }
        tokens.retain(|token| token.expires_at + LEEWAY + SKEW > now);
        for (node, clock) in nodes.iter().zip([now, shifted(now, offset)]) {
            if node.tended.list.len() > 3 {
                return Err(format!("at {now} the ring grows"));
            }
            let accepted = tokens.iter().filter(|token| clock < token.expires_at + LEEWAY);
            if accepted.map(|token| node.tended.keys.find(&token.kid)).any(|key| key.is_none()) {
                return Err(format!("at {now} a token outlives its key"));
            }
        }
        // Minute by minute while something happens, and straight on to the next time.
        let list = &nodes[0].tended.list;
        let quiet = list.len() == 1 && at(now).since(list[0].signs_from) > Duration::from_secs(120 * MINUTE);
        let next = list[0].signs_from.saturating_add(rotation.period).saturating_sub(Duration::from_secs(120 * MINUTE));
        let until = next.since(at(now)).as_secs() / MINUTE * MINUTE;
        now += if quiet { until.clamp(MINUTE, DAY) } else { MINUTE };
    }
    Ok(kids.len())
}

#[tokio::test]
async fn every_token_is_known_for_as_long_as_it_lives() {
    let rotation = tight().checked().unwrap();
    assert_eq!(simulate(rotation, LIFETIME + LEEWAY).await, Ok(28));
}

#[tokio::test]
async fn the_inequalities_cannot_be_looser() {
    let late = Duration::from_secs(2 * MINUTE);
    let unpublished = Rotation { prepublish: tight().prepublish - late, ..tight() };
    let met = simulate(unpublished, LIFETIME + LEEWAY).await.unwrap_err();
    assert!(met.contains("copy"), "{met}");
    let met = simulate(tight(), LIFETIME + LEEWAY - 2 * MINUTE).await.unwrap_err();
    assert!(met.contains("outlives"), "{met}");
}
