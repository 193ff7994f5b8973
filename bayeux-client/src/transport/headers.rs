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
    add_cookies(&mut headers, network.cookies.header(url));
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
fn add_cookies(headers: &mut HeaderMap, stored: Option<String>) {
    let Some(stored) = stored else { return };
    let value = match headers.get(header::COOKIE) {
        None => HeaderValue::from_str(&stored),
        Some(configured) => {
            HeaderValue::from_bytes(&[configured.as_bytes(), b"; ", stored.as_bytes()].concat())
        }
    };
    if let Ok(mut value) = value {
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
