//! What several runs say together: medians, spreads, and ratios of what was measured side by side.

/// The middle of several values, and how far apart they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Returns none if there are no values.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => f64::midpoint(values[middle - 1], values[middle]),
            _ => values[middle],
        };
        Some(Self { least, median, most })
    }
}

/// What was measured in the rounds, each with its round's number.
pub(crate) type Rounds = Vec<(u64, f64)>;

/// Divides what was measured in the same round: a machine that is slow for a while is slow for both.
pub(crate) fn ratios(values: &Rounds, references: &Rounds) -> Vec<f64> {
    values
        .iter()
        .filter_map(|(round, value)| {
            let (_, reference) = references.iter().find(|(other, _)| other == round)?;
            (*reference > 0.0).then(|| value / reference)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        let spread = Spread { least: 1.0, median: 2.0, most: 9.0 };
        assert_eq!(Spread::of([9.0, 1.0, 2.0]), Some(spread));
        assert_eq!(Spread::of([4.0, 1.0]).map(|spread| spread.median), Some(2.5));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn ratios_are_of_one_round() {
        let ours = vec![(1, 3.0), (2, 8.0), (4, 1.0)];
        let limit = vec![(2, 4.0), (1, 2.0), (3, 1.0), (4, 0.0)];
        assert_eq!(ratios(&ours, &limit), [1.5, 2.0]);
    }
}
