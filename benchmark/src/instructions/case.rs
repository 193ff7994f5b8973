//! The operations that are counted.

use std::hint::black_box;

use bayeux_server::{
    Config, Server,
    api::{Json, Limits, Message, decode, encode},
};
use clap::ValueEnum;
use tokio::net::TcpListener;

use crate::{
    Result,
    instructions::{
        peer::{CHANNEL, FOREVER, Peer, publication},
        wire::{Http, WebSocket},
    },
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Case {
    /// Reading the frame of one publication.
    DecodePublish,
    /// Reading ten publications that came together.
    DecodeBatch10,
    /// Writing a reply.
    EncodeReply,
    /// Writing a message that will be sent to all.
    Freeze,
    /// A publication to nobody, and its reply.
    #[value(name = "publish_to_0")]
    PublishTo0,
    #[value(name = "publish_to_1")]
    PublishTo1,
    #[value(name = "publish_to_100")]
    PublishTo100,
    #[value(name = "publish_to_10000")]
    PublishTo10000,
    /// A connect that is held, the message that it waits for, and its answer.
    LongPoll,
    /// A publication and its reply over HTTP, on loopback.
    HttpPublish,
    /// A publication and its reply over a WebSocket, on loopback.
    #[value(name = "websocket_publish")]
    WebSocketPublish,
    /// A publication that reaches ten WebSockets, on loopback.
    #[value(name = "websocket_to_10")]
    WebSocketTo10,
}

impl Case {
    /// Returns its name in the record.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Returns how many operations make its count steady.
    pub(crate) fn operations(self) -> u64 {
        match self {
            Self::DecodePublish | Self::DecodeBatch10 | Self::EncodeReply | Self::Freeze => 2000,
            Self::PublishTo0 | Self::PublishTo1 | Self::LongPoll => 1000,
            Self::PublishTo100 => 500,
            // Against what 10,000 handshakes differ from one run to the next.
            Self::PublishTo10000 => 100,
            Self::HttpPublish | Self::WebSocketPublish | Self::WebSocketTo10 => 500,
        }
    }

    /// Does so many operations, after what it takes to begin.
    pub(crate) fn run(self, operations: u64) -> Result<()> {
        match self {
            Self::DecodePublish => decoding(1, operations),
            Self::DecodeBatch10 => decoding(10, operations),
            Self::EncodeReply => {
                let mut reply = Message::new(CHANNEL);
                reply.id = Some("42".to_owned());
                reply.successful = Some(true);
                (0..operations).for_each(|_| drop(black_box(encode([black_box(&reply)]))));
                Ok(())
            }
            Self::Freeze => freezing(operations),
            Self::PublishTo0 => crate::generate(publishing(0, operations)),
            Self::PublishTo1 => crate::generate(publishing(1, operations)),
            Self::PublishTo100 => crate::generate(publishing(100, operations)),
            Self::PublishTo10000 => crate::generate(publishing(10_000, operations)),
            Self::LongPoll => crate::generate(polling(operations)),
            Self::HttpPublish => crate::generate(publishing_over_http(operations)),
            Self::WebSocketPublish => crate::generate(publishing_over_websocket(operations)),
            Self::WebSocketTo10 => crate::generate(delivering_over_websocket(10, operations)),
        }
    }
}

fn decoding(messages: usize, operations: u64) -> Result<()> {
    let one = publication("0123456789abcdef0123456789abcdef01234567");
    let batch = format!("[{}]", vec![one; messages].join(","));
    let limits = Limits::default();
    for _ in 0..operations {
        black_box(decode(black_box(batch.as_bytes()), &limits)?);
    }
    Ok(())
}

/// Writes messages as a publication leaves them. What it takes to make one again is in the count, but
/// not what it takes to read one.
fn freezing(operations: u64) -> Result<()> {
    let batch = format!("[{}]", publication("any"));
    let message = decode(batch.as_bytes(), &Limits::default())?.remove(0);
    let data = message.data.ok_or("a publication has data")?;
    for _ in 0..operations {
        let data: Json = black_box(&data).clone();
        drop(black_box(Message::with_data(CHANNEL, data).freeze()));
    }
    Ok(())
}

/// Makes a server that ends no session, and looks for nothing to do while it is counted.
fn server() -> Server {
    let mut config = Config::default();
    config.sweep_period = FOREVER;
    for transport in [&mut config.long_polling, &mut config.callback_polling, &mut config.websocket]
    {
        transport.timeout = FOREVER;
        transport.max_interval = FOREVER;
        transport.max_queue = usize::MAX;
        transport.max_queue_bytes = usize::MAX;
    }
    Server::builder().config(config).build()
}

/// Publishes to sessions that take nothing, so that what is counted ends at their queues.
async fn publishing(subscribers: usize, operations: u64) -> Result<()> {
    let server = server();
    for _ in 0..subscribers {
        Peer::subscriber(&server).await?;
    }
    let publisher = Peer::new(&server).await?;
    let publication = publisher.publication();
    for _ in 0..operations {
        black_box(publisher.send(&publication).await?);
    }
    Ok(())
}

async fn polling(operations: u64) -> Result<()> {
    let server = server();
    let subscriber = Peer::subscriber(&server).await?;
    let connect = subscriber.connect();
    // The first is answered at once.
    subscriber.send(&connect).await?;
    let publisher = Peer::new(&server).await?;
    let publication = publisher.publication();
    for _ in 0..operations {
        let (held, published) = tokio::join!(subscriber.send(&connect), async {
            // The connect comes first, and is held then.
            tokio::task::yield_now().await;
            publisher.send(&publication).await
        });
        published?;
        if !held?.contains(r#""data""#) {
            return Err("a connect was answered without the message".into());
        }
    }
    Ok(())
}

/// Serves on any free port, and returns it.
async fn served(server: &Server) -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    let server = server.clone();
    tokio::task::spawn_local(async move { server.serve(listener).await });
    Ok(port)
}

async fn publishing_over_http(operations: u64) -> Result<()> {
    let mut publisher = Http::open(served(&server()).await?).await?;
    let publication = publisher.handshake().await?;
    for _ in 0..operations {
        black_box(publisher.post(&publication).await?);
    }
    Ok(())
}

async fn publishing_over_websocket(operations: u64) -> Result<()> {
    let mut publisher = WebSocket::open(served(&server()).await?).await?;
    let publication = publisher.handshake().await?;
    for _ in 0..operations {
        publisher.send(&publication).await?;
        black_box(publisher.receive().await?);
    }
    Ok(())
}

/// Publishes from inside to subscribers outside, and waits until all have it.
async fn delivering_over_websocket(subscribers: usize, operations: u64) -> Result<()> {
    let server = server();
    let port = served(&server).await?;
    let mut sockets = Vec::new();
    for _ in 0..subscribers {
        let mut socket = WebSocket::open(port).await?;
        socket.subscribe().await?;
        sockets.push(socket);
    }
    let publisher = Peer::new(&server).await?;
    let publication = publisher.publication();
    for _ in 0..operations {
        publisher.send(&publication).await?;
        for socket in &mut sockets {
            black_box(socket.receive().await?);
        }
    }
    Ok(())
}
