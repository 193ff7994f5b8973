//! Why an exchange failed, in words: the errors of the libraries below become [`TransportFailure`]s.

use std::{
    error::Error,
    io,
    time::{Duration, SystemTime},
};

use ::http::{HeaderMap, StatusCode, header};
use bayeux_api::{
    ConnectionType,
    client::{FailureKind, TransportFailure},
};
use tokio_rustls::rustls;

use crate::transport::tls;

/// The failure of a WebSocket upgrade as CometD reports it: a protocol error.
pub(super) const REFUSED_UPGRADE: u16 = 1002;

/// Makes the failure of an HTTP exchange.
pub(super) fn http(kind: FailureKind, reason: impl Into<String>) -> TransportFailure {
    TransportFailure::new(ConnectionType::LongPolling, kind, reason)
}

/// Makes the failure of a WebSocket, which was or is to be closed with `code`.
pub(super) fn websocket(
    kind: FailureKind,
    code: Option<u16>,
    reason: impl Into<String>,
) -> TransportFailure {
    let mut failure = TransportFailure::new(ConnectionType::WebSocket, kind, reason);
    failure.websocket_code = code;
    failure
}

/// Makes the failure of an exchange that was answered with another status than the wanted one.
pub(super) fn status(
    connection_type: ConnectionType,
    status: StatusCode,
    headers: &HeaderMap,
    reason: String,
) -> TransportFailure {
    let mut failure = TransportFailure::new(connection_type, FailureKind::Status, reason);
    failure.http_code = Some(status.as_u16());
    failure.retry_after = retry_after(headers, SystemTime::now());
    failure
}

/// Makes the failure of a connection that broke while in use.
pub(super) fn broken(
    connection_type: ConnectionType,
    error: &(dyn Error + 'static),
    otherwise: &str,
) -> TransportFailure {
    let new = |kind, reason| TransportFailure::new(connection_type, kind, reason);
    if let Some(failure) = find::<TransportFailure>(error) {
        return failure.clone();
    }
    if let Some(error) = find::<rustls::Error>(error) {
        return new(tls::kind(error, FailureKind::Closed), format!("TLS failed: {error}"));
    }
    if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
        return new(FailureKind::Invalid, format!("the answer is not HTTP: {}", root(error)));
    }
    match find::<io::Error>(error) {
        Some(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            new(FailureKind::Closed, otherwise.to_owned())
        }
        Some(error)
            if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) =>
        {
            new(FailureKind::Invalid, format!("the answer is not HTTP: {error}"))
        }
        Some(error) => new(FailureKind::Closed, format!("{otherwise}: {error}")),
        None => new(FailureKind::Closed, otherwise.to_owned()),
    }
}

/// Looks for an error of one type among `error` and its causes, inside I/O errors too.
pub(super) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = cause(error);
    }
    None
}

/// Returns the last cause of `error`, which says most.
pub(super) fn root<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut last = error;
    while let Some(next) = cause(last) {
        last = next;
    }
    last
}

/// An I/O error that wraps another has that one's cause for its own, and so would hide it.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

/// Reads `Retry-After`, which is seconds or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use ::http::HeaderValue;

    use super::*;

    fn after(value: &'static str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(value));
        let now = httpdate::parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT").unwrap();
        retry_after(&headers, now)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(after("120"), Some(Duration::from_secs(120)));
        assert_eq!(after("Wed, 21 Oct 2015 07:28:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(after("Wed, 21 Oct 2015 07:27:30 GMT"), Some(Duration::ZERO));
        assert_eq!(after("soon"), None);
        assert_eq!(after("-1"), None);
    }
}
