//! A client's own cookies: bounded, so that no server makes the client grow.

use std::{
    convert::Infallible,
    sync::{Mutex, MutexGuard},
};

use ::http::{HeaderMap, HeaderValue, header};
use bayeux_api::implement::lock;
use cookie_store::CookieStore;
use url::Url;

/// All URLs are `http` or `https` ones; those of WebSockets are changed before they come here.
#[derive(Default)]
pub(super) struct Cookies(Mutex<CookieStore>);

impl Cookies {
    /// Takes the cookies of a response. Those that are wrong, too large or too many are left out.
    pub(super) fn take(&self, url: &Url, response: &HeaderMap) {
        for value in response.get_all(header::SET_COOKIE) {
            if let Ok(text) = std::str::from_utf8(value.as_bytes()) {
                self.put(url, text);
            }
        }
    }

    pub(super) fn put(&self, url: &Url, set_cookie: &str) {
        if set_cookie.len() > MOST_BYTES {
            tracing::debug!(%url, "a cookie larger than {MOST_BYTES} bytes is ignored");
            return;
        }
        if HeaderValue::from_str(set_cookie).is_err() {
            // Beside it no other could be sent.
            tracing::debug!(%url, "a cookie with control characters is ignored");
            return;
        }
        let mut store = self.store();
        if store.iter_any().count() >= MOST_COOKIES {
            forget_expired(&mut store);
        }
        let is_full = store.iter_any().count() >= MOST_COOKIES;
        let Ok(cookie) = cookie_store::Cookie::parse(set_cookie, url) else { return };
        let is_known = store.contains_any(
            &String::from(&cookie.domain),
            &String::from(&cookie.path),
            cookie.name(),
        );
        if is_full && !is_known {
            tracing::debug!(%url, "a cookie beyond {MOST_COOKIES} is ignored");
            return;
        }
        if let Err(error) = store.insert(cookie.into_owned(), url) {
            tracing::debug!(%url, %error, "a cookie is ignored");
        }
    }

    /// Returns what a request to `url` has for its `Cookie` header.
    pub(super) fn header(&self, url: &Url) -> Option<String> {
        let store = self.store();
        let mut cookies = store.matches(url);
        if cookies.is_empty() {
            return None;
        }
        // The longer path first (RFC 6265, section 5.4); the name makes the order certain.
        cookies.sort_by(|a, b| b.path.len().cmp(&a.path.len()).then(a.name().cmp(b.name())));
        let pairs: Vec<_> = cookies
            .iter()
            .map(|cookie| {
                let (name, value) = cookie.name_value();
                format!("{name}={value}")
            })
            .collect();
        Some(pairs.join("; "))
    }

    pub(super) fn value(&self, url: &Url, name: &str) -> Option<String> {
        let store = self.store();
        let mut values = store.get_request_values(url);
        values.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
    }

    pub(super) fn clear(&self) {
        *self.store() = CookieStore::default();
    }

    fn store(&self) -> MutexGuard<'_, CookieStore> {
        lock(&self.0)
    }
}

/// Values of cookies are often secret.
impl std::fmt::Debug for Cookies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let store = self.store();
        f.debug_list().entries(store.iter_any().map(|cookie| cookie.name())).finish()
    }
}

fn forget_expired(store: &mut CookieStore) {
    let kept: Vec<_> = store.iter_unexpired().cloned().map(Ok::<_, Infallible>).collect();
    let Ok(fresh) = CookieStore::from_cookies(kept, false);
    *store = fresh;
}

/// What RFC 6265 wants of every client at least: 50 cookies of a domain, 4096 bytes each.
const MOST_COOKIES: usize = 50;
const MOST_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn cookies_go_where_they_belong() {
        let cookies = Cookies::default();
        let here = url("http://example.org/cometd");
        cookies.put(&here, "a=1");
        cookies.put(&here, "b=2; Path=/; Expires=Wed, 21 Oct 2199 07:28:00 GMT");
        cookies.put(&here, "long=3; Path=/cometd/deep");
        cookies.put(&here, "s=4; Secure; Path=/");
        cookies.put(&here, "other=5; Domain=example.com");
        assert_eq!(cookies.header(&here).as_deref(), Some("a=1; b=2"));
        let deep = url("http://example.org/cometd/deep");
        assert_eq!(cookies.header(&deep).as_deref(), Some("long=3; a=1; b=2"));
        assert_eq!(cookies.header(&url("http://example.com/cometd")), None);
        assert_eq!(cookies.header(&url("http://sub.example.org/cometd")), None);
        assert_eq!(cookies.value(&here, "b").as_deref(), Some("2"));
        let secure = url("https://example.org/");
        assert_eq!(cookies.header(&secure).as_deref(), Some("a=1; b=2; s=4"));
        cookies.clear();
        assert_eq!(cookies.header(&here), None);
    }

    #[test]
    fn a_cookie_ends_by_date_or_age() {
        let cookies = Cookies::default();
        let here = url("http://example.org/");
        cookies.put(&here, "a=1; Expires=Wed, 21 Oct 2199 07:28:00 GMT");
        cookies.put(&here, "b=2; Max-Age=1000");
        assert_eq!(cookies.header(&here).as_deref(), Some("a=1; b=2"));
        cookies.put(&here, "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
        cookies.put(&here, "b=; Max-Age=0");
        assert_eq!(cookies.header(&here), None);
    }

    #[test]
    fn number_and_size_are_bounded() {
        let cookies = Cookies::default();
        let here = url("http://example.org/");
        for number in 0..1000 {
            cookies.put(&here, &format!("c{number}=1; Path=/p{number}"));
        }
        cookies.put(&here, &format!("large={}", "x".repeat(5000)));
        assert_eq!(cookies.store().iter_any().count(), MOST_COOKIES);

        cookies.put(&url("http://example.org/p0"), "c0=2; Path=/p0");
        assert_eq!(cookies.value(&url("http://example.org/p0"), "c0").as_deref(), Some("2"));
        cookies.put(&url("http://example.org/p1"), "c1=; Path=/p1; Max-Age=0");
        cookies.put(&here, "new=1");
        assert_eq!(cookies.value(&here, "new").as_deref(), Some("1"));
    }

    #[test]
    fn one_odd_cookie_hides_no_other() {
        let here = url("http://127.0.0.1/");
        for odd in [
            "odd=a\u{7f}",
            "odd=a\nb",
            "odd=a\0",
            "odd=\u{fc}",
            "odd=\"open",
            "odd=1; Max-Age=99999999999999999999",
            "odd=1; Max-Age=-99999999999999999999",
            "odd=1; Max-Age=9223372036854775807",
            "odd=1; Max-Age=-9223372036854775808",
            "odd=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT",
            "odd=1; Expires=Fri, 31 Dec 99999 23:59:59 GMT",
            "odd=1; Expires=Mon, 01 Jan 0000 00:00:00 GMT",
            "odd=1; Domain=",
            "odd=1; Domain=.",
            "odd=1; Domain=..",
            "odd=1; Domain=0.1",
            "odd=1; Domain=xn--",
            "odd=1; Path=\u{fc}",
            "=odd",
            "odd",
            ";",
            "",
        ] {
            let cookies = Cookies::default();
            cookies.put(&here, "mine=1");
            cookies.put(&here, odd);
            let header = cookies.header(&here).unwrap();
            assert!(header.split("; ").any(|pair| pair == "mine=1"), "{odd:?}: {header}");
            assert!(::http::HeaderValue::from_str(&header).is_ok(), "{odd:?}: {header:?}");
        }
        let cookies = Cookies::default();
        cookies.put(&here, "mine=1; Domain=127.0.0.1");
        assert_eq!(cookies.header(&here).as_deref(), Some("mine=1"));
    }
}
