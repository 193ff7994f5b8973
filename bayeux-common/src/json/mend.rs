//! JSON that is right and that Rust's types cannot hold, made one that they can.
//!
//! RFC 8259 lets a text have half a surrogate pair (section 8.2), as `JSON.stringify` writes of a text that was
//! cut in the middle of an emoji, and a number of any size (section 6). To JavaScript and Java the one is a
//! character like any other and the other is infinite, which neither `str` nor [`serde_json`] has. What is
//! nearest takes their place: U+FFFD, as in every encoder of UTF-8, and the largest finite number of that
//! sign. So a text stays a text, and what is too large stays larger than what it is compared with.

use super::tokens::{Kind, Tokens};

/// Returns a JSON text with what cannot be held replaced, and all else as it was.
pub(super) fn mend(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    for token in Tokens(text) {
        match token.kind {
            Kind::Text => mend_text(token.text, &mut mended),
            Kind::Word => mended.push_str(largest(token.text).unwrap_or(token.text)),
            Kind::Array | Kind::Object | Kind::End | Kind::Between => mended.push_str(token.text),
        }
    }
    mended
}

/// Returns the text of a message, or of an array of them, with what cannot be held replaced in the names of its
/// fields, and all else as it was; their values are mended by who reads them. Of a text that is none it makes one
/// that is none either.
pub(super) fn mend_names(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let (mut level, mut of_fields, mut is_value) = (0_usize, None, false);
    for token in Tokens(text) {
        match token.kind {
            Kind::Array | Kind::Object => {
                level += 1;
                is_value = false;
                let first = if token.kind == Kind::Array { 2 } else { 1 };
                of_fields = of_fields.or(Some(first));
            }
            Kind::End => level = level.saturating_sub(1),
            Kind::Between if token.text.contains(':') => is_value = true,
            Kind::Between if token.text.contains(',') => is_value = false,
            Kind::Text if of_fields == Some(level) && !is_value => {
                mend_text(token.text, &mut mended);
                continue;
            }
            Kind::Text | Kind::Word | Kind::Between => {}
        }
        mended.push_str(token.text);
    }
    mended
}

fn mend_text(mut text: &str, mended: &mut String) {
    while let Some(at) = text.find('\\') {
        let (before, escape) = text.split_at(at);
        mended.push_str(before);
        let follower = || escape.get(ESCAPE..).and_then(code_unit);
        let length = match code_unit(escape) {
            Some(0xd800..=0xdbff) if matches!(follower(), Some(0xdc00..=0xdfff)) => 2 * ESCAPE,
            Some(_) => ESCAPE,
            None => r"\n".len(),
        };
        let (escape, rest) = escape.split_at_checked(length).unwrap_or((escape, ""));
        let is_half = length == ESCAPE && matches!(code_unit(escape), Some(0xd800..=0xdfff));
        mended.push_str(if is_half { r"\ufffd" } else { escape });
        text = rest;
    }
    mended.push_str(text);
}

/// The length of `\ufffd`.
const ESCAPE: usize = 6;

/// The UTF-16 code unit of which an escape is at the beginning of `text`.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix(r"\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

/// What takes the place of a number, if it is larger than can be read.
fn largest(word: &str) -> Option<&'static str> {
    let is_number = word.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let is_too_large = is_number && serde_json::from_str::<f64>(word).is_err();
    is_too_large.then_some(match word.starts_with('-') {
        true => "-1.7976931348623157e308",
        false => "1.7976931348623157e308",
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn halves_become_replacement_characters() {
        for (text, expected) in [
            (r#""\ud83d""#, r#""\ufffd""#),
            (r#""\ude00""#, r#""\ufffd""#),
            (r#""a\uD83Db""#, r#""a\ufffdb""#),
            (r#""\ud83d\ud83d\ude00\ude00""#, r#""\ufffd\ud83d\ude00\ufffd""#),
            (r#""\ud83d\n\\ud83d\\\ud83d""#, r#""\ufffd\n\\ud83d\\\ufffd""#),
            (r#"{"\ud83d":["\ud83d"]}"#, r#"{"\ufffd":["\ufffd"]}"#),
        ] {
            assert_eq!(mend(text), expected);
        }
    }

    #[test]
    fn names_of_fields_are_mended_and_nothing_else() {
        let field = r#""\ud83d" : {"\ud83d":["\ud83d"]}, "a":"\ud83d" ,"\ude00":1e400"#;
        let expected = r#""\ufffd" : {"\ud83d":["\ud83d"]}, "a":"\ud83d" ,"\ufffd":1e400"#;
        for [before, between, after] in [["{", "}", ""], [" [{", "},{", "}] "]] {
            let text = |field: &str| format!("{before}{field}{between}{after}");
            assert_eq!(mend_names(&text(field)), text(expected));
        }
        let two = |field: &str| format!("[{{{field}}}\n,{{{field}}}]");
        assert_eq!(mend_names(&two(field)), two(expected));
    }

    proptest! {
        #[test]
        fn whatever_is_no_json_is_none_after_it_was_mended(
            text in r#"(\[|\]|\{|\}|"|\\|u|d83d|,|:|1e400|é| ){0,20}"#,
        ) {
            let is_json = |text: &str| serde_json::from_str::<&RawValue>(text).is_ok();
            prop_assert_eq!(is_json(&mend_names(&text)), is_json(&text));
        }
    }

    #[test]
    fn what_is_too_large_becomes_the_largest() {
        let long = "1".repeat(400);
        for number in ["1e400", "1.7976931348623159e308", "1E+99999999999999999999999", &long] {
            let text = format!("[{number},-{number},0]");
            let values: [f64; 3] = serde_json::from_str(&mend(&text)).unwrap();
            assert_eq!(values, [f64::MAX, f64::MIN, 0.0], "{number}");
        }
    }

    #[test]
    fn all_else_stays_to_the_letter() {
        for text in [
            r#"{ "a" : [1.10,-0,1e-400,0e999,true,null], "\u00e9\ud83d\ude00\"" : "1e400" }"#,
            "123456789012345678901234567890",
            r#""\\ud83d""#,
        ] {
            assert_eq!(mend(text), text);
        }
    }
}
