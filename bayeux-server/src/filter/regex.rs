//! Texts are matched and replaced.

use regex::Regex;

use crate::filter::DataFilter;

/// Applies regular expressions, one after the other.
#[derive(Clone, Debug)]
pub struct RegexFilter(Vec<(Regex, Replacement)>);

/// What is done where an expression matches.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replacement {
    /// Every match is replaced; `$1` stands for the first group.
    Text(String),
    /// The message is discarded if the whole text matches.
    Discard,
}

impl RegexFilter {
    /// Makes a filter of pairs of an expression and what is done where it matches.
    ///
    /// # Errors
    ///
    /// When an expression is not one.
    pub fn new<'a>(
        rules: impl IntoIterator<Item = (&'a str, Replacement)>,
    ) -> Result<Self, regex::Error> {
        let compile = |(expression, replacement): (&str, Replacement)| {
            // As Java's `matches`, which looks at the whole text.
            let whole = match replacement {
                Replacement::Text(_) => expression.to_owned(),
                Replacement::Discard => format!("^(?:{expression})$"),
            };
            Ok((Regex::new(&whole)?, replacement))
        };
        rules.into_iter().map(compile).collect::<Result<_, _>>().map(Self)
    }
}

impl DataFilter for RegexFilter {
    fn filter_text(&self, text: String) -> Option<String> {
        self.0.iter().try_fold(text, |text, (regex, replacement)| match replacement {
            Replacement::Text(to) => Some(regex.replace_all(&text, to).into_owned()),
            Replacement::Discard => (!regex.is_match(&text)).then_some(text),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_apply_in_order() {
        let rules = [
            ("h(.)llo", Replacement::Text("j${1}lly".to_owned())),
            (".*jelly.*", Replacement::Discard),
        ];
        let filter = RegexFilter::new(rules).unwrap();
        assert_eq!(filter.filter_text("hallo".to_owned()).as_deref(), Some("jally"));
        assert_eq!(filter.filter_text("a hello b".to_owned()), None);
        assert!(RegexFilter::new([("(", Replacement::Discard)]).is_err());
    }
}
