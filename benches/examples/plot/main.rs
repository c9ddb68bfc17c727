//! Draws what the benches `revocation`, `revocation_memory` and `tokens` save.
//!
//! It knows two kinds of panels and how to keep names apart, and is no plotting library.
//!
//! ```console
//! $ cargo bench --bench revocation -- --save $PWD/docs/benchmarks/revocation.tsv
//! $ cargo bench --bench revocation_memory -- --save $PWD/docs/benchmarks/revocation_memory.tsv
//! $ cargo bench --bench tokens -- --save $PWD/docs/benchmarks/tokens.tsv
//! $ cargo run -p signoff-benches --example plot
//! ```

use std::error::Error;
use std::fs;
use std::path::Path;

mod axis;
mod bars;
mod lines;

const FONT: &str =
    r##"font-family="system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif" font-size="13" fill="#333333""##;

fn main() -> Result<(), Box<dyn Error>> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let read = |name| fs::read_to_string(docs.join("benchmarks").join(name));
    let (times, weights, tokens) = (read("revocation.tsv")?, read("revocation_memory.tsv")?, read("tokens.tsv")?);
    let (times, weights) = (lines::Row::parse_all(&times), lines::Row::parse_all(&weights));
    let (times, weights) = times.zip(weights).ok_or("not tables of the revocation benches")?;
    fs::write(docs.join("revocation.svg"), lines::draw(&times, &weights)?)?;
    let tokens = bars::Row::parse_all(&tokens).ok_or("not a table of the tokens bench")?;
    fs::write(docs.join("tokens.svg"), bars::draw(&tokens)?)?;
    Ok(())
}
