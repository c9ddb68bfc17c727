//! The first presentation of a JWT: beside jsonwebtoken, jwt-simple, and the bare signature.
//!
//! Claims: HS256 over the fastest jsonwebtoken of the same run, and everything over the signature alone. Ours remembers
//! nothing here; where it does remember, a second contestant presents tokens that were never seen before.

use std::error::Error;
use std::hint::black_box;

use signoff_benches::arrivals::{Arrivals, Order};
use signoff_benches::loops::{WARM, warm_nanos_each};
use signoff_benches::{Contestant, Length, Unit, claim, interleave_all, remark};
use tokio::runtime::Runtime;

use crate::backends::Backend;
use crate::claims::signed;
use crate::keys::{Pair, Scheme};
use crate::ours::{self, Memory};
use crate::peers;
use crate::table::{FLOOR, OURS, Table, named};

/// Tokens that take turns, so that no branch predictor learns one by heart.
const TOKENS: usize = 64;
/// Ours, where it has to note what it saw.
const FRESH: &str = "signoff, remembering, every token new";

/// Measures.
pub(crate) fn run(length: Length, runtime: &Runtime, table: &mut Table) -> Result<(), Box<dyn Error>> {
    for scheme in [Scheme::Hs256, Scheme::EdDsa, Scheme::Es256, Scheme::Rs256] {
        first(length, runtime, scheme, table)?;
    }
    Ok(())
}

fn first(length: Length, runtime: &Runtime, scheme: Scheme, table: &mut Table) -> Result<(), Box<dyn Error>> {
    // A batch is well within a time slice, so that the median knows no preemption.
    let (rounds, batch) = match scheme {
        Scheme::Hs256 => (length.pick(1_001, 301), 100),
        _ => (length.pick(1_001, 101), 25),
    };
    let pair = Pair::new(scheme)?;
    let ours = ours::open(runtime, scheme, Memory::Off)?;
    let tokens = ours::tokens(runtime, &ours, TOKENS)?;
    let remembers = !matches!(scheme, Scheme::Hs256 | Scheme::Rs256);
    let remembering = if remembers { Some(ours::open(runtime, scheme, Memory::Default)?) } else { None };
    let new = match &remembering {
        Some(signoff) => ours::tokens(runtime, signoff, (rounds + 1) * (WARM + batch))?,
        None => Vec::new(),
    };

    let mut contestants = Vec::new();
    {
        let check = |token: &str| ours.verify(token).is_ok();
        contestants.push(Contestant::new(OURS, Arrivals::new(&tokens, Order::InTurn, batch).in_a_row(check)));
    }
    if let Some(signoff) = &remembering {
        let check = |token: &str| signoff.verify(token).is_ok();
        contestants.push(Contestant::new(FRESH, Arrivals::new(&new, Order::InTurn, batch).in_a_row(check)));
    }
    contestants.push(Contestant::new(FLOOR, floor(&pair, &tokens, batch)));
    contestants.extend(peers::verifiers(scheme, &tokens, batch)?);
    let (name, length) = (scheme.name(), tokens[0].len());
    let title = format!("verify a JWT for the first time, {name}; a token has {length} bytes");
    let all = interleave_all(&title, Unit::Nanoseconds, rounds, contestants);
    table.add_all("verify", scheme, &all);
    if scheme == Scheme::Hs256 {
        let payload = tokens[0].split('.').nth(1).map_or(0, |payload| payload.len() * 3 / 4);
        remark(format_args!("  {TOKENS} tokens by turns; the payload of one has {payload} bytes as JSON"));
    }

    let (Some(ours), Some(floor)) = (named(&all, OURS), named(&all, FLOOR)) else {
        return Err("ours and the floor take part".into());
    };
    if scheme == Scheme::Hs256 {
        let jsonwebtoken = Backend::ALL.iter().filter_map(|backend| named(&all, backend.name()));
        let fastest = jsonwebtoken.min_by(|a, b| a.median().total_cmp(&b.median())).ok_or("nobody took part")?;
        claim("verify-hs256", ours, fastest);
        claim("verify-hs256-floor", ours, floor);
    } else {
        let id = format!("verify-{}", name.to_ascii_lowercase());
        claim(&format!("{id}-cold"), ours, floor);
        if let Some(fresh) = named(&all, FRESH) {
            claim(&format!("{id}-fresh"), fresh, floor);
        }
    }
    Ok(())
}

/// The signatures of the same bytes alone.
fn floor(pair: &Pair, tokens: &[String], batch: usize) -> impl FnMut() -> f64 {
    let verify = pair.verifier();
    let signatures = tokens.iter().map(|token| {
        let (message, mut signature) = (signed(token).as_bytes().to_vec(), Vec::new());
        pair.sign(&message, &mut signature);
        (message, signature)
    });
    let signatures: Vec<_> = signatures.collect();
    let mut turn = 0;
    move || {
        warm_nanos_each(batch, || {
            turn = (turn + 1) % signatures.len();
            let (message, signature) = black_box(&signatures[turn]);
            assert!(verify(message, signature));
        })
    }
}
