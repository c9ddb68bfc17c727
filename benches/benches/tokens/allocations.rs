//! What the acceptance of a token allocates.
//!
//! Claim: allocations of one `Signoff::verify`, summed over the four ways to accept a token that has no claims but the
//! registered ones. It is a bench of its own because it counts what is allocated, which would slow those that allocate.

use std::error::Error;

use allocation_counter::measure;
use signoff::{Login, Signoff, Subject};
use signoff_benches::{Length, Series, Unit, claim, remark};
use tokio::runtime::Runtime;

#[expect(dead_code, reason = "the other bench needs the rest")]
mod keys;
#[expect(dead_code, reason = "the other bench needs the rest")]
mod ours;

use keys::Scheme;
use ours::Memory;

const TOKENS: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let length = Length::from_args();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    remark(format_args!("allocations of one Signoff::verify that accepts, registered claims only"));
    let open = |scheme, memory| ours::open(&runtime, scheme, memory);
    let mut sum = 0.0;
    let mut add = |name: &str, opened: Result<Signoff, Box<dyn Error>>| {
        let each = allocations(length, &runtime, &opened?)?;
        remark(format_args!("  {name:<36} {each:.3}"));
        sum += each;
        Ok::<_, Box<dyn Error>>(())
    };
    add("HS256", open(Scheme::Hs256, Memory::Off))?;
    add("EdDSA, first presentation", open(Scheme::EdDsa, Memory::Off))?;
    add("EdDSA, seen before", open(Scheme::EdDsa, Memory::Default))?;
    add("opaque, from the session cache", ours::open_opaque(&runtime, 1_000))?;
    let sum = Series::new("allocations", Unit::Count, vec![sum]);
    claim("allocations", &sum, &sum.target("one allocation", 1.0));
    Ok(())
}

/// The mean of many calls, so that what happens now and then counts too.
fn allocations(length: Length, runtime: &Runtime, signoff: &Signoff) -> Result<f64, Box<dyn Error>> {
    let mut tokens = Vec::with_capacity(TOKENS);
    for number in 0..TOKENS {
        let login = Login::new(Subject::new(&format!("user-{number}"))?);
        let token = runtime.block_on(signoff.log_in(login))?.token;
        runtime.block_on(signoff.authenticate(token.expose()))?;
        tokens.push(token);
    }
    let calls = length.pick(100_000, 10_000);
    let verify = |number: usize| assert!(signoff.verify(tokens[number % TOKENS].expose()).is_ok());
    (0..TOKENS).for_each(verify);
    let counted = measure(|| (0..calls).for_each(verify));
    Ok(counted.count_total as f64 / calls as f64)
}
