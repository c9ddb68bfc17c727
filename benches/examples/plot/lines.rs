//! Revocation: what a check takes and what an entry weighs, as lines over the number of entries.

use std::fmt::{self, Write};

use crate::FONT;
use crate::axis::{Axis, grouped};

const WIDTH: f64 = 1300.0;
const HEIGHT: f64 = 560.0;
/// Where the panels begin and end from top to bottom.
const TOP: f64 = 104.0;
const BOTTOM: f64 = 494.0;
const PANEL_WIDTH: f64 = 360.0;
/// The least distance between two names, from baseline to baseline.
const LINE_HEIGHT: f64 = 17.0;

const OURS: &str = "signoff";
const FLOOR: &str = "random line read";
/// The name and the look of every line; what is not named here is not drawn.
const LOOKS: [(&str, &str); 11] = [
    (OURS, "#0a58ca"),
    (FLOOR, "#222222"),
    ("arc-swap + hashbrown", "#2b7a4b"),
    ("left-right 0.11", "#5f7a1f"),
    ("std RwLock<HashMap>", "#8c6d1f"),
    ("dashmap 6", "#b05a10"),
    ("papaya 0.2", "#c2185b"),
    ("scc 3 HashIndex", "#7b4fa3"),
    ("quick_cache 0.7", "#8d5a4a"),
    ("moka 0.12", "#c0392b"),
    ("evmap 11", "#4a7f8c"),
];

/// One structure at one size, and what was measured.
pub(crate) struct Row<'a> {
    structure: &'a str,
    entries: f64,
    value: f64,
}

impl<'a> Row<'a> {
    pub(crate) fn parse_all(table: &'a str) -> Option<Vec<Self>> {
        table.lines().skip(1).map(Self::parse).collect()
    }

    /// Of several values, the first is what is drawn.
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split('\t');
        let (structure, entries, value) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Self { structure, entries: entries.parse().ok()?, value: value.parse().ok()? })
    }
}

pub(crate) fn draw(times: &[Row<'_>], weights: &[Row<'_>]) -> Result<String, fmt::Error> {
    let nothing = times.iter().filter(|row| row.structure == "nothing").map(|row| row.value);
    let nothing = nothing.fold(f64::INFINITY, f64::min);
    let mut svg = String::new();
    // A white ground of its own, for pages in dark mode would show through.
    writeln!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" {FONT}>
<title>What a check takes and what an entry weighs, by the number of entries</title>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>
<text x="24" y="36" font-size="20" font-weight="600" fill="#111111">Is it revoked? One check, and the memory of one entry</text>
<text x="24" y="60">Random 16-byte ids, 99 % misses, checks that do not overlap; {nothing:.0} ns of each are the bench itself. All others keep ids only, signoff also when they expire.</text>"##
    )?;
    Panel::new(72.0, "Time of one isolated check (ns)", times).draw(&mut svg)?;
    Panel::new(724.0, "Heap per entry (bytes)", weights).draw(&mut svg)?;
    svg.push_str("</svg>\n");
    Ok(svg)
}

/// A diagram with logarithmic axes, and the names of the lines at their ends.
struct Panel {
    title: &'static str,
    x: Axis,
    y: Axis,
    lines: Vec<Line>,
}

struct Line {
    name: &'static str,
    colour: &'static str,
    /// Entries and value, by the number of entries.
    points: Vec<(f64, f64)>,
}

impl Panel {
    fn new(left: f64, title: &'static str, rows: &[Row<'_>]) -> Self {
        let line = |(name, colour)| {
            let rows = rows.iter().filter(|row| row.structure == name);
            let points = rows.map(|row| (row.entries, row.value)).collect::<Vec<_>>();
            (!points.is_empty()).then_some(Line { name, colour, points })
        };
        let lines = LOOKS.into_iter().filter_map(line).collect::<Vec<_>>();
        let points = || lines.iter().flat_map(|line| &line.points);
        let x = Axis::over(points().map(|point| point.0), left, left + PANEL_WIDTH);
        let y = Axis::over(points().map(|point| point.1), BOTTOM, TOP).rounded();
        Self { title, x, y, lines }
    }

    fn draw(&self, svg: &mut String) -> fmt::Result {
        self.draw_frame(svg)?;
        // Ours comes last, on top of the others.
        self.lines.iter().rev().try_for_each(|line| self.draw_line(svg, line))?;
        self.draw_names(svg)
    }

    /// The title, the axes and the grid.
    fn draw_frame(&self, svg: &mut String) -> fmt::Result {
        let Self { title, x: Axis { from: left, to: right, .. }, .. } = self;
        let above = TOP - 16.0;
        writeln!(
            svg,
            r##"<text x="{left}" y="{above}" font-size="15" font-weight="600" fill="#111111">{title}</text>"##
        )?;
        for tick in self.y.ticks(&[1.0, 2.0, 5.0]) {
            let (at, text, base, end) = (self.y.place(tick), grouped(tick), self.y.place(tick) + 4.5, left - 9.0);
            writeln!(
                svg,
                r##"<path d="M{left} {at:.1}H{right}" stroke="#e3e3e3"/>
<text x="{end}" y="{base:.1}" text-anchor="end">{text}</text>"##
            )?;
        }
        for tick in self.x.ticks(&[1.0]) {
            let (at, text, base) = (self.x.place(tick), grouped(tick), BOTTOM + 22.0);
            writeln!(
                svg,
                r##"<path d="M{at:.1} {BOTTOM}v6" stroke="#777777"/>
<text x="{at:.1}" y="{base}" text-anchor="middle">{text}</text>"##
            )?;
        }
        let (middle, below) = (f64::midpoint(*left, *right), BOTTOM + 46.0);
        writeln!(
            svg,
            r##"<path d="M{left} {TOP}V{BOTTOM}H{right}" fill="none" stroke="#777777"/>
<text x="{middle}" y="{below}" text-anchor="middle">revoked entries</text>"##
        )
    }

    fn draw_line(&self, svg: &mut String, line: &Line) -> fmt::Result {
        let colour = line.colour;
        let (width, dashes) = match line.name {
            OURS => (4.0, "none"),
            FLOOR => (2.0, "6 4"),
            _ => (1.6, "none"),
        };
        let places = line.points.iter().map(|point| (self.x.place(point.0), self.y.place(point.1)));
        let path = places.clone().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ");
        writeln!(
            svg,
            r#"<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dashes}"/>"#
        )?;
        for (x, y) in places {
            let radius = width + 0.6;
            writeln!(svg, r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius:.1}" fill="{colour}"/>"#)?;
        }
        Ok(())
    }

    /// The names, each with the last value, right of where the lines end.
    fn draw_names(&self, svg: &mut String) -> fmt::Result {
        let mut ends = self.lines.iter().filter_map(|line| Some((line, line.points.last()?.1))).collect::<Vec<_>>();
        ends.sort_by(|a, b| b.1.total_cmp(&a.1));
        let names = apart(ends.iter().map(|end| self.y.place(end.1)).collect());
        for ((line, value), to) in ends.into_iter().zip(names) {
            let (from, base) = (self.y.place(value), to + 4.5);
            let [start, end, text] = [6.0, 22.0, 26.0].map(|distance| self.x.to + distance);
            let (colour, name) = (line.colour, line.name.replace('<', "&lt;"));
            let weight = if line.name == OURS { 700 } else { 400 };
            writeln!(
                svg,
                r#"<path d="M{start} {from:.1}L{end} {to:.1}" stroke="{colour}" opacity="0.6"/>
<text x="{text}" y="{base:.1}" fill="{colour}" font-weight="{weight}"><tspan font-weight="700">{value:.0}</tspan> {name}</text>"#
            )?;
        }
        Ok(())
    }
}

/// Moves names, sorted from top to bottom, as little as it takes for all of them to be legible.
fn apart(mut places: Vec<f64>) -> Vec<f64> {
    // Each pass pushes neighbours that are too close away from each other by equal parts.
    for _ in 0..500 {
        for lower in 1..places.len() {
            let lacking = LINE_HEIGHT - (places[lower] - places[lower - 1]);
            if lacking > 0.0 {
                places[lower - 1] -= lacking / 2.0;
                places[lower] += lacking / 2.0;
            }
        }
    }
    places
}
