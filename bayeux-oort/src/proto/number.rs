//! Whole numbers in JSON, in whatever form: a version, an id, what is counted.

/// Reads a whole number, of which `1.0` and `10e-1` are such, too: up to 2^53, where an [`f64`] tells them from
/// each other. Without a fraction or an exponent it may have any size.
pub(crate) fn whole(text: &str) -> Option<i128> {
    text.parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        let is_whole = number.fract() == 0.0 && number.abs() <= EXACT;
        is_whole.then_some(number as i128)
    })
}

/// 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_has_no_fraction_however_it_is_written() {
        assert_eq!(
            ["0", "-0", "-0.0", "21.0", "2.1E1", "10e-1"].map(whole),
            [0, 0, 0, 21, 21, 1].map(Some)
        );
        assert_eq!(whole("-18446744073709551615"), Some(-i128::from(u64::MAX)));
        assert_eq!(whole("9007199254740992.0"), Some(1 << 53));
        for other in ["0.5", "1e16", "-1e300", "1e999", "\"1\"", "null", "true", "[1]", "{}", ""] {
            assert_eq!(whole(other), None, "{other}");
        }
        assert_eq!(whole(&"9".repeat(60)), None);
    }
}
