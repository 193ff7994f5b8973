//! `long-polling`: JSON in the body of a POST, or in the `message` fields of a form.

use bayeux_api::{DecodeError, Limits, Message, decode};
use http::{HeaderMap, header};

use crate::transport::status::Failure;

/// Reads the messages of a POST. A form holds them in one or several `message` fields (Bayeux 1.0,
/// section 3.2); any other content type, or none, is JSON, and so is a form that begins like JSON.
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
    if is_form && !matches!(body.trim_ascii_start().first(), Some(b'[' | b'{')) {
        return read_fields(body, limits);
    }
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    });
    let encoding = match charset {
        None => encoding_rs::UTF_8,
        Some(charset) => encoding_rs::Encoding::for_label(charset.as_bytes())
            .ok_or_else(|| Failure::Charset(charset.to_owned()))?,
    };
    // Whatever its label, what is not UTF-8 is an error.
    if encoding == encoding_rs::UTF_8 {
        return Ok(decode(body, limits)?);
    }
    let (text, _) = encoding.decode_with_bom_removal(body);
    Ok(decode(text.as_bytes(), limits)?)
}

/// Reads the messages in the `message` fields of a form or of a query, together within `limits`.
pub(crate) fn read_fields(fields: &[u8], limits: &Limits) -> Result<Vec<Message>, Failure> {
    let mut messages = Vec::new();
    for (name, value) in form_urlencoded::parse(fields) {
        if name == "message" {
            match decode(value.as_bytes(), limits) {
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
        assert!(matches!(read_as("a/b;charset=klingon", body), Err(Failure::Charset(_))));
        for label in ["\"UTF-8\"", "utf8", "unicode-1-1-utf-8"] {
            let content_type = format!("a/b;charset={label}");
            assert!(matches!(read_as(&content_type, body), Err(Failure::Decode(_))), "{label}");
        }
    }
}
