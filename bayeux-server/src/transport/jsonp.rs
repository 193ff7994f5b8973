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
    json::read_query(query, limits)
}

/// Wraps an array of messages, in parts, into the call of `callback`.
pub(crate) fn wrap(callback: &str, array: Vec<Bytes>) -> Vec<Bytes> {
    let mut script = vec![format!("{callback}(").into()];
    script.extend(array.into_iter().map(escape));
    script.push(Bytes::from_static(b")"));
    script
}

/// U+2028 and U+2029 may stand in JSON but, before ECMAScript 2019, not in a script.
fn escape(json: Bytes) -> Bytes {
    let is_separator = |three: &[u8]| matches!(three, b"\xe2\x80\xa8" | b"\xe2\x80\xa9");
    if !json.windows(3).any(is_separator) {
        return json;
    }
    let mut script = Vec::with_capacity(json.len());
    let mut rest = &json[..];
    while let Some(at) = rest.windows(3).position(is_separator) {
        script.extend_from_slice(&rest[..at]);
        script.extend_from_slice(if rest[at + 2] == 0xa8 { b"\\u2028" } else { b"\\u2029" });
        rest = &rest[at + 3..];
    }
    script.extend_from_slice(rest);
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
        let wrap = |array: &str| wrap("f", vec![array.to_owned().into()]).concat();
        assert_eq!(wrap("[\"a\u{2028}b\u{2029}\"]"), b"f([\"a\\u2028b\\u2029\"])");
        assert_eq!(wrap("[]"), b"f([])");
    }
}
