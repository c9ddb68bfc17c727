//! Minting: a JWT beside jsonwebtoken, jwt-simple and the bare signature, an opaque token beside a number.
//!
//! Claims: the whole mint over the signature alone, and the opaque token within 600 ns, hash included.

use std::error::Error;
use std::hint::black_box;

use ring::digest;
use ring::rand::SecureRandom;
use signoff_benches::loops::warm_nanos_each;
use signoff_benches::{Contestant, Length, Unit, claim, interleave, interleave_all};
use tokio::runtime::Runtime;

use crate::claims::signed;
use crate::keys::{Pair, Scheme, rng};
use crate::ours::{self, Memory, Minter};
use crate::peers;
use crate::table::{FLOOR, OURS, Table, named};

/// Measures.
pub(crate) fn run(length: Length, runtime: &Runtime, table: &mut Table) -> Result<(), Box<dyn Error>> {
    for scheme in [Scheme::Hs256, Scheme::EdDsa, Scheme::Es256] {
        jwt(length, runtime, scheme, table)?;
    }
    opaque(length);
    Ok(())
}

fn jwt(length: Length, runtime: &Runtime, scheme: Scheme, table: &mut Table) -> Result<(), Box<dyn Error>> {
    let batch = if scheme == Scheme::Hs256 { 100 } else { 25 };
    let signoff = ours::open(runtime, scheme, Memory::Off)?;
    let minter = Minter::new(runtime, &signoff)?;
    let like = ours::tokens(runtime, &signoff, 1)?.remove(0);
    let (pair, message, mut signature) = (Pair::new(scheme)?, signed(&like).as_bytes(), Vec::new());

    let mut contestants = vec![
        Contestant::new(OURS, || {
            warm_nanos_each(batch, || {
                black_box(minter.mint());
            })
        }),
        Contestant::new(FLOOR, || {
            warm_nanos_each(batch, || {
                pair.sign(black_box(message), &mut signature);
                black_box(&signature);
            })
        }),
    ];
    contestants.extend(peers::minters(scheme, &like, batch)?);
    let title = format!("mint a JWT, {}", scheme.name());
    let all = interleave_all(&title, Unit::Nanoseconds, length.pick(1_001, 201), contestants);
    table.add_all("mint", scheme, &all);
    // An HMAC is a small part of what minting is, so it is no measure of the rest.
    if let (true, Some(ours), Some(floor)) = (scheme != Scheme::Hs256, named(&all, OURS), named(&all, FLOOR)) {
        claim(&format!("mint-{}", scheme.name().to_ascii_lowercase()), ours, floor);
    }
    Ok(())
}

fn opaque(length: Length) {
    const BATCH: usize = 100;
    let rng = rng();
    let [ours, _] = interleave(
        "mint an opaque token",
        Unit::Nanoseconds,
        length.pick(1_001, 301),
        [
            Contestant::new(OURS, || {
                warm_nanos_each(BATCH, || {
                    black_box(ours::mint_opaque());
                })
            }),
            Contestant::new("ring, 64 random bytes and SHA-256 of 53 alone", || {
                warm_nanos_each(BATCH, || {
                    let mut bytes = [0; 64];
                    rng.fill(&mut bytes).expect("there are random numbers");
                    black_box(digest::digest(&digest::SHA256, &bytes[..53]));
                })
            }),
        ],
    );
    claim("mint-opaque", &ours, &ours.target("target", 600.0));
}
