//! The check of an opaque token from the session cache, beside the load of a session by tower-sessions with its own store.
//!
//! tower-sessions asks its store on every request that looks at the session; that is what its `load` takes here, on SQLite
//! by SQLx, in a process of its own (`peers/tower-sessions`), which times itself. Both have as many sessions, and draw
//! them far from each other. A quick run has fewer, because theirs are written one by one.

use std::error::Error;

use signoff::{Delivery, KeySet, Login, MemoryStore, Settings, SigningKey, Signoff, Subject};
use signoff_benches::arrivals::{Arrivals, Order};
use signoff_benches::{Contestant, Length, Unit, claim, file_system, interleave};
use signoff_test_servers::Peer;

/// Checks in a round.
const CHECKS: usize = 256;
/// Loads in a round.
const LOADS: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let length = Length::from_args();
    let sessions = length.pick(100_000, 10_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut peer = Peer::fill(folder.path(), sessions).map_err(|error| error.to_string())?;
    let (signoff, tokens) = runtime.block_on(log_in(sessions))?;

    let arrivals = |series| Arrivals::new(&tokens, Order::Random { series }, CHECKS).busy();
    let [nothing, ours, base] = interleave(
        &format!("check or load one of {sessions} sessions, theirs on {}", file_system(folder.path())),
        Unit::Nanoseconds,
        length.pick(301, 101),
        [
            Contestant::new("nothing", arrivals(0).isolated(|token| !token.is_empty())),
            Contestant::new(
                "Signoff::verify from the session cache, revocation included",
                arrivals(1).isolated(|token| signoff.verify(token).is_ok()),
            ),
            Contestant::new("tower-sessions 0.14, SqliteStore::load", || peer.load(LOADS).expect("the peer runs")),
        ],
    );
    claim("opaque-check-peer", &ours.net_of(&nothing), &base);
    Ok(())
}

/// So many logins, each of somebody else, with a cache that holds them all.
async fn log_in(sessions: usize) -> Result<(Signoff, Vec<String>), Box<dyn Error>> {
    let mut settings = Settings::new("https://bank.example", "https://bank.example/api");
    settings.delivery = Delivery::Opaque;
    settings.session_cache = 2 * sessions;
    let signoff = Signoff::open(MemoryStore::new(), KeySet::new(SigningKey::generate()?), settings).await?;
    let mut tokens = Vec::with_capacity(sessions);
    for number in 0..sessions {
        let issued = signoff.log_in(Login::new(Subject::new(&format!("user-{number}"))?)).await?;
        let token = issued.token.expose().to_owned();
        signoff.authenticate(&token).await?;
        tokens.push(token);
    }
    Ok((signoff, tokens))
}
