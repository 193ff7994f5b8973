//! The long-polling transport: messages posted over HTTP, by connections that are kept for the next
//! request.

use std::{fmt, sync::Mutex, time::Duration};

use ::http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use bayeux_api::{
    ConnectionType, Flow,
    client::{FailureKind, TransportFailure},
    implement::lock,
};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, body::Incoming};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use url::Url;

use crate::transport::{
    Inner, answer,
    dialer::Dialer,
    failure::{self, find},
    headers,
    redirect::Redirect,
    settings::Http2,
};

/// Posts messages and returns what answers them, following redirects that stay with the host.
///
/// A request is repeated for a redirect, which says that the server did not process it, or when it was
/// not written at all because a kept connection turned out to be closed; never otherwise.
pub(super) async fn post(
    network: &Inner,
    url: &Url,
    body: Bytes,
) -> Result<Bytes, TransportFailure> {
    let mut url = http_url(url);
    let mut redirects = 0;
    loop {
        let response = exchange(network, &url, body.clone()).await?;
        let redirect = Redirect::of(&url, response.status(), response.headers());
        match redirect {
            None => return finish(response, network.config.max_message_size).await,
            Some(Redirect::Follow(target)) if redirects < MOST_REDIRECTS => {
                tracing::debug!(from = %url, to = %target, "redirected");
                redirects += 1;
                url = target;
            }
            Some(Redirect::Follow(target)) => {
                let reason = format!("more than {MOST_REDIRECTS} redirects, the last to {target}");
                return Err(refused(&response, reason));
            }
            Some(ask) => {
                let reason = format!("{}: {}", says(&response), ask.advice());
                return Err(refused(&response, reason));
            }
        }
    }
}

/// The HTTP client with its pool of connections, made when it is first needed.
#[derive(Default)]
pub(super) struct Engine(Mutex<Option<HttpClient>>);

type HttpClient = Client<Dialer, Full<Bytes>>;

impl Engine {
    /// Forgets all connections; those in use end after their exchange.
    pub(super) fn close(&self) {
        lock(&self.0).take();
    }

    fn client(&self, network: &Inner) -> HttpClient {
        let mut client = lock(&self.0);
        client.get_or_insert_with(|| start(&network.dialer, network.config.http2)).clone()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}

async fn exchange(
    network: &Inner,
    url: &Url,
    body: Bytes,
) -> Result<Response<Incoming>, TransportFailure> {
    let mut own = HeaderMap::new();
    own.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json;charset=UTF-8"));
    own.insert(header::ACCEPT, HeaderValue::from_static("application/json, */*;q=0.1"));
    let headers = headers::of_request(network, url, own).await;

    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri(url)
        .ok_or_else(|| failure::http(FailureKind::Unreachable, format!("{url} cannot be sent")))?;
    *request.headers_mut() = headers;

    let response = network.engine.client(network).request(request).await;
    let response = response.map_err(|error| no_answer(&error))?;
    match headers::of_response(network, url, response.status(), response.headers()) {
        Flow::Continue => Ok(response),
        Flow::Stop => Err(failure::http(
            FailureKind::Aborted,
            format!("the application's hook stopped the answer {}", response.status()),
        )),
    }
}

async fn finish(response: Response<Incoming>, most: usize) -> Result<Bytes, TransportFailure> {
    if response.status() != ::http::StatusCode::OK {
        return Err(refused(&response, says(&response)));
    }
    let (head, body) = response.into_parts();
    let body = answer::read(body, most).await?;
    answer::check(&head.headers, &body)?;
    Ok(body)
}

fn says(response: &Response<Incoming>) -> String {
    format!("the server answered {}", response.status())
}

fn refused(response: &Response<Incoming>, reason: String) -> TransportFailure {
    let (status, headers) = (response.status(), response.headers());
    failure::status(ConnectionType::LongPolling, status, headers, reason)
}

fn no_answer(error: &hyper_util::client::legacy::Error) -> TransportFailure {
    let is_cut = find::<hyper::Error>(error).is_some_and(hyper::Error::is_incomplete_message);
    if is_cut {
        return failure::http(FailureKind::Closed, "the connection ended before the answer");
    }
    failure::broken(ConnectionType::LongPolling, error, "the connection ended before the answer")
}

fn start(dialer: &Dialer, http2: Http2) -> HttpClient {
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(60))
        .pool_max_idle_per_host(2)
        .http1_max_buf_size(64 * 1024)
        .http2_only(http2 == Http2::PriorKnowledge)
        // What a server may send before it is read, so that it is within what is allowed.
        .http2_initial_stream_window_size(256 * 1024)
        .http2_initial_connection_window_size(512 * 1024)
        // A dead HTTP/2 connection would otherwise be used for every further request.
        .http2_keep_alive_interval(Duration::from_secs(20))
        .http2_keep_alive_timeout(Duration::from_secs(10))
        .build(dialer.clone())
}

/// Returns `url` as HTTP has it: without fragment, user and password, and by the scheme `http`.
pub(super) fn http_url(url: &Url) -> Url {
    let mut text = url.clone();
    text.set_fragment(None);
    let _ = text.set_username("");
    let _ = text.set_password(None);
    let scheme = match url.scheme() {
        "ws" => "http",
        "wss" => "https",
        _ => return text,
    };
    // Also where the URL says a port that is the default of its scheme, since both have the same.
    let _ = text.set_scheme(scheme);
    text
}

/// Returns the URI that is sent. A `Url` may hold characters that a request line must not.
pub(super) fn uri(url: &Url) -> Option<Uri> {
    url.as_str().parse().ok()
}

const MOST_REDIRECTS: usize = 5;
