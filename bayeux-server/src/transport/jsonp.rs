//! `callback-polling`: messages in the query of a GET, and back as a call of a script's function.

use bayeux_api::{Limits, Message};
use bytes::Bytes;

use crate::{
    config::JsonpConfig,
    transport::{json, status::Failure},
};

/// Returns the callback that a query names, if there is exactly one and it is only a name, which
/// keeps markup and scripts out of the response.
pub(crate) fn callback(query: &str, config: &JsonpConfig) -> Option<String> {
    let mut named = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| *name == config.callback_parameter)
        .map(|(_, value)| value);
    let callback = named.next()?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_valid = named.next().is_none()
        && !callback.is_empty()
        && callback.len() <= config.callback_parameter_max_length
        && callback.bytes().all(is_name);
    is_valid.then(|| callback.into_owned())
}

/// Reads the messages of a query.
pub(crate) fn read(query: &str, limits: &Limits) -> Result<Vec<Message>, Failure> {
    json::read_fields(query.as_bytes(), limits)
}

/// Wraps an array of messages into the call of `callback`. U+2028 and U+2029 may stand in JSON but,
/// before ECMAScript 2019, not in a script.
pub(crate) fn wrap(callback: &str, array: &[u8]) -> Bytes {
    let mut script = Vec::with_capacity(callback.len() + array.len() + 2);
    script.extend_from_slice(callback.as_bytes());
    script.push(b'(');
    let mut rest = array;
    while let Some(at) =
        rest.windows(3).position(|three| matches!(three, b"\xe2\x80\xa8" | b"\xe2\x80\xa9"))
    {
        script.extend_from_slice(&rest[..at]);
        script.extend_from_slice(if rest[at + 2] == 0xa8 { b"\\u2028" } else { b"\\u2029" });
        rest = &rest[at + 3..];
    }
    script.extend_from_slice(rest);
    script.push(b')');
    script.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_plain_name_is_a_callback() {
        let config = JsonpConfig::default();
        let callback = |query: &str| callback(query, &config);
        assert_eq!(callback("jsonp=a.b_c-1&message=x").as_deref(), Some("a.b_c-1"));
        for query in [
            "",
            "message=x",
            "jsonp=",
            "jsonp=a&jsonp=b",
            "jsonp=%3Cscript%3E",
            "jsonp=alert(1)",
            &format!("jsonp={}", "a".repeat(65)),
        ] {
            assert_eq!(callback(query), None, "{query}");
        }
    }

    #[test]
    fn separators_are_escaped() {
        assert_eq!(wrap("f", "[\"a\u{2028}b\u{2029}\"]".as_bytes()), "f([\"a\\u2028b\\u2029\"])");
        assert_eq!(wrap("f", b"[]"), "f([])");
    }
}
