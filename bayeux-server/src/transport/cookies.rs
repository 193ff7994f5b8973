//! The text of the browser cookie, and how it is found among others.

use std::fmt::Write as _;

use http::{HeaderMap, header};

use crate::config::{CookieConfig, SameSite};

/// Finds the first cookie of this name that may be a browser's id, whatever else the headers have: cookies
/// of other applications may be odd in any way, and `;` ends a cookie even between quotes, as it does for
/// browsers (RFC 6265, section 5.2).
pub(crate) fn browser_id<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let headers = headers.get_all(header::COOKIE).iter();
    let pairs = headers.flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(|pair| std::str::from_utf8(pair).ok()).find_map(|pair| {
        let (own, value) = pair.split_once('=')?;
        let value = value.trim();
        let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let value = unquoted.unwrap_or(value);
        (own.trim() == name && is_browser_id(value)).then_some(value)
    })
}

/// What this server sends as a browser's id, or CometD does; anything else is not remembered.
fn is_browser_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Makes a `Set-Cookie` value, its attributes in CometD's order (RFC 6265, section 4.1).
pub(crate) fn set_cookie(config: &CookieConfig, value: &str, is_secure: bool) -> String {
    let mut cookie = format!("{}={value}", config.name);
    let mut add = |attribute: std::fmt::Arguments<'_>| {
        let _ = write!(cookie, "; {attribute}");
    };
    if let Some(domain) = &config.domain {
        add(format_args!("Domain={domain}"));
    }
    if let Some(path) = &config.path {
        add(format_args!("Path={path}"));
    }
    if let Some(max_age) = config.max_age {
        add(format_args!("Max-Age={max_age}"));
    }
    if config.http_only {
        add(format_args!("HttpOnly"));
    }
    if config.secure && is_secure {
        add(format_args!("Secure"));
    }
    if let Some(same_site) = config.same_site {
        add(format_args!("SameSite={}", same_site_name(same_site)));
    }
    if config.partitioned {
        add(format_args!("Partitioned"));
    }
    cookie
}

fn same_site_name(same_site: SameSite) -> &'static str {
    match same_site {
        SameSite::Strict => "Strict",
        SameSite::Lax => "Lax",
        SameSite::None => "None",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_come_in_cometds_order() {
        let config = CookieConfig {
            domain: Some("example.org".to_owned()),
            max_age: Some(0),
            secure: true,
            same_site: Some(SameSite::None),
            partitioned: true,
            ..CookieConfig::default()
        };
        assert_eq!(
            set_cookie(&config, "x", true),
            "BAYEUX_BROWSER=x; Domain=example.org; Path=/; Max-Age=0; HttpOnly; Secure; \
             SameSite=None; Partitioned"
        );
    }

    #[test]
    fn the_default_is_short_and_secure_needs_tls() {
        let config = CookieConfig { secure: true, ..CookieConfig::default() };
        assert_eq!(set_cookie(&config, "x", false), "BAYEUX_BROWSER=x; Path=/; HttpOnly");
    }
}
