//! Numbers of a figure: spreads, and ratios of rounds taken side by side. Hides no outlier.

/// How many values it takes for their 99th percentile to say more than their maximum.
const ENOUGH_FOR_P99: usize = 200;

/// Where values lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// The smallest.
    pub(crate) min: f64,
    /// The one in the middle; of an even number, the upper of the two.
    pub(crate) median: f64,
    /// The 99th percentile, where there are enough values for one.
    pub(crate) p99: Option<f64>,
    /// The largest.
    pub(crate) max: f64,
}

impl Spread {
    /// The spread of these values; `None` where there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        let p99 = (values.len() >= ENOUGH_FOR_P99).then(|| values.get(values.len() * 99 / 100).copied());
        Some(Self {
            min: *values.first()?,
            median: *values.get(values.len() / 2)?,
            p99: p99.flatten(),
            max: *values.last()?,
        })
    }

    /// How many times the yardstick's costs these are, round by round.
    pub(crate) fn of_ratios(costs: &[f64], yardstick: &[f64]) -> Option<Self> {
        Self::of(costs.iter().zip(yardstick).map(|(ours, theirs)| ours / theirs))
    }
}

/// A count as a number to calculate with.
pub(crate) fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
