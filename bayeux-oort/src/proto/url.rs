//! Which texts can be the URL of a node.

use ::url::{Host, ParseError, Url};

/// Checks that `text` can be dialled, and is written so that it can be compared: CometD's nodes know each
/// other by the text of their URLs.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn check(text: &str) -> Result<(), String> {
    if text.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    if let Some(odd) = text.chars().find(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!("it has a {odd:?} in it"));
    }
    let url =
        Url::parse(text).map_err(|error| match error == ParseError::RelativeUrlWithoutBase {
            true => format!("it is not absolute, as {EXAMPLE} is"),
            false => error.to_string(),
        })?;
    if !["http", "https", "ws", "wss"].contains(&url.scheme()) {
        return Err(format!("{} is none of http, https, ws and wss", url.scheme()));
    }
    // HTTP has no use for them either.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "there is a user or password in it, which all nodes would see and log".to_owned()
        );
    }
    // It is for listening alone: who dials it comes to itself.
    let is_any = match url.host() {
        Some(Host::Ipv4(address)) => address.is_unspecified(),
        Some(Host::Ipv6(address)) => address.is_unspecified(),
        Some(Host::Domain(_)) | None => false,
    };
    if is_any {
        return Err("its host is any address".to_owned());
    }
    // A port of 0 is what somebody wrote who wanted any free one.
    match url.port() {
        Some(0) => Err("its port is 0".to_owned()),
        _ => Ok(()),
    }
}

/// Returns whether `text` can be the URL of a node.
pub(crate) fn is_url(text: &str) -> bool {
    check(text).is_ok()
}

/// Returns what is refused as it may be logged: without a password.
pub(crate) fn shown(text: &str) -> String {
    match text.rfind('@').filter(|at| text[..*at].contains(':')) {
        Some(at) => format!("…{}", &text[at..]),
        None => text.to_owned(),
    }
}

/// A good one.
const EXAMPLE: &str = "http://10.0.0.1:8080/cometd";

/// The longest one, in bytes: nodes keep and pass on many.
pub(crate) const LONGEST: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_dialled_is_a_url() {
        for good in ["http://a:8080/cometd", "https://10.0.0.1/", "ws://[::1]:8080/cometd?x=1"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_cannot_is_refused_with_the_reason() {
        for (bad, word) in [
            ("", "not absolute"),
            ("cometd", "not absolute"),
            ("/cometd", "not absolute"),
            ("a:8080", "none of"),
            ("file:///etc/passwd", "none of"),
            ("http://", "host"),
            ("http://a:99999/", "port"),
            ("http://a:0/", "port"),
            ("http://0.0.0.0:8080/cometd", "any address"),
            ("ws://[::]:8080/cometd", "any address"),
            ("http://user:word@a/", "password in it"),
            ("http://user@a/", "user or"),
            ("http://:word@a/", "password in it"),
            ("http://a/\n", "in it"),
            (" http://a/", "in it"),
            ("http://a/\0", "in it"),
        ] {
            let reason = check(bad).unwrap_err();
            assert!(reason.contains(word), "{bad:?}: {reason}");
        }
        assert!(check(&format!("http://a/{}", "x".repeat(LONGEST))).is_err());
    }

    #[test]
    fn what_is_refused_is_shown_without_a_password() {
        for with_password in ["http://user:w@rd@a/", "http:user:word@a/", "user:word@a/"] {
            assert_eq!(shown(with_password), "…@a/");
        }
        for harmless in ["http://0.0.0.0/", "", "a@b"] {
            assert_eq!(shown(harmless), harmless);
        }
    }
}
