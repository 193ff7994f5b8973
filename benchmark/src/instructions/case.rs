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
    application::{
        Application::{self, Attribute, Deliver, Full, Nothing},
        SERVICE,
    },
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
    /// As without it, with an attribute on each session, or with all that applications have.
    #[value(name = "publish_to_100_attribute")]
    PublishTo100Attribute,
    #[value(name = "publish_to_100_application")]
    PublishTo100Application,
    #[value(name = "websocket_publish_application")]
    WebSocketPublishApplication,
    #[value(name = "websocket_to_10_attribute")]
    WebSocketTo10Attribute,
    #[value(name = "websocket_to_10_application")]
    WebSocketTo10Application,
    /// A message to a service, which delivers it to 100 sessions.
    #[value(name = "deliver_to_100")]
    DeliverTo100,
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
            Self::PublishTo100
            | Self::PublishTo100Attribute
            | Self::PublishTo100Application
            | Self::DeliverTo100 => 500,
            // Against what 10,000 handshakes differ from one run to the next.
            Self::PublishTo10000 => 100,
            Self::HttpPublish
            | Self::WebSocketPublish
            | Self::WebSocketPublishApplication
            | Self::WebSocketTo10
            | Self::WebSocketTo10Attribute
            | Self::WebSocketTo10Application => 500,
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
            Self::PublishTo0 => publishing(0, Nothing, operations),
            Self::PublishTo1 => publishing(1, Nothing, operations),
            Self::PublishTo100 => publishing(100, Nothing, operations),
            Self::PublishTo100Attribute => publishing(100, Attribute, operations),
            Self::PublishTo100Application => publishing(100, Full, operations),
            Self::DeliverTo100 => publishing(100, Deliver, operations),
            Self::PublishTo10000 => publishing(10_000, Nothing, operations),
            Self::LongPoll => crate::generate(polling(operations)),
            Self::HttpPublish => crate::generate(publishing_over_http(operations)),
            Self::WebSocketPublish => publishing_over_websocket(Nothing, operations),
            Self::WebSocketPublishApplication => publishing_over_websocket(Full, operations),
            Self::WebSocketTo10 => delivering_over_websocket(10, Nothing, operations),
            Self::WebSocketTo10Attribute => delivering_over_websocket(10, Attribute, operations),
            Self::WebSocketTo10Application => delivering_over_websocket(10, Full, operations),
        }
    }
}

fn decoding(messages: usize, operations: u64) -> Result<()> {
    let one = publication(CHANNEL, "0123456789abcdef0123456789abcdef01234567");
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
    let batch = format!("[{}]", publication(CHANNEL, "any"));
    let message = decode(batch.as_bytes(), &Limits::default())?.remove(0);
    let data = message.data.ok_or("a publication has data")?;
    for _ in 0..operations {
        let data: Json = black_box(&data).clone();
        drop(black_box(Message::with_data(CHANNEL, data).freeze()));
    }
    Ok(())
}

/// Makes a server that ends no session, and looks for nothing to do while it is counted.
fn server(application: Application) -> Result<Server> {
    let mut config = Config::default();
    config.sweep_period = FOREVER;
    for transport in [&mut config.long_polling, &mut config.callback_polling, &mut config.websocket]
    {
        transport.timeout = FOREVER;
        transport.max_interval = FOREVER;
        transport.max_queue = usize::MAX;
        transport.max_queue_bytes = usize::MAX;
    }
    application.server(config)
}

/// Publishes to sessions that take nothing, so that what is counted ends at their queues.
fn publishing(subscribers: usize, application: Application, operations: u64) -> Result<()> {
    crate::generate(async move {
        let server = server(application)?;
        for _ in 0..subscribers {
            Peer::subscriber(&server).await?;
        }
        let publisher = Peer::new(&server).await?;
        let service = if application == Deliver { SERVICE } else { "" };
        let publication = publisher.publication(&format!("{service}{CHANNEL}"));
        for _ in 0..operations {
            black_box(publisher.send(&publication).await?);
        }
        Ok(())
    })
}

async fn polling(operations: u64) -> Result<()> {
    let server = server(Nothing)?;
    let subscriber = Peer::subscriber(&server).await?;
    let connect = subscriber.connect();
    // The first is answered at once.
    subscriber.send(&connect).await?;
    let publisher = Peer::new(&server).await?;
    let publication = publisher.publication(CHANNEL);
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
    let mut publisher = Http::open(served(&server(Nothing)?).await?).await?;
    let publication = publisher.handshake().await?;
    for _ in 0..operations {
        black_box(publisher.post(&publication).await?);
    }
    Ok(())
}

fn publishing_over_websocket(application: Application, operations: u64) -> Result<()> {
    crate::generate(async move {
        let mut publisher = WebSocket::open(served(&server(application)?).await?).await?;
        let publication = publisher.handshake().await?;
        for _ in 0..operations {
            publisher.send(&publication).await?;
            black_box(publisher.receive().await?);
        }
        Ok(())
    })
}

/// Publishes from inside to subscribers outside, and waits until all have it.
fn delivering_over_websocket(
    subscribers: usize,
    application: Application,
    operations: u64,
) -> Result<()> {
    crate::generate(async move {
        let server = server(application)?;
        let port = served(&server).await?;
        let mut sockets = Vec::new();
        for _ in 0..subscribers {
            let mut socket = WebSocket::open(port).await?;
            socket.subscribe().await?;
            sockets.push(socket);
        }
        let publisher = Peer::new(&server).await?;
        let publication = publisher.publication(CHANNEL);
        for _ in 0..operations {
            publisher.send(&publication).await?;
            for socket in &mut sockets {
                black_box(socket.receive().await?);
            }
        }
        Ok(())
    })
}
