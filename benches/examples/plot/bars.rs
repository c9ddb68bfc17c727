//! Tokens: what verifying and minting take, as bars side by side for each algorithm.

use std::fmt::{self, Write};

use crate::FONT;
use crate::axis::{Axis, grouped};

const WIDTH: f64 = 1300.0;
const HEIGHT: f64 = 600.0;
/// Where the panels begin and end from top to bottom.
const TOP: f64 = 168.0;
const BOTTOM: f64 = 540.0;
/// From bar to bar, and how much of it the bar takes.
const STEP: f64 = 19.0;
const BAR: f64 = 15.0;
/// Between the bars of two algorithms.
const GAP: f64 = 22.0;

const ALGORITHMS: [&str; 4] = ["HS256", "EdDSA", "ES256", "RS256"];
/// The name and the colour of every bar, in this order; what is not named here is not drawn.
const LOOKS: [(&str, &str); 8] = [
    ("signoff", "#0a58ca"),
    ("signoff, seen before, 1,000 live", "#5b9bf0"),
    ("signoff, seen before, 100,000 live", "#a5c8f8"),
    ("ring, the signature alone", "#222222"),
    ("jsonwebtoken 11, aws_lc_rs", "#2b7a4b"),
    ("jsonwebtoken 11, ring", "#6aa84f"),
    ("jsonwebtoken 11, rust_crypto", "#b05a10"),
    ("jwt-simple 0.15, pure Rust", "#c2185b"),
];

/// What one library took for one operation.
pub(crate) struct Row<'a> {
    operation: &'a str,
    algorithm: &'a str,
    library: &'a str,
    nanos: f64,
}

impl<'a> Row<'a> {
    pub(crate) fn parse_all(table: &'a str) -> Option<Vec<Self>> {
        table.lines().skip(1).map(Self::parse).collect()
    }

    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split('\t');
        let (operation, algorithm, library) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Self { operation, algorithm, library, nanos: fields.next()?.parse().ok()? })
    }
}

/// Verifying on the left, minting on the right, on the same scale.
pub(crate) fn draw(rows: &[Row<'_>]) -> Result<String, fmt::Error> {
    let drawn = |row: &&Row<'_>| LOOKS.iter().any(|(name, _)| *name == row.library);
    let times = rows.iter().filter(drawn).map(|row| row.nanos);
    // A bar of a logarithmic axis has no natural foot, so the shortest one gets some height.
    let least = times.clone().fold(f64::INFINITY, f64::min) / 2.0;
    // The numbers stand above the bars.
    let most = times.clone().fold(0.0, f64::max) * 2.0;
    let y = Axis::over(times.chain([least, most]), BOTTOM, TOP).rounded();
    let mut svg = String::new();
    // A white ground of its own, for pages in dark mode would show through.
    writeln!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" {FONT}>
<title>What verifying and minting a JWT take, by library and algorithm</title>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>
<text x="24" y="36" font-size="20" font-weight="600" fill="#111111">Verifying and minting a JWT</text>
<text x="24" y="60">Time on a logarithmic scale. signoff checks revocation too; the others do not. What was seen before needs no signature.</text>"##
    )?;
    draw_legend(&mut svg)?;
    let right = draw_panel(&mut svg, rows, &y, 72.0, ("verify", "Verify"))?;
    draw_panel(&mut svg, rows, &y, right + 76.0, ("mint", "Mint"))?;
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn draw_legend(svg: &mut String) -> fmt::Result {
    for (number, (name, colour)) in LOOKS.iter().enumerate() {
        let (x, y) = (24.0 + 300.0 * (number % 4) as f64, 78.0 + 22.0 * (number / 4) as f64);
        let (text, base) = (x + 20.0, y + 11.0);
        writeln!(
            svg,
            r#"<rect x="{x}" y="{y}" width="13" height="13" fill="{colour}"/><text x="{text}" y="{base}">{name}</text>"#
        )?;
    }
    Ok(())
}

/// Draws one operation, and says where it ends.
fn draw_panel(
    svg: &mut String,
    rows: &[Row<'_>],
    y: &Axis,
    left: f64,
    (operation, title): (&str, &str),
) -> Result<f64, fmt::Error> {
    // The bars first, for only they know how wide the panel is; they are written last, above the grid.
    let (mut bars, mut x) = (String::new(), left + GAP);
    for algorithm in ALGORITHMS {
        let start = x;
        for (name, colour) in LOOKS {
            let found = |row: &&Row<'_>| (row.operation, row.algorithm, row.library) == (operation, algorithm, name);
            if let Some(row) = rows.iter().find(found) {
                draw_bar(&mut bars, y, x, colour, row.nanos)?;
                x += STEP;
            }
        }
        if x > start {
            let (middle, base) = ((start + x - (STEP - BAR)) / 2.0, BOTTOM + 22.0);
            writeln!(bars, r#"<text x="{middle:.1}" y="{base}" text-anchor="middle">{algorithm}</text>"#)?;
            x += GAP;
        }
    }
    let above = TOP - 24.0;
    writeln!(svg, r##"<text x="{left}" y="{above}" font-size="15" font-weight="600" fill="#111111">{title}</text>"##)?;
    for tick in y.ticks(&[1.0]) {
        let (at, end, text) = (y.place(tick), left - 9.0, duration(tick));
        let base = at + 4.5;
        writeln!(
            svg,
            r##"<path d="M{left} {at:.1}H{x:.1}" stroke="#e3e3e3"/>
<text x="{end}" y="{base:.1}" text-anchor="end">{text}</text>"##
        )?;
    }
    writeln!(svg, r##"<path d="M{left} {TOP}V{BOTTOM}H{x:.1}" fill="none" stroke="#777777"/>"##)?;
    svg.push_str(&bars);
    Ok(x)
}

/// A bar, with its value upright above it: bars are narrower than numbers.
fn draw_bar(svg: &mut String, y: &Axis, x: f64, colour: &str, nanos: f64) -> fmt::Result {
    let (top, foot) = (y.place(nanos), BOTTOM);
    let (height, text, base, value) = (foot - top, x + BAR / 2.0 + 4.0, top - 4.0, duration(nanos));
    writeln!(
        svg,
        r#"<rect x="{x:.1}" y="{top:.1}" width="{BAR}" height="{height:.1}" fill="{colour}"/>
<text transform="translate({text:.1} {base:.1}) rotate(-90)" font-size="11">{value}</text>"#
    )
}

/// With two digits or more, in the unit that keeps the number short.
fn duration(nanos: f64) -> String {
    match nanos {
        ..999.5 => format!("{nanos:.0} ns"),
        ..9_950.0 => format!("{:.1} µs", nanos / 1e3).replace(".0 ", " "),
        ..999_500.0 => format!("{:.0} µs", nanos / 1e3),
        _ => format!("{} ms", grouped((nanos / 1e6).round())),
    }
}
