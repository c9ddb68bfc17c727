//! What all panels have: logarithmic axes, and numbers that are legible.

/// A logarithmic axis.
pub(crate) struct Axis {
    least: f64,
    most: f64,
    pub(crate) from: f64,
    pub(crate) to: f64,
}

impl Axis {
    /// The axis from `from` to `to` on which all of these have a place.
    pub(crate) fn over(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        Self { least, most: values.fold(0.0, f64::max), from, to }
    }

    /// The axis from tick to tick.
    pub(crate) fn rounded(mut self) -> Self {
        let ticks = steps(&[1.0, 2.0, 5.0]);
        self.least = ticks.iter().copied().filter(|tick| *tick <= self.least).fold(1.0, f64::max);
        self.most = ticks.iter().copied().filter(|tick| *tick >= self.most).fold(f64::INFINITY, f64::min);
        self
    }

    pub(crate) fn place(&self, value: f64) -> f64 {
        self.from + (value / self.least).ln() / (self.most / self.least).ln() * (self.to - self.from)
    }

    /// The decades times `factors`, as far as the axis goes.
    pub(crate) fn ticks(&self, factors: &[f64]) -> Vec<f64> {
        let within = (self.least * 0.999)..=(self.most * 1.001);
        steps(factors).into_iter().filter(|tick| within.contains(tick)).collect()
    }
}

/// The decades, each times all of these.
fn steps(factors: &[f64]) -> Vec<f64> {
    (0..12)
        .map(|power| 10_f64.powi(power))
        .flat_map(|decade| factors.iter().map(move |factor| decade * factor))
        .collect()
}

/// The number with a comma before every three digits.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
