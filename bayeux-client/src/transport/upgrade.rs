//! How a WebSocket is opened: an HTTP request that the server answers by changing the protocol.

use ::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use bayeux_api::{
    ConnectionType, Flow,
    client::{FailureKind, TransportFailure},
};
use tokio_tungstenite::{
    client_async_with_config,
    tungstenite::{self, error::ProtocolError, handshake::client::generate_key},
};
use url::Url;

use crate::transport::{
    Inner,
    failure::{self, REFUSED_UPGRADE},
    headers,
    http::{http_url, uri},
    redirect::Redirect,
    socket::{Socket, limits},
};

/// Opens a WebSocket. The connection has the time that is allowed for one, and so has its upgrade.
pub(super) async fn open(network: &Inner, url: &Url) -> Result<Socket, TransportFailure> {
    let url = http_url(url);
    let request = request(network, &url).await?;
    let dialer = network.dialer.for_websockets();
    let uri = request.uri().clone();
    let stream = dialer.dial(&uri).await?;
    let upgrading = async {
        let limits = Some(limits(network.config.max_message_size));
        match client_async_with_config(request, stream, limits).await {
            Ok((socket, answer)) => {
                let (status, headers) = (answer.status(), answer.headers());
                show(network, &url, status, headers)?;
                Ok(Socket::new(socket, &network.config))
            }
            Err(error) => Err(refusal(network, &url, &error)),
        }
    };
    let timeout = network.config.connect_timeout;
    tokio::time::timeout(timeout, upgrading).await.unwrap_or_else(|_| {
        let reason = format!("the server did not answer the upgrade within {timeout:?}");
        Err(failure::websocket(FailureKind::Timeout, None, reason))
    })
}

async fn request(network: &Inner, url: &Url) -> Result<Request<()>, TransportFailure> {
    let no_url = || {
        let reason = format!("{url} is no URL of a server; give it as ws://host/path");
        failure::websocket(FailureKind::Unreachable, None, reason)
    };
    let mut websocket_url = url.clone();
    let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
    websocket_url.set_scheme(scheme).map_err(|()| no_url())?;
    let uri = uri(&websocket_url).ok_or_else(no_url)?;
    let host = uri.authority().ok_or_else(no_url)?.as_str();

    let mut own = HeaderMap::new();
    own.insert(header::HOST, HeaderValue::from_str(host).map_err(|_| no_url())?);
    let mut headers = headers::of_request(network, url, own).await;
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    let key = HeaderValue::try_from(generate_key()).expect("base64 can be in a header");
    headers.insert(header::SEC_WEBSOCKET_KEY, key);
    if let Some(protocol) = &network.config.websocket_protocol {
        let protocol = HeaderValue::from_str(protocol).expect("checked when the network was made");
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }

    let mut request = Request::new(());
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

fn show(
    network: &Inner,
    url: &Url,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<(), TransportFailure> {
    match headers::of_response(network, url, status, headers) {
        Flow::Continue => Ok(()),
        Flow::Stop => {
            let reason = format!("the application's hook stopped the answer {status}");
            Err(failure::websocket(FailureKind::Aborted, None, reason))
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the variants depend on tungstenite's features")]
fn refusal(network: &Inner, url: &Url, error: &tungstenite::Error) -> TransportFailure {
    match error {
        tungstenite::Error::Http(answer) => {
            let (status, headers) = (answer.status(), answer.headers());
            match show(network, url, status, headers) {
                Ok(()) => refused(url, status, headers),
                Err(stopped) => stopped,
            }
        }
        tungstenite::Error::Protocol(ProtocolError::HandshakeIncomplete) => failure::websocket(
            FailureKind::Closed,
            None,
            "the connection ended before the WebSocket was open",
        ),
        tungstenite::Error::Io(error) => failure::broken(
            ConnectionType::WebSocket,
            error,
            "the connection ended before the WebSocket was open",
        ),
        error => failure::websocket(
            FailureKind::Invalid,
            Some(REFUSED_UPGRADE),
            format!("the server does not open a WebSocket as it should: {error}"),
        ),
    }
}

fn refused(url: &Url, status: StatusCode, headers: &HeaderMap) -> TransportFailure {
    let mut reason = format!("the server refused the WebSocket: it answered {status}");
    if let Some(redirect) = Redirect::of(url, status, headers) {
        reason = format!("{reason}: {}", redirect.advice());
    }
    let mut failure = failure::status(ConnectionType::WebSocket, status, headers, reason);
    failure.websocket_code = Some(REFUSED_UPGRADE);
    failure
}
