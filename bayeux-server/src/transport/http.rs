//! The HTTP face of a server, as a tower service.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bayeux_api::{ConnectionType, Limits, Message, server::BayeuxContext};
use bytes::Buf;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header, request::Parts,
};
use tower_service::Service;
use tracing::{Level, field::display};

use crate::{
    exchange::{Outcome, Parcel, Tab, Visit, is_greeting},
    proto::browsers::BrowserId,
    server::Server,
    transport::{
        Body, Peer,
        cookies::{browser_id, set_cookie},
        forwarded::Client,
        json, jsonp,
        line::Line,
        request::{self, context, is_allowed_origin},
        status::Failure,
        websocket,
    },
};

/// A [`Server`] as a service over HTTP requests: mount it in axum, in hyper, or in whatever else
/// takes a tower service. WebSocket upgrades need a connection that hyper serves with upgrades.
///
/// Below its path every URL is the same, as in CometD, whose clients append `/handshake`,
/// `/connect` and so on.
#[derive(Clone, Debug)]
#[doc(alias("CometDServlet", "CometDHandler"))]
pub struct BayeuxService {
    server: Server,
    /// The ends of the one connection that it serves, if it serves one.
    peer: Option<Peer>,
    /// That connection, if it is one of HTTP/1.1.
    line: Option<Arc<Line>>,
}

impl Server {
    /// Returns the HTTP face of this server.
    pub fn service(&self) -> BayeuxService {
        BayeuxService { server: self.clone(), peer: None, line: None }
    }

    /// Returns the HTTP face for one connection, which tells requests from where they come without
    /// putting that into each.
    pub(crate) fn service_for(&self, peer: Peer, line: Arc<Line>) -> BayeuxService {
        BayeuxService { server: self.clone(), peer: Some(peer), line: Some(line) }
    }
}

/// A response on its way.
pub(crate) type Responding =
    Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl BayeuxService {
    pub(crate) fn respond<B>(&self, request: Request<B>) -> Responding
    where
        B: http_body::Body<Data: Buf + Send> + Send + 'static,
    {
        let (server, version) = (self.server.clone(), request.version());
        // Over HTTP/2 it is many clients' at once.
        let line = self.line.as_ref().or_else(|| request.extensions().get::<Arc<Line>>());
        let line = line.filter(|_| version < Version::HTTP_2).cloned();
        if let Some(line) = &line {
            line.end();
        }
        // Boxed by itself, so that a request that is held for long has no place for it.
        let received = Box::pin(receive(server.clone(), self.peer, request));
        Box::pin(async move { Ok(respond(&server, version, line.as_deref(), received).await) })
    }
}

impl<B> Service<Request<B>> for BayeuxService
where
    B: http_body::Body<Data: Buf + Send> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Responding;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.respond(request)
    }
}

/// A request that was read.
enum Received {
    /// It needs no messages to be answered.
    Answered(Response<Body>),
    Messages {
        form: Form,
        visit: Visit,
        cookie: Option<HeaderValue>,
        messages: Vec<Message>,
    },
}

async fn respond(
    server: &Server,
    version: Version,
    line: Option<&Line>,
    received: impl Future<Output = Result<Received, Failure>>,
) -> Response<Body> {
    let (mut response, is_last) = match try_to_respond(server, line, received).await {
        Ok(answered) => answered,
        Err(failure) => {
            if failure.is_malformed() {
                server.0.counters.malformed.increment();
            }
            (failure.response(), false)
        }
    };
    if is_last || server.0.is_stopped() {
        end_connection(version, &mut response);
    }
    response
}

/// Says that the connection is closed after this response. hyper says so of what it begins to write after it
/// was told to end, and a client that was not told asks again on the connection while that is closed.
fn end_connection(version: Version, response: &mut Response<Body>) {
    let is_kept =
        version >= Version::HTTP_2 || response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if !is_kept {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Returns the response, and whether it is the last one of its connection.
async fn try_to_respond(
    server: &Server,
    line: Option<&Line>,
    received: impl Future<Output = Result<Received, Failure>>,
) -> Result<(Response<Body>, bool), Failure> {
    let (form, visit, cookie, messages) = match received.await? {
        Received::Answered(response) => return Ok((response, false)),
        Received::Messages { form, visit, cookie, messages } => (form, visit, cookie, messages),
    };
    let config = &server.0.config.http;
    match visit.respond(messages).await {
        Outcome::Parcel(parcel) => {
            let is_last = parcel.sends_away();
            Ok((form.response(*parcel, cookie, config.response_timeout, line), is_last))
        }
        Outcome::Overtaken => {
            tracing::debug!("a connect was overtaken");
            Err(Failure::Overtaken(config.duplicate_meta_connect_status))
        }
        Outcome::Failed => Err(Failure::Failed),
    }
}

/// Reads a request, up to its messages; logs who sent one that is refused.
async fn receive<B>(
    server: Server,
    peer: Option<Peer>,
    request: Request<B>,
) -> Result<Received, Failure>
where
    B: http_body::Body<Data: Buf + Send> + Send + 'static,
{
    let peer = request.extensions().get().copied().or(peer);
    let is_logged = tracing::enabled!(Level::DEBUG);
    let proxies = &server.0.config.proxies;
    let client = is_logged.then(|| Client::of(request.headers(), peer, proxies));
    let received = read(&server, peer, request).await;
    if let Err(failure) = &received {
        let address = client.and_then(|client| client.address).map(display);
        tracing::debug!(%failure, address, "request refused");
    }
    received
}

async fn read<B>(
    server: &Server,
    peer: Option<Peer>,
    request: Request<B>,
) -> Result<Received, Failure>
where
    B: http_body::Body<Data: Buf + Send> + Send + 'static,
{
    admit(server, &request, peer.is_some())?;
    if websocket::is_upgrade(&request) {
        return websocket::upgrade(server, peer, request).map(Received::Answered);
    }
    let (parts, body) = request.into_parts();
    if parts.method == Method::OPTIONS {
        // Empty, so that a layer in front can answer preflights.
        return Ok(Received::Answered(Response::new(Body::default())));
    }
    let (form, messages) = read_messages(server, &parts, body).await?;
    let context = Arc::new(context(parts, peer, &server.0.config.proxies));
    let (visit, cookie) = visit(server, &form, context, &messages);
    Ok(Received::Messages { form, visit, cookie, messages })
}

/// Checks what can be told from the request's head.
fn admit<B>(server: &Server, request: &Request<B>, is_served: bool) -> Result<(), Failure> {
    let config = &server.0.config;
    if server.0.is_stopped() {
        return Err(Failure::Stopping);
    }
    if !has_host(request, is_served) {
        return Err(Failure::Host);
    }
    if !is_mapped(&config.url_mapping, request.uri().path()) {
        return Err(Failure::NotFound);
    }
    if !is_allowed_origin(request.uri(), request.headers(), config.allowed_origins.as_deref()) {
        return Err(Failure::Origin);
    }
    Ok(())
}

/// Whether the request says at most once for whom it is; and if it came over a connection, once: with none,
/// with two, or with what is no host, a proxy may take it for another's (RFC 9112, section 3.2). Over HTTP/2
/// it is in the URI.
fn has_host<B>(request: &Request<B>, is_served: bool) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => !(is_served && request.version() == Version::HTTP_11),
        (Some(host), None) => is_host(host.as_bytes()),
        (Some(_), Some(_)) => false,
    }
}

/// Whether this is a name or an address, and perhaps a port. It is empty if what is asked for has no host.
fn is_host(host: &[u8]) -> bool {
    let is_in_brackets = host.first() == Some(&b'[');
    let end = host.iter().position(|byte| *byte == if is_in_brackets { b']' } else { b':' });
    let (name, rest) = match end {
        Some(end) if is_in_brackets => (&host[1..end], &host[end + 1..]),
        None if is_in_brackets => return false,
        end => host.split_at(end.unwrap_or(host.len())),
    };
    let is_in_name = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || b"-._~%!$&'()*+;=".contains(byte)
            || is_in_brackets && *byte == b':'
    };
    let is_port =
        |rest: &[u8]| rest.first() == Some(&b':') && rest[1..].iter().all(u8::is_ascii_digit);
    name.iter().all(is_in_name) && (rest.is_empty() || is_port(rest))
}

/// Checks that the body is as it was written.
fn check_encoding(headers: &HeaderMap) -> Result<(), Failure> {
    let values = headers.get_all(header::CONTENT_ENCODING).iter();
    let mut codings = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let changes = |coding: &[u8]| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity");
    match codings.find(|coding| changes(coding.trim_ascii())) {
        None => Ok(()),
        Some(coding) => Err(Failure::Encoding(String::from_utf8_lossy(coding.trim_ascii()).into())),
    }
}

fn is_mapped(mapping: &[String], path: &str) -> bool {
    let is_below = |base: &str| path.strip_prefix(base).is_some_and(|rest| rest.starts_with('/'));
    mapping.is_empty()
        || mapping.iter().any(|one| {
            let base =
                one.trim_start_matches('/').trim_end_matches("/*").trim_end_matches(['/', '*']);
            let base = if base.is_empty() { String::new() } else { format!("/{base}") };
            let base = base.as_str();
            path == base || is_below(base)
        })
}

/// How the response looks.
enum Form {
    Json,
    Callback(String),
}

/// Reads the messages by the first transport that takes the request.
async fn read_messages<B>(
    server: &Server,
    parts: &Parts,
    body: B,
) -> Result<(Form, Vec<Message>), Failure>
where
    B: http_body::Body<Data: Buf>,
{
    let config = &server.0.config;
    let is_allowed = |transport| config.allowed_transports.contains(&transport);
    if parts.method == Method::POST && is_allowed(ConnectionType::LongPolling) {
        let limits = server.limits(ConnectionType::LongPolling);
        let bytes = request::read(body, limits.size, config.http.request_timeout).await?;
        check_encoding(&parts.headers)?;
        return Ok((Form::Json, json::read(&parts.headers, &bytes, &limits)?));
    }
    let query = parts.uri.query().unwrap_or_default();
    if parts.method == Method::GET
        && is_allowed(ConnectionType::CallbackPolling)
        && let Some(callback) = jsonp::callback(query, &config.jsonp)
    {
        let limits = server.limits(ConnectionType::CallbackPolling);
        return Ok((Form::Callback(callback), jsonp::read(query, &limits)?));
    }
    Err(Failure::UnknownTransport)
}

/// Tells who asks, and with which cookie the response answers if it starts a session.
fn visit(
    server: &Server,
    form: &Form,
    context: Arc<BayeuxContext>,
    messages: &[Message],
) -> (Visit, Option<HeaderValue>) {
    let config = &server.0.config.http;
    let mut browser =
        browser_id(&context.headers, &config.cookie.name).map(|id| BrowserId(id.into()));
    let mut cookie = None;
    if browser.is_none() && is_greeting(messages) {
        let id = server.0.ids.browser();
        cookie = set_cookie(&config.cookie, &id, context.is_secure).parse().ok();
        browser = Some(BrowserId(id));
    }
    let most_held = match context.version == Version::HTTP_2 {
        true => config.http2_max_sessions_per_browser,
        false => config.max_sessions_per_browser,
    };
    let transport = match form {
        Form::Json => ConnectionType::LongPolling,
        Form::Callback(_) => ConnectionType::CallbackPolling,
    };
    let (server, context) = (server.clone(), Some(context));
    (Visit { server, transport, context, tab: Tab { browser, most_held } }, cookie)
}

impl Form {
    fn response(
        &self,
        parcel: Parcel,
        cookie: Option<HeaderValue>,
        patience: Duration,
        line: Option<&Line>,
    ) -> Response<Body> {
        let cookie = cookie.filter(|_| parcel.begins_session());
        let (array, receipt) = parcel.encode();
        let (content_type, parts) = match self {
            Self::Json => ("application/json", array),
            Self::Callback(name) => ("text/javascript;charset=UTF-8", jsonp::wrap(name, array)),
        };
        let mut response = Response::new(Body::messages(parts, receipt, patience, line));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(cookie) = cookie {
            headers.insert(header::SET_COOKIE, cookie);
        }
        response
    }
}

impl Server {
    pub(crate) fn limits(&self, transport: ConnectionType) -> Limits {
        let config = &self.0.config;
        let mut limits = Limits::default();
        limits.size = config.transport(transport).max_message_size;
        (limits.messages, limits.depth) = (config.max_messages, config.max_depth);
        limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_follow_cometd() {
        for (mapping, path, expected) in [
            ("/cometd", "/cometd", true),
            ("/cometd/*", "/cometd", true),
            ("/cometd/*", "/cometd/handshake", true),
            ("cometd", "/cometd/", true),
            ("/cometd", "/cometdx", false),
            ("/cometd", "/", false),
            ("/*", "/any/thing", true),
            ("/", "/", true),
        ] {
            assert_eq!(is_mapped(&[mapping.to_owned()], path), expected, "{mapping} {path}");
        }
        assert!(is_mapped(&[], "/any"));
        assert!(is_mapped(&["/a".to_owned(), "/b".to_owned()], "/b"));
    }
}
