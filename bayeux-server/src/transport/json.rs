//! `long-polling`: JSON in the body of a POST, or in the `message` fields of a form.

use std::borrow::Cow;

use bayeux_api::{DecodeError, Limits, Message, decode};
use encoding_rs::{Encoding, UTF_8};
use http::{HeaderMap, header};
use percent_encoding::percent_decode;

use crate::transport::status::Failure;

/// Reads the messages of a POST. A form holds them in one or several `message` fields (Bayeux 1.0,
/// section 3.2); any other content type, or none, is JSON, and so is a form that begins like JSON. Without
/// a label JSON is UTF-8 (RFC 8259, section 8.1); than a label a byte order mark says more (WHATWG Encoding,
/// section 6).
pub(crate) fn read(
    headers: &HeaderMap,
    body: &[u8],
    limits: &Limits,
) -> Result<Vec<Message>, Failure> {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = content_type.split(';').map(str::trim);
    let is_form = parts
        .next()
        .is_some_and(|media| media.eq_ignore_ascii_case("application/x-www-form-urlencoded"));
    let labelled = labelled(parts)?;
    let mark = Encoding::for_bom(body);
    let unmarked = &body[mark.map_or(0, |(_, length)| length)..];
    if is_form && !matches!(unmarked.trim_ascii_start().first(), Some(b'[' | b'{')) {
        return read_fields(unmarked, labelled.unwrap_or(UTF_8).output_encoding(), limits);
    }
    // Its mark stays: it is passed over once by who reads it.
    let said = mark.map(|(encoding, _)| encoding);
    let encoding = labelled.map_or(UTF_8, |labelled| said.unwrap_or(labelled));
    Ok(decode(&in_utf8(body, encoding)?, limits)?)
}

/// Returns the charset that the parameters of a content type name.
fn labelled<'a>(
    mut parameters: impl Iterator<Item = &'a str>,
) -> Result<Option<&'static Encoding>, Failure> {
    let charset = parameters.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    });
    let Some(charset) = charset.filter(|charset| !charset.is_empty()) else { return Ok(None) };
    match Encoding::for_label_no_replacement(charset.as_bytes()) {
        None => Err(Failure::Charset(charset.to_owned())),
        encoding => Ok(encoding),
    }
}

/// Converts what is said to be in another charset. Whether UTF-8 is that is checked by who reads it.
fn in_utf8<'a>(text: &'a [u8], encoding: &'static Encoding) -> Result<Cow<'a, [u8]>, Failure> {
    if encoding == UTF_8 {
        return Ok(Cow::Borrowed(text));
    }
    match encoding.decode_without_bom_handling_and_without_replacement(text) {
        Some(text) => Ok(Cow::Owned(text.into_owned().into_bytes())),
        None => Err(Failure::Miscoded(encoding.name())),
    }
}

/// Reads the messages of a query.
pub(crate) fn read_query(query: &str, limits: &Limits) -> Result<Vec<Message>, Failure> {
    read_fields(query.as_bytes(), UTF_8, limits)
}

/// Reads the messages in the `message` fields of a form or of a query, together within `limits`.
fn read_fields(
    fields: &[u8],
    encoding: &'static Encoding,
    limits: &Limits,
) -> Result<Vec<Message>, Failure> {
    let mut messages = Vec::new();
    for field in fields.split(|byte| *byte == b'&') {
        let mut halves = field.splitn(2, |byte| *byte == b'=').map(unescape);
        let (name, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
        if *name == *b"message" {
            match decode(&in_utf8(&value, encoding)?, limits) {
                Ok(mut read) => messages.append(&mut read),
                // Another may have some.
                Err(DecodeError::Empty) => {}
                Err(error) => return Err(error.into()),
            }
            if messages.len() > limits.messages {
                return Err(DecodeError::TooMany(limits.messages).into());
            }
        }
    }
    if messages.is_empty() { Err(Failure::NoMessage) } else { Ok(messages) }
}

/// Bytes, since a reader of texts would mend what is in no charset.
fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'+') {
        return percent_decode(text).into();
    }
    let spaced: Vec<_> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Cow::Owned(percent_decode(&spaced).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as(content_type: &str, body: &[u8]) -> Result<Vec<Message>, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        read(&headers, body, &Limits::default())
    }

    #[test]
    fn the_content_type_does_not_matter_unless_it_is_a_form() {
        let body = br#"[{"channel":"/a"}]"#;
        for content_type in ["application/json;charset=UTF-8", "text/json", "x", "a/b; charset"] {
            assert_eq!(read_as(content_type, body).unwrap().len(), 1, "{content_type}");
        }
        assert_eq!(read(&HeaderMap::new(), body, &Limits::default()).unwrap().len(), 1);
    }

    #[test]
    fn a_form_has_one_or_several_message_fields() {
        let form = "application/x-www-form-urlencoded";
        let body = b"message=%5B%7B%22channel%22%3A%22/a%22%7D%5D&x=1&message=%7B%22id%22:1%7D";
        assert_eq!(read_as(form, body).unwrap().len(), 2);
        assert!(matches!(read_as(form, b"x=1"), Err(Failure::NoMessage)));
        // What is JSON is JSON, as `curl -d` labels it.
        for body in [&b"[{}]"[..], b"{}", b" {\"data\":\"a&message=b\"}"] {
            assert_eq!(read_as(form, body).unwrap().len(), 1);
        }
    }

    #[test]
    fn other_charsets_are_read() {
        let body = b"[{\"channel\":\"/a\",\"data\":\"\xe1\"}]";
        let messages = read_as("application/json;charset=ISO-8859-7", body).unwrap();
        assert_eq!(messages[0].data.as_ref().unwrap().text(), "\"α\"");
        for label in ["klingon", "iso-2022-kr", "replacement"] {
            let read = read_as(&format!("a/b;charset={label}"), body);
            assert!(matches!(read, Err(Failure::Charset(_))), "{label}");
        }
        for label in ["\"UTF-8\"", "utf8", "unicode-1-1-utf-8"] {
            let content_type = format!("a/b;charset={label}");
            assert!(matches!(read_as(&content_type, body), Err(Failure::Decode(_))), "{label}");
        }
    }
}
