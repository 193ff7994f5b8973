//! What carried a message: its headers, cookies, addresses and attributes.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::Request, middleware, response::Response};
use bayeux_server::{
    Server,
    api::{
        Flow, Message,
        server::{BayeuxContext, Principal},
    },
};
use http::{HeaderValue, Version, header};
use serde_json::json;
use tests::{
    Browser, TestServer, Transport, hooks::incoming, open_websocket, over_every_transport,
    over_transports, upgrade_request,
};

over_transports!([
    websocket: WebSocket,
    websocket_over_http2: WebSocketOverHttp2,
    long_polling: LongPolling,
    long_polling_over_http2: LongPollingOverHttp2,
    callback_polling: CallbackPolling,
]
    it_has_the_requests_headers_cookies_and_addresses,
    every_client_has_its_own,
    it_has_the_attributes_of_the_layers_before,
    a_request_has_its_own_and_a_connection_keeps_its,
    a_layer_may_give_the_client_a_cookie
);

/// The contexts of all messages that arrived, in order, with their channels.
type Seen = Arc<Mutex<Vec<(String, Option<Arc<BayeuxContext>>)>>>;

fn watch(server: &Server) -> Seen {
    let seen = Seen::default();
    let own = seen.clone();
    let watches = incoming(move |_, message| {
        let entry = (message.channel().to_owned(), message.context().cloned());
        own.lock().unwrap().push(entry);
        Flow::Continue
    });
    server.add_extension(watches).keep();
    seen
}

fn contexts(seen: &Seen) -> Vec<Arc<BayeuxContext>> {
    seen.lock().unwrap().iter().map(|(_, context)| context.clone().unwrap()).collect()
}

async fn it_has_the_requests_headers_cookies_and_addresses(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let seen = watch(&server.server);
    let browser = Arc::<Browser>::default();
    browser.set_cookie("user", "ann");
    browser.set_cookie("token", "\"a;b\"");
    let mut client = server.tab(transport, &browser).await;
    client.handshake().await;
    client.connect().await;
    for context in contexts(&seen) {
        assert_eq!(context.cookie("user"), Some("ann"));
        assert_eq!(context.cookie("token"), Some("a;b"));
        assert_eq!(context.cookie("none"), None);
        let cookies = context.header("cookie").unwrap();
        assert_eq!(context.header("COOKIE"), Some(cookies));
        assert_eq!(context.header_values("Cookie"), [cookies]);
        assert_eq!(context.local_address, Some(server.address));
        let remote = context.remote_address.unwrap();
        assert_eq!(remote.ip(), server.address.ip());
        assert_ne!(remote.port(), server.address.port());
        assert_eq!(context.uri.path(), "/cometd");
        let is_jsonp = transport == Transport::CallbackPolling;
        assert_eq!(context.uri.query().is_some(), is_jsonp);
        let is_http2 = format!("{transport:?}").ends_with("Http2");
        let version = if is_http2 { Version::HTTP_2 } else { Version::HTTP_11 };
        assert_eq!(context.version, version);
        assert!(!context.is_secure);
        assert_eq!(context.principal(), None);
    }
    assert_eq!(seen.lock().unwrap().len(), 2);
}

async fn every_client_has_its_own(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let seen = watch(&server.server);
    let handshakes = (0..10).map(|number| {
        let (server, browser) = (&server, Arc::<Browser>::default());
        browser.set_cookie("number", &number.to_string());
        async move {
            let mut client = server.tab(transport, &browser).await;
            client.try_handshake(json!({ "ext": { "number": number.to_string() } })).await;
            client.publish(&format!("/a/{number}"), json!(1)).await;
        }
    });
    futures_util::future::join_all(handshakes).await;
    let published: Vec<_> =
        seen.lock().unwrap().iter().filter(|(id, _)| id.starts_with("/a/")).cloned().collect();
    assert_eq!(published.len(), 10);
    for (channel, context) in published {
        let context = context.unwrap();
        assert_eq!(context.cookie("number"), channel.strip_prefix("/a/"));
    }
}

/// What a layer of the application found out.
#[derive(Clone, Debug, PartialEq)]
struct Tenant(&'static str);

async fn it_has_the_attributes_of_the_layers_before(transport: Transport) {
    let server = Server::new();
    let seen = watch(&server);
    let logs_in = middleware::from_fn(async |mut request: Request, next: middleware::Next| {
        let user = Principal::new("ann", ["admin"]);
        request.extensions_mut().insert(user);
        request.extensions_mut().insert(Tenant("acme"));
        next.run(request).await
    });
    let app = Router::new().fallback_service(server.service()).layer(logs_in);
    let server = TestServer::serve_router(server, app).await;
    let mut client = server.connected(transport).await;
    client.publish("/a", json!(1)).await;
    for context in contexts(&seen) {
        assert_eq!(context.principal().unwrap().name, "ann");
        assert!(context.is_user_in_role("admin") && !context.is_user_in_role("guest"));
        assert_eq!(context.extensions.get::<Tenant>(), Some(&Tenant("acme")));
        // Only who accepts the connection knows the addresses.
        assert_eq!(context.remote_address, None);
    }
}

async fn a_request_has_its_own_and_a_connection_keeps_its(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let seen = watch(&server.server);
    let mut client = server.connected(transport).await;
    client.publish("/a", json!(1)).await;
    let contexts = contexts(&seen);
    assert_eq!(contexts.len(), 3);
    for pair in contexts.windows(2) {
        assert_eq!(Arc::ptr_eq(&pair[0], &pair[1]), transport.pushes());
    }
}

/// A response has it, and the response that accepts a WebSocket.
async fn a_layer_may_give_the_client_a_cookie(transport: Transport) {
    let server = Server::new();
    let seen = watch(&server);
    let gives = middleware::map_response(async |mut response: Response| {
        response.headers_mut().append(header::SET_COOKIE, HeaderValue::from_static("seat=12"));
        response
    });
    let app = Router::new().fallback_service(server.service()).layer(gives);
    let server = TestServer::serve_router(server, app).await;
    if transport.pushes() {
        let request = upgrade_request(server.address, transport.version(), "/");
        let (_, response) = open_websocket(server.address, request).await.unwrap();
        assert_eq!(response.headers()[header::SET_COOKIE], "seat=12");
        return;
    }
    let mut client = server.handshaken(transport).await;
    assert_eq!(client.browser.cookie("seat").as_deref(), Some("12"));
    client.connect().await;
    assert_eq!(contexts(&seen)[1].cookie("seat"), Some("12"));
}

over_every_transport!(it_says_over_what_a_message_came);

async fn it_says_over_what_a_message_came(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let own = seen.clone();
    let watches = incoming(move |_, message| {
        own.lock().unwrap().push((message.transport(), message.context().is_some()));
        Flow::Continue
    });
    server.server.add_extension(watches).keep();
    server.connected(transport).await;
    let expected = (Some(transport.connection_type()), transport.is_http());
    assert_eq!(*seen.lock().unwrap(), [expected, expected]);
}

#[tokio::test]
async fn local_sessions_have_none() {
    let server = Server::new();
    let seen = watch(&server);
    server.new_local_session("local").handshake(Message::default()).await.unwrap();
    assert!(seen.lock().unwrap().iter().all(|(_, context)| context.is_none()));
    assert!(!seen.lock().unwrap().is_empty());
}
