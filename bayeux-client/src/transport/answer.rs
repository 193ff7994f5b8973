//! Reads the body of a response, up to a limit, and tells JSON from what it is not.

use ::http::{HeaderMap, header};
use bayeux_api::client::{FailureKind, TransportFailure};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use crate::transport::failure;

/// Reads a body of at most `most` bytes.
pub(super) async fn read(mut body: Incoming, most: usize) -> Result<Bytes, TransportFailure> {
    let too_large =
        || failure::http(FailureKind::TooLarge, format!("the answer is larger than {most} bytes"));
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            failure::broken(
                bayeux_api::ConnectionType::LongPolling,
                &error,
                "the connection ended in the middle of the answer",
            )
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + all.len() + data.len() > most {
            return Err(too_large());
        }
        // An answer that came at once, as most do, is not copied.
        if first.is_empty() && all.is_empty() {
            first = data;
            continue;
        }
        if all.is_empty() {
            let rest = usize::try_from(body.size_hint().lower()).unwrap_or(0).min(most);
            all.reserve(first.len() + data.len() + rest);
            all.extend_from_slice(&std::mem::take(&mut first));
        }
        all.extend_from_slice(&data);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// Checks that a body is there and starts like JSON messages do.
pub(super) fn check(headers: &HeaderMap, body: &[u8]) -> Result<(), TransportFailure> {
    let start = body.trim_ascii_start();
    match start.first() {
        Some(b'[' | b'{') => Ok(()),
        None => {
            let mut failure = failure::http(FailureKind::Invalid, "the answer is empty");
            // As CometD reports it.
            failure.http_code = Some(204);
            Err(failure)
        }
        Some(&first) => {
            let what =
                if first == b'<' || is_html(headers) { "HTML, not JSON" } else { "not JSON" };
            let reason = format!("the answer is {what}: {}", excerpt(start));
            Err(failure::http(FailureKind::Invalid, reason))
        }
    }
}

fn is_html(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.to_ascii_lowercase().contains("html"))
}

/// Returns the first characters, on one line.
fn excerpt(body: &[u8]) -> String {
    const MOST: usize = 60;
    let start = String::from_utf8_lossy(&body[..body.len().min(4 * MOST)]);
    let printable = start.chars().map(|char| if char.is_control() { ' ' } else { char });
    printable.take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use ::http::HeaderValue;

    use super::*;

    #[test]
    fn json_is_told_from_html() {
        let mut headers = HeaderMap::new();
        assert_eq!(check(&headers, b" \r\n[]"), Ok(()));
        assert_eq!(check(&headers, b"{}"), Ok(()));
        let page = check(&headers, b"<!DOCTYPE html>\n<p>hello").unwrap_err();
        assert_eq!(page.reason, "the answer is HTML, not JSON: <!DOCTYPE html> <p>hello");
        let text = check(&headers, "é".repeat(100).as_bytes()).unwrap_err();
        assert_eq!(text.reason, format!("the answer is not JSON: {}", "é".repeat(60)));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/HTML;charset=utf-8"));
        assert_eq!(check(&headers, b"[]"), Ok(()));
        let page = check(&headers, b"Welcome").unwrap_err();
        assert_eq!(page.reason, "the answer is HTML, not JSON: Welcome");
        assert_eq!(check(&headers, b" ").unwrap_err().http_code, Some(204));
    }
}
