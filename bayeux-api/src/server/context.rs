//! What carried a message: the HTTP request, or the one that opened the WebSocket.

use std::{fmt, net::SocketAddr};

use http::{Extensions, HeaderMap, Uri, Version};

/// The carrier of a message: one per HTTP request, one per WebSocket connection.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct BayeuxContext {
    /// The client's address, if the listener told it: that of the peer or, if the peer is a proxy that the
    /// server trusts, what it says. The port is zero if it says none.
    #[doc(alias = "getRemoteAddress")]
    pub remote_address: Option<SocketAddr>,
    /// This end's address, if the listener told it.
    #[doc(alias = "getLocalAddress")]
    pub local_address: Option<SocketAddr>,
    /// The URL as it was requested.
    #[doc(alias = "getURL")]
    pub uri: Uri,
    /// The protocol's version.
    #[doc(alias = "getProtocol")]
    pub version: Version,
    /// All headers.
    pub headers: HeaderMap,
    /// What the layers before the server put there, such as a [`Principal`].
    #[doc(alias = "getRequestAttribute")]
    pub extensions: Extensions,
    /// Whether the client's request came over TLS, to the server or to a proxy that is believed.
    pub is_secure: bool,
}

impl BayeuxContext {
    /// Returns the first header of this name, if it is text.
    #[doc(alias = "getHeader")]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns all headers of this name that are text.
    #[doc(alias = "getHeaderValues")]
    pub fn header_values(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
    }

    /// Returns the first cookie of this name, if it is text.
    #[doc(alias = "getCookie")]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let headers = self.headers.get_all(http::header::COOKIE).iter();
        headers
            .flat_map(|value| cookies(value.as_bytes()))
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Returns who the layers before the server found the user to be.
    #[doc(alias = "getUserPrincipal")]
    pub fn principal(&self) -> Option<&Principal> {
        self.extensions.get()
    }

    /// Returns whether the user has this role.
    pub fn is_user_in_role(&self, role: &str) -> bool {
        self.principal().is_some_and(|user| user.roles.iter().any(|own| own == role))
    }

    /// Returns the languages that the user prefers, best first.
    #[doc(alias = "getLocales")]
    pub fn locales(&self) -> Vec<&str> {
        let mut weighed: Vec<(f32, &str)> = self
            .header_values("accept-language")
            .into_iter()
            .flat_map(|value| value.split(','))
            .filter_map(|item| {
                let mut parts = item.split(';').map(str::trim);
                let name = parts.next().filter(|name| !name.is_empty())?;
                let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
                Some((weight.unwrap_or(1.0), name))
            })
            .collect();
        weighed.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        weighed.into_iter().map(|(_, name)| name).collect()
    }
}

impl fmt::Debug for BayeuxContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BayeuxContext")
            .field("remote_address", &self.remote_address)
            .field("path", &self.uri.path())
            .finish_non_exhaustive()
    }
}

/// The user of a request. A layer that authenticates puts it into the request's extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Principal {
    /// The user's name.
    pub name: String,
    /// What the user may be.
    pub roles: Vec<String>,
}

impl Principal {
    /// Makes a user of this name who may be all of `roles`.
    pub fn new<R: Into<String>>(
        name: impl Into<String>,
        roles: impl IntoIterator<Item = R>,
    ) -> Self {
        Self { name: name.into(), roles: roles.into_iter().map(Into::into).collect() }
    }
}

/// Reads one `Cookie` header: pairs of a name and a value that may be quoted. What is not a pair of two
/// texts, and attributes as in `$Version`, is passed over (RFC 6265, section 5.4, and RFC 2109).
fn cookies(header: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = header;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (pair, after) = rest.split_at(cookie_end(rest));
            rest = after.get(1..).unwrap_or_default();
            let Some((name, value)) = pair_of(pair) else { continue };
            if name.is_empty() || name.starts_with('$') {
                continue;
            }
            let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            return Some((name, unquoted.unwrap_or(value)));
        }
        None
    })
}

fn pair_of(pair: &[u8]) -> Option<(&str, &str)> {
    let (name, value) = std::str::from_utf8(pair).ok()?.split_once('=')?;
    Some((name.trim(), value.trim()))
}

/// Where the first pair ends: at a `;` or `,`, but not in a value that is quoted whole.
fn cookie_end(header: &[u8]) -> usize {
    let is_end = |byte: &u8| matches!(byte, b';' | b',');
    let plain = header.iter().position(is_end).unwrap_or(header.len());
    let Some(equals) = header[..plain].iter().position(|byte| *byte == b'=') else { return plain };
    let value = header[equals + 1..].trim_ascii_start();
    let Some(quoted) = value.strip_prefix(b"\"") else { return plain };
    let Some(close) = quoted.iter().position(|byte| *byte == b'"') else { return plain };
    let after = quoted[close + 1..].trim_ascii_start();
    match after.first() {
        // A quote that closes elsewhere is a character like others.
        Some(byte) if !is_end(byte) => plain,
        Some(_) | None => header.len() - after.len(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn context(name: &'static str, values: &[&'static str]) -> BayeuxContext {
        let mut context = BayeuxContext::default();
        for value in values {
            context.headers.append(name, value.parse().unwrap());
        }
        context
    }

    #[test]
    fn cookies_come_in_many_spellings() {
        let context = context(
            "cookie",
            &[r#"$Version=1; a = "x;y" ; $Path=/; b=2,c=3"#, "=lost; d; e=a=b; f=\"open"],
        );
        for (name, value) in [("a", "x;y"), ("b", "2"), ("c", "3"), ("e", "a=b"), ("f", "\"open")] {
            assert_eq!(context.cookie(name), Some(value), "{name}");
        }
        for name in ["", "d", "$Version", "z"] {
            assert_eq!(context.cookie(name), None, "{name}");
        }
    }

    #[test]
    fn one_odd_cookie_hides_no_other() {
        for odd in
            ["city=Z\u{fc}rich", "q=\"open", "q=\"a\"b", "q=a\"b;r=\"", "=", "q", "q=\"a;b\"c"]
        {
            for header in [format!("{odd}; mine=1"), format!("mine=1; {odd}")] {
                let mut context = BayeuxContext::default();
                context
                    .headers
                    .append("cookie", HeaderValue::from_bytes(header.as_bytes()).unwrap());
                assert_eq!(context.cookie("mine"), Some("1"), "{header}");
            }
        }
        let mut context = BayeuxContext::default();
        let latin = HeaderValue::from_bytes(b"city=Z\xfcrich; mine=1").unwrap();
        context.headers.append("cookie", latin);
        assert_eq!((context.cookie("city"), context.cookie("mine")), (None, Some("1")));
    }

    #[test]
    fn header_names_have_no_case() {
        assert_eq!(context("x-name", &["v"]).header("X-NAME"), Some("v"));
    }

    #[test]
    fn locales_are_sorted_by_weight() {
        let context = context("accept-language", &["en;q=0.5, de, fr;q=0.7"]);
        assert_eq!(context.locales(), ["de", "fr", "en"]);
    }

    #[test]
    fn roles_come_from_the_principal() {
        let mut context = BayeuxContext::default();
        assert!(!context.is_user_in_role("admin"));
        context.extensions.insert(Principal::new("me", ["admin"]));
        assert!(context.is_user_in_role("admin"));
    }
}
