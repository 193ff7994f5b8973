//! From failures to HTTP statuses: the only place that pairs them.

use bayeux_api::DecodeError;
use http::{Response, StatusCode, header};

use crate::transport::Body;

/// Why a request gets no messages.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("the request breaks off")]
    Broken,
    #[error("the request did not arrive within {0} ms")]
    Slow(u128),
    #[error("the request has no message")]
    NoMessage,
    #[error("unknown charset {0:?}")]
    Charset(String),
    #[error("the request is not in {0}, as it says")]
    Miscoded(&'static str),
    #[error("a body that is encoded cannot be read, here as {0:?}")]
    Encoding(String),
    #[error("a request over HTTP/1.1 has exactly one Host, and only a host in it")]
    Host,
    #[error("Unknown Bayeux Transport")]
    UnknownTransport,
    #[error("no Bayeux at this path")]
    NotFound,
    #[error("pages of this origin may not talk to this server")]
    Origin,
    #[error("another /meta/connect of the session took the place of this one")]
    Overtaken(u16),
    #[error("the server failed")]
    Failed,
    #[error("the server is stopping")]
    Stopping,
    #[error("not a WebSocket upgrade: {0}")]
    Upgrade(&'static str),
}

impl Failure {
    fn status(&self) -> StatusCode {
        match self {
            Self::Decode(DecodeError::TooLarge(_) | DecodeError::TooMany(_)) => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Decode(_)
            | Self::Broken
            | Self::NoMessage
            | Self::Miscoded(_)
            | Self::Host
            | Self::UnknownTransport
            | Self::Upgrade(_) => StatusCode::BAD_REQUEST,
            Self::Charset(_) | Self::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Slow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Overtaken(status) => {
                StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Whether the rest of the request may still be under way, so that the connection is of no
    /// further use.
    fn closes(&self) -> bool {
        matches!(
            self,
            Self::Decode(DecodeError::TooLarge(_)) | Self::Broken | Self::Host | Self::Slow(_)
        )
    }

    pub(crate) fn is_malformed(&self) -> bool {
        matches!(
            self,
            Self::Decode(_)
                | Self::Broken
                | Self::NoMessage
                | Self::Charset(_)
                | Self::Miscoded(_)
                | Self::Encoding(_)
                | Self::Host
                | Self::Upgrade(_)
        )
    }

    pub(crate) fn response(&self) -> Response<Body> {
        let mut text = self.to_string();
        if let Some(cause) = std::error::Error::source(self) {
            text = format!("{text}: {cause}");
        }
        let mut response = Response::new(Body::text(text + "\n"));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static("text/plain;charset=UTF-8"),
        );
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
        if self.closes() {
            headers.insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        }
        if matches!(self, Self::Encoding(_)) {
            headers.insert(header::ACCEPT_ENCODING, header::HeaderValue::from_static("identity"));
        }
        if matches!(self, Self::Stopping) {
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        }
        response
    }
}
