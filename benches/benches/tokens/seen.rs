//! The later presentations of a JWT, which need no signature: beside jsonwebtoken, to which each is a first one.
//!
//! Claims: with a thousand and with a hundred thousand live tokens, presented in random order to a service that is busy
//! with them. Each is copied into a hot buffer before its check is timed, see `arrivals`, and no two checks overlap; what
//! the reading of the clock takes is measured as a check that does nothing, and is subtracted. What a check takes whose
//! processor has done something else before, for half a millisecond, is remarked.

use std::error::Error;

use signoff_benches::arrivals::{Arrivals, Order};
use signoff_benches::{Contestant, Length, Unit, claim, interleave, remark};
use tokio::runtime::Runtime;

use crate::backends::Backend;
use crate::keys::Scheme;
use crate::ours::{self, Memory};
use crate::peers::Decoder;
use crate::table::Table;

/// Tokens that arrive at once: they fit into the first-level cache.
const BATCH: usize = 32;

/// Measures.
pub(crate) fn run(length: Length, runtime: &Runtime, table: &mut Table) -> Result<(), Box<dyn Error>> {
    seen(length, runtime, table, 1_000, Memory::Default, "1e3")?;
    seen(length, runtime, table, 100_000, Memory::All, "1e5")
}

fn seen(
    length: Length,
    runtime: &Runtime,
    table: &mut Table,
    live: usize,
    memory: Memory,
    size: &str,
) -> Result<(), Box<dyn Error>> {
    let name = if live == 1_000 { "signoff, seen before, 1,000 live" } else { "signoff, seen before, 100,000 live" };
    let signoff = ours::open(runtime, Scheme::EdDsa, memory)?;
    let tokens = ours::tokens(runtime, &signoff, live)?;
    for token in &tokens {
        signoff.verify(token).map_err(|rejection| format!("{rejection:?}"))?;
    }
    let decoder = Decoder::new(Backend::AwsLcRs, Scheme::EdDsa)?;
    let arrivals = |series, batch| Arrivals::new(&tokens, Order::Random { series }, batch);
    let mut decode = arrivals(1, BATCH / 4).busy().isolated(|token| decoder.decode(token).is_some());
    let [nothing, ours, rested, base] = interleave(
        &format!("verify a JWT that was seen before, EdDSA, {live} live tokens"),
        Unit::Nanoseconds,
        length.pick(1_001, 201),
        [
            Contestant::new("nothing", arrivals(0, BATCH).busy().isolated(|token| !token.is_empty())),
            Contestant::new(name, arrivals(2, BATCH).busy().isolated(|token| signoff.verify(token).is_ok())),
            Contestant::new(
                "signoff, after something else",
                arrivals(3, BATCH).isolated(|token| signoff.verify(token).is_ok()),
            ),
            Contestant::new(Backend::AwsLcRs.name(), || {
                decoder.select();
                decode()
            }),
        ],
    );
    let (net_ours, net_base) = (ours.net_of(&nothing), base.net_of(&nothing));
    claim(&format!("verify-eddsa-seen-{size}"), &net_ours, &net_base);
    remark(format_args!("  with the reading of the clock in both it is {:.5}", ours.over(&base)));
    remark(format_args!("  after something else it is {:.5}", rested.net_of(&nothing).over(&net_base)));
    table.add("verify", Scheme::EdDsa, name, &net_ours);
    Ok(())
}
