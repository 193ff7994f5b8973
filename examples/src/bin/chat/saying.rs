//! What a line says, and to whom.

use std::collections::BTreeSet;

/// Something to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Saying {
    pub(crate) text: String,
    /// To whom alone; to all if there is nobody.
    pub(crate) peers: Vec<String>,
}

impl Saying {
    /// Says a line to all.
    pub(crate) fn to_all(text: &str) -> Self {
        Self { text: text.to_owned(), peers: Vec::new() }
    }

    /// Reads what stands behind `/tell`: names joined by commas, and what they are told. A name with a blank in it is
    /// that of a member, the longest that fits, or stands in quotes. None if a name or the text is missing.
    pub(crate) fn told(mut rest: &str, members: &BTreeSet<String>) -> Option<Self> {
        let mut peers = Vec::new();
        loop {
            let (name, behind) = name(rest.trim_start(), members)?;
            peers.push(name.to_owned());
            match behind.trim_start().strip_prefix(',') {
                Some(more) => rest = more,
                None => {
                    let text = behind.trim();
                    return (!text.is_empty()).then(|| Self { text: text.to_owned(), peers });
                }
            }
        }
    }
}

/// Splits a name off, which ends with a blank, a comma or its quote.
fn name<'a>(rest: &'a str, members: &BTreeSet<String>) -> Option<(&'a str, &'a str)> {
    if let Some(quoted) = rest.strip_prefix('"') {
        return quoted.split_once('"').filter(|(name, _)| !name.is_empty());
    }
    let ends_at = |length: usize| {
        let behind = rest.get(length..).unwrap_or_default();
        behind.is_empty() || behind.starts_with(|next: char| next == ',' || next.is_whitespace())
    };
    let is_meant = |member: &&String| rest.starts_with(member.as_str()) && ends_at(member.len());
    let longest = members.iter().filter(is_meant).map(String::len).max();
    let word = || rest.find(|next: char| next == ',' || next.is_whitespace());
    let length = longest.or_else(word).filter(|length| *length > 0)?;
    Some(rest.split_at(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(rest: &str) -> Option<(Vec<String>, String)> {
        let members = ["Ann", "Ann Lee", "Bob", "Ünal"].map(str::to_owned).into();
        Saying::told(rest, &members).map(|saying| (saying.peers, saying.text))
    }

    fn to(peers: &[&str], text: &str) -> Option<(Vec<String>, String)> {
        Some((peers.iter().map(|peer| (*peer).to_owned()).collect(), text.to_owned()))
    }

    #[test]
    fn one_or_some_are_told_something() {
        assert_eq!(told("Bob  how are you?"), to(&["Bob"], "how are you?"));
        assert_eq!(told("Bob,Ann hello, both"), to(&["Bob", "Ann"], "hello, both"));
        assert_eq!(told("Bob, Ann hello"), to(&["Bob", "Ann"], "hello"));
        assert_eq!(told("Ünal grüß dich"), to(&["Ünal"], "grüß dich"));
    }

    #[test]
    fn a_name_with_a_blank_is_the_longest_of_a_member_or_quoted() {
        assert_eq!(told("Ann Lee hello"), to(&["Ann Lee"], "hello"));
        assert_eq!(told("Ann Leeds hello"), to(&["Ann"], "Leeds hello"));
        assert_eq!(told("Ann Lee,Bob hello"), to(&["Ann Lee", "Bob"], "hello"));
        assert_eq!(told("\"Cy Dee\" hello"), to(&["Cy Dee"], "hello"));
        assert_eq!(told("\"Ann\",\"Cy Dee\" Lee said so"), to(&["Ann", "Cy Dee"], "Lee said so"));
    }

    #[test]
    fn who_is_not_here_is_one_word() {
        assert_eq!(told("Dan hello there"), to(&["Dan"], "hello there"));
    }

    #[test]
    fn nobody_is_told_nothing() {
        for rest in
            ["", " ", "Bob", "Bob ", "Ann Lee", "Bob,", ",hello", "\"\" hello", "\"Bob hello", "\""]
        {
            assert_eq!(told(rest), None, "{rest:?}");
        }
    }
}
