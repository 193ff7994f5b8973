//! The text of the browser cookie.

use std::fmt::Write as _;

use crate::config::{CookieConfig, SameSite};

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
