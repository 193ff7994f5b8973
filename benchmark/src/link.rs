//! One client, from when its session is there: it publishes, and it hears.

use std::{
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::timeout;

use crate::{
    Result,
    carrier::Carrier,
    centrifugo::{self, Centrifugo},
    dialect::{Dialect, Replies},
    heart::Heart,
    limit::path,
    load::{Load, Protocol, Transport},
    session::Session,
};

#[derive(Debug)]
pub(crate) struct Link {
    dialect: Dialect,
    transport: Transport,
    /// Has the connect.
    carrier: Carrier,
    /// Publishes over long-polling, where the other one is held.
    publisher: Option<Carrier>,
    /// What was replied so far.
    pub(crate) replies: Replies,
}

/// What a client is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// Nothing but be there.
    Wait,
    /// Hear what is published to a channel.
    Subscribe(&'a str),
    /// Publish.
    Publish,
    /// Both.
    Echo(&'a str),
}

/// A server has to answer within this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

impl Link {
    /// Opens a client of this number: its session is connected, and has a connect under way.
    pub(crate) async fn open(
        load: &Load,
        transport: Transport,
        part: Part<'_>,
        number: usize,
    ) -> Result<Self> {
        let opened = match load.protocol {
            Protocol::Bayeux => timeout(PATIENCE, Self::bayeux(load, transport, part, number)),
            Protocol::Centrifugo => {
                let opened = timeout(PATIENCE, Self::centrifugo(load, transport, part, number));
                return opened
                    .await
                    .map_err(|_| "the server did not answer a new client in time")?;
            }
            Protocol::Limit => return Self::limit(load, transport, part, number).await,
        };
        opened.await.map_err(|_| "the server did not answer a new client in time")?
    }

    async fn bayeux(
        load: &Load,
        transport: Transport,
        part: Part<'_>,
        number: usize,
    ) -> Result<Self> {
        // A client has up to two connections.
        let (path, number) = (&load.target.path, 2 * number);
        let carrier = Carrier::open(load, transport, path, number).await?;
        let mut session = Session::handshake(carrier, transport).await?;
        session.connect().await?;
        if let Some(channel) = part.subscription() {
            session.subscribe(channel).await?;
        }
        let mut publisher = None;
        if part.publishes() && transport == Transport::LongPolling {
            let mut carrier = Carrier::open(load, transport, path, number + 1).await?;
            carrier.set_cookies(session.carrier.cookies());
            publisher = Some(carrier);
        }
        let Session { carrier, heart } = session;
        let dialect = Dialect::Bayeux(heart);
        let mut link = Self { dialect, transport, carrier, publisher, replies: Replies::default() };
        link.connect()?;
        Ok(link)
    }

    async fn centrifugo(
        load: &Load,
        transport: Transport,
        part: Part<'_>,
        number: usize,
    ) -> Result<Self> {
        if transport != Transport::WebSocket {
            return Err("Centrifugo's protocol is for --transport websocket alone".into());
        }
        let mut carrier = Carrier::open(load, transport, &load.target.path, number).await?;
        let mut client = Centrifugo::default();
        request(&mut carrier, client.connect()).await?;
        if let Some(channel) = part.subscription() {
            request(&mut carrier, client.subscribe(channel)).await?;
        }
        let dialect = Dialect::Centrifugo(client);
        Ok(Self { dialect, transport, carrier, publisher: None, replies: Replies::default() })
    }

    async fn limit(
        load: &Load,
        transport: Transport,
        part: Part<'_>,
        number: usize,
    ) -> Result<Self> {
        let (path, transport) = match (part, transport) {
            (Part::Publish, _) => (path::TRIGGER, Transport::WebSocket),
            (Part::Echo(_), _) => (path::ECHO, transport),
            (Part::Wait | Part::Subscribe(_), Transport::WebSocket) => (path::SUBSCRIBE, transport),
            (Part::Wait | Part::Subscribe(_), Transport::LongPolling) => (path::HOLD, transport),
        };
        let opened = timeout(PATIENCE, Carrier::open(load, transport, path, number));
        let carrier =
            opened.await.map_err(|_| "the server did not answer a new client in time")??;
        let client_id = "0".repeat(40);
        let dialect = Dialect::Limit { heart: Heart::new(transport, client_id), heard: 0 };
        let mut link =
            Self { dialect, transport, carrier, publisher: None, replies: Replies::default() };
        if path == path::HOLD {
            link.connect()?;
        }
        Ok(link)
    }

    /// Publishes messages of these numbers in one write, and waits for nothing.
    pub(crate) fn publish(&mut self, channel: &str, numbers: &[u64], size: usize) -> Result<()> {
        let texts = self.dialect.publish(self.transport, channel, numbers, size)?;
        self.publisher.as_mut().unwrap_or(&mut self.carrier).send(&texts)
    }

    /// Waits for something to arrive, and calls `take` with the number of each message in it.
    pub(crate) async fn receive(&mut self, take: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
        poll_fn(|context| self.poll_receive(context, take)).await
    }

    /// The same, to be polled.
    pub(crate) fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        take: &mut dyn FnMut(u64) -> Result<()>,
    ) -> Poll<Result<()>> {
        let Self { dialect, replies, .. } = self;
        let mut connects = 0;
        let hear = &mut |text: &[u8]| {
            let heard = dialect.hear(text, take)?;
            connects += heard.connects;
            replies.publishes += heard.publishes;
            Ok(())
        };
        let mut polled = self.carrier.poll_receive(context, hear);
        if polled.is_pending()
            && let Some(publisher) = &mut self.publisher
        {
            polled = publisher.poll_receive(context, hear);
        }
        self.replies.connects += connects;
        if matches!(polled, Poll::Ready(Ok(()))) && connects > 0 {
            self.connect()?;
        }
        polled
    }

    fn connect(&mut self) -> Result<()> {
        self.carrier.send(&[self.dialect.connect()])
    }
}

/// Sends a command of Centrifugo, and waits for its reply.
async fn request(carrier: &mut Carrier, command: String) -> Result<()> {
    carrier.send(&[command])?;
    for text in carrier.receive().await? {
        centrifugo::hear(&text, &mut |_| Ok(()))?;
    }
    Ok(())
}

impl<'a> Part<'a> {
    fn subscription(self) -> Option<&'a str> {
        match self {
            Self::Subscribe(channel) | Self::Echo(channel) => Some(channel),
            Self::Wait | Self::Publish => None,
        }
    }

    fn publishes(self) -> bool {
        matches!(self, Self::Publish | Self::Echo(_))
    }
}
