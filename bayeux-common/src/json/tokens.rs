//! The parts of a JSON text.

/// One part of a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `[`, which begins an array.
    Array,
    /// `{`, which begins an object.
    Object,
    /// `]` or `}`.
    End,
    /// A text with its quotes: a value, or the name of a field.
    Text,
    /// A number, `true`, `false` or `null`.
    Word,
    /// White space, commas and colons.
    Between,
}

/// Takes a text apart that is known to be JSON: the parts of any other mean nothing.
pub(super) struct Tokens<'a>(pub(super) &'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let kind = kind(*self.0.as_bytes().first()?);
        let length = match kind {
            Kind::Array | Kind::Object | Kind::End => 1,
            Kind::Text => length_of_text(self.0),
            Kind::Word | Kind::Between => {
                let end = self.0.bytes().position(|byte| self::kind(byte) != kind);
                end.unwrap_or(self.0.len())
            }
        };
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(Token { kind, text })
    }
}

fn kind(byte: u8) -> Kind {
    match byte {
        b'[' => Kind::Array,
        b'{' => Kind::Object,
        b']' | b'}' => Kind::End,
        b'"' => Kind::Text,
        b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' => Kind::Between,
        _ => Kind::Word,
    }
}

/// Of a text that begins with its first quote.
fn length_of_text(text: &str) -> usize {
    let mut is_escaped = false;
    let is_end = |byte: u8| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    };
    text.bytes().skip(1).position(is_end).map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::{Kind::*, *};

    #[test]
    fn a_text_is_taken_apart() {
        let tokens = Tokens(r#"{"a\"\\": [-1.5e+3,true , "é"] }"#);
        let tokens: Vec<_> = tokens.map(|token| (token.kind, token.text)).collect();
        let expected = [
            (Object, "{"),
            (Text, r#""a\"\\""#),
            (Between, ": "),
            (Array, "["),
            (Word, "-1.5e+3"),
            (Between, ","),
            (Word, "true"),
            (Between, " , "),
            (Text, "\"é\""),
            (End, "]"),
            (Between, " "),
            (End, "}"),
        ];
        assert_eq!(tokens, expected);
    }
}
