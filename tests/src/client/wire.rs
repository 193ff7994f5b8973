//! What carries a client's messages, and brings what the server sends.

use futures_util::{SinkExt as _, StreamExt as _};
use http::{Response, header};
use tokio_tungstenite::tungstenite::Message;

use bayeux_server::InProcess;
use bytes::Bytes;

use super::*;

/// One client's connections. Everything ends when it is dropped.
#[derive(Debug)]
pub(super) struct Wire {
    carrier: Carrier,
    arrivals: mpsc::UnboundedSender<Arrival>,
    tasks: JoinSet<()>,
}

#[derive(Clone, Debug)]
enum Carrier {
    Post(Arc<Http>, Arc<Browser>),
    Callback(Arc<Http>, Arc<Browser>),
    Socket(mpsc::UnboundedSender<String>),
    InProcess(Arc<InProcess>),
}

impl Wire {
    pub(super) async fn open(
        server: &Server,
        address: SocketAddr,
        transport: Transport,
        browser: Arc<Browser>,
        arrivals: mpsc::UnboundedSender<Arrival>,
    ) -> Self {
        let mut tasks = JoinSet::new();
        let carrier = match transport {
            Transport::LongPolling => Carrier::Post(Arc::new(Http::new(address)), browser),
            Transport::LongPollingOverHttp2 => {
                Carrier::Post(Arc::new(Http::http2(address).await), browser)
            }
            Transport::CallbackPolling => Carrier::Callback(Arc::new(Http::new(address)), browser),
            Transport::WebSocket | Transport::WebSocketOverHttp2 => {
                let mut request = upgrade_request(address, transport.version(), "/cometd");
                if let Some(cookies) = browser.header() {
                    request.headers_mut().insert(header::COOKIE, cookies.parse().unwrap());
                }
                for (name, value) in browser.added() {
                    request.headers_mut().append(name, value.parse().unwrap());
                }
                let opened = within("the WebSocket to open", open_websocket(address, request));
                let (socket, _) = opened.await.expect("the server accepts WebSockets");
                let (sender, outgoing) = mpsc::unbounded_channel();
                tasks.spawn(carry(socket, outgoing, arrivals.clone()));
                Carrier::Socket(sender)
            }
            Transport::InProcess => Carrier::InProcess(Arc::new(server.in_process())),
        };
        Self { carrier, arrivals, tasks }
    }

    pub(super) fn send(&mut self, text: String) {
        let carrier = match &self.carrier {
            Carrier::Socket(sender) => {
                // One that is closed has told so by an arrival.
                let _ = sender.send(text);
                return;
            }
            other @ (Carrier::Post(..) | Carrier::Callback(..) | Carrier::InProcess(..)) => {
                other.clone()
            }
        };
        let arrivals = self.arrivals.clone();
        self.tasks.spawn(async move {
            let arrival = carrier.exchange(text).await;
            let _ = arrivals.send(arrival);
        });
    }

    pub(super) async fn abort(&mut self) {
        self.tasks.shutdown().await;
    }
}

impl Carrier {
    /// Sends a request and waits for its response.
    async fn exchange(self, text: String) -> Arrival {
        match self {
            Self::Post(http, browser) => {
                let mut headers = vec![("content-type", "application/json;charset=UTF-8")];
                let cookies = browser.header();
                headers.extend(cookies.iter().map(|cookies| ("cookie", cookies.as_str())));
                headers.extend(browser.added());
                let sent = http.post("/cometd", &headers, text).await;
                arrived(&browser, sent, |body| body)
            }
            Self::Callback(http, browser) => {
                let cookies = browser.header();
                let cookies = cookies.iter().map(|cookies| ("cookie", cookies.as_str()));
                let headers: Vec<_> = cookies.chain(browser.added()).collect();
                let path = format!("/cometd?jsonp={CALLBACK}&message={}", escaped(&text));
                arrived(&browser, http.get(&path, &headers).await, unwrapped)
            }
            Self::InProcess(client) => match client.send(&text).await {
                Ok(array) => Arrival::Messages(serde_json::from_str(&array).unwrap()),
                Err(error) => {
                    let status = if matches!(error, InProcessError::Decode(_)) { 400 } else { 500 };
                    Arrival::Refused { status, body: error.to_string() }
                }
            },
            Self::Socket(_) => unreachable!("a WebSocket has no requests"),
        }
    }
}

fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

const CALLBACK: &str = "cometd.callback_1";

/// Takes the call of the callback off.
fn unwrapped(script: &str) -> &str {
    let call = script.strip_prefix(CALLBACK).and_then(|call| call.strip_prefix('('));
    call.and_then(|call| call.strip_suffix(')')).expect("the script calls the callback")
}

fn arrived(
    browser: &Browser,
    sent: Result<Response<Bytes>, hyper::Error>,
    unwrap: impl Fn(&str) -> &str,
) -> Arrival {
    let Ok(response) = sent else { return Arrival::Lost };
    browser.keep(response.headers());
    let body = str::from_utf8(response.body()).expect("the response is UTF-8");
    match response.status().as_u16() {
        200 => Arrival::Messages(serde_json::from_str(unwrap(body)).unwrap()),
        status => Arrival::Refused { status, body: body.to_owned() },
    }
}

/// Carries texts both ways until the WebSocket ends.
async fn carry(
    mut socket: WebSocket,
    mut outgoing: mpsc::UnboundedReceiver<String>,
    arrivals: mpsc::UnboundedSender<Arrival>,
) {
    loop {
        let arrival = tokio::select! {
            text = outgoing.recv() => match text {
                Some(text) => match socket.send(Message::text(text)).await {
                    Ok(()) => continue,
                    Err(_) => Arrival::Lost,
                },
                None => return,
            },
            received = socket.next() => match received {
                Some(Ok(Message::Text(text))) => {
                    Arrival::Messages(serde_json::from_str(&text).unwrap())
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    Arrival::Closed { code: frame.code.into(), reason: frame.reason.to_string() }
                }
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => Arrival::Lost,
            },
        };
        let is_end = arrival == Arrival::Lost;
        if arrivals.send(arrival).is_err() || is_end {
            return;
        }
    }
}
