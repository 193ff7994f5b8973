//! The headers that all requests of a client have, and what is done with those of the answers.

use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use bayeux_api::Flow;
use url::Url;

use crate::transport::Inner;

/// Adds the configured headers and the cookies to `own`, and lets the hook have its way with them.
pub(super) async fn of_request(network: &Inner, url: &Url, own: HeaderMap) -> HeaderMap {
    let mut headers = own;
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    for name in network.config.headers.keys() {
        headers.remove(name);
        for value in network.config.headers.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    add_cookies(&mut headers, network.cookies.header(url).as_deref());
    if let Some(hook) = &network.config.hook {
        hook.request(&mut headers).await;
    }
    for name in NOT_FOR_THE_USER {
        headers.remove(name);
    }
    headers
}

/// Keeps the cookies of an answer and shows it to the hook.
pub(super) fn of_response(
    network: &Inner,
    url: &Url,
    status: StatusCode,
    headers: &HeaderMap,
) -> Flow {
    network.cookies.take(url, headers);
    match &network.config.hook {
        Some(hook) => hook.response(status, headers),
        None => Flow::Continue,
    }
}

/// There may be but one `Cookie` header, so that those of the configuration come first in it.
fn add_cookies(headers: &mut HeaderMap, stored: Option<&str>) {
    let configured = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
    let all: Vec<_> = configured.chain(stored.map(str::as_bytes)).collect();
    if all.is_empty() {
        return;
    }
    if let Ok(mut value) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
        value.set_sensitive(true);
        headers.insert(header::COOKIE, value);
    }
}

/// What belongs to the connection: a wrong one would break the framing of messages on it.
const NOT_FOR_THE_USER: [HeaderName; 10] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_EXTENSIONS,
    header::SEC_WEBSOCKET_PROTOCOL,
];

const USER_AGENT: &str = concat!("bayeux-client/", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_cookies_are_in_one_header() {
        for (configured, stored, expected) in [
            (&[][..], None, None),
            (&[], Some("s=1"), Some("s=1")),
            (&["a=1"], Some("s=1"), Some("a=1; s=1")),
            (&["a=1", "b=2"], Some("s=1"), Some("a=1; b=2; s=1")),
            (&["a=1", "b=2"], None, Some("a=1; b=2")),
        ] {
            let mut headers = HeaderMap::new();
            for value in configured {
                headers.append(header::COOKIE, value.parse().unwrap());
            }
            add_cookies(&mut headers, stored);
            let all: Vec<_> = headers.get_all(header::COOKIE).iter().collect();
            assert_eq!(all, Vec::from_iter(expected), "{configured:?} {stored:?}");
        }
    }
}
