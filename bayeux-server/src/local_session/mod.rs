//! Local sessions: clients that live inside the server and reach it without a transport.

mod batch;
mod calls;
mod channel;
mod receive;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use async_trait::async_trait;
use bayeux_api::{
    Attribute, Attributes, Batch, ChannelId, ChannelIdError, Flow, Json, Message, Registration,
    client::{ClientExtension, ClientSession, ClientSessionChannel, RequestError},
    implement::{Hook, Listeners, Sealed, lock},
    meta,
    server::{LocalSession, Removal, ServerMessage, ServerSession},
};
use tokio::runtime::Handle;

use crate::{
    carrier::Carrier,
    finish::finish,
    local_session::{batch::Held, calls::Calls, channel::LocalChannel},
    server::{Inner, Server},
    session::{Origin, Session},
};

/// The client's end of a local session.
pub(crate) struct Local {
    me: Weak<Self>,
    /// Not kept alive: the server's own listeners may have this session.
    server: Weak<Inner>,
    hint: String,
    session: Mutex<Option<Arc<Session>>>,
    /// By name, in whose order subscriptions are made again.
    channels: Mutex<BTreeMap<Arc<str>, Arc<LocalChannel>>>,
    extensions: Listeners<dyn ClientExtension>,
    attributes: Mutex<Attributes>,
    calls: Calls,
    held: Mutex<Held>,
    /// How many messages were dropped since some were last taken.
    missed: AtomicUsize,
    last_id: AtomicU64,
}

impl Local {
    pub(crate) fn new(server: &Server, hint: &str) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            server: Arc::downgrade(&server.0),
            hint: hint.to_owned(),
            session: Mutex::default(),
            channels: Mutex::default(),
            extensions: Listeners::default(),
            attributes: Mutex::default(),
            calls: Calls::default(),
            held: Mutex::default(),
            missed: AtomicUsize::new(0),
            last_id: AtomicU64::new(0),
        })
    }

    fn server(&self) -> Result<Server, RequestError> {
        self.server.upgrade().map(Server).ok_or(RequestError::NotHandshaken)
    }

    fn session(&self) -> Option<Arc<Session>> {
        lock(&self.session).clone()
    }

    fn live_session(&self) -> Result<Arc<Session>, RequestError> {
        self.session().filter(|session| session.is_handshook()).ok_or(RequestError::NotHandshaken)
    }

    /// Sends a request through the whole pipeline, and shows its reply to the listeners.
    async fn send(
        &self,
        session: &Arc<Session>,
        message: Message,
    ) -> Result<Message, RequestError> {
        let message = self.prepare(session, message).await?;
        let (server, sender) = (self.server()?, session.clone());
        let exchange = async move {
            let mut message = ServerMessage::new(message);
            if let Some(accepted) = server.handle(Some(&sender), &mut message).await {
                sender.replied(accepted.cycle);
            }
            let flow = server.extend_reply(Some(&sender), message.reply_mut()).await;
            (flow == Flow::Continue).then(|| message.into_reply())
        };
        let reply = finish(exchange).await.flatten().ok_or(RequestError::Deleted)?;
        let reply = self.receive(reply).await.ok_or(RequestError::Deleted)?;
        if reply.is_successful() { Ok(reply) } else { Err(RequestError::Refused(Box::new(reply))) }
    }

    async fn prepare(
        &self,
        session: &Session,
        mut message: Message,
    ) -> Result<Message, RequestError> {
        let id = message.id.take().unwrap_or_else(|| self.next_id());
        message.client_id = (!message.is_handshake()).then(|| session.id().to_owned());
        message.id = Some(id.clone());
        let hook = Hook("ClientExtension::outgoing", session.id());
        for extension in self.extensions.members().iter().rev() {
            let shown = extension.wait(hook, |it| it.outgoing(&mut message)).await;
            if shown != Some(Flow::Continue) {
                return Err(RequestError::Deleted);
            }
        }
        message.id = Some(id);
        Ok(message)
    }

    fn next_id(&self) -> String {
        (self.last_id.fetch_add(1, Relaxed) + 1).to_string()
    }

    async fn whole_handshake(&self, template: Message) -> Result<Message, RequestError> {
        let origin = Origin { local: Some(self.me.clone()), ..Origin::default() };
        let server = self.server()?;
        let session = server.new_session(Some(&self.hint), origin);
        {
            let mut own = lock(&self.session);
            if own.as_ref().is_some_and(|own| own.removal().is_none()) {
                return Err(RequestError::AlreadyHandshaken);
            }
            *own = Some(session.clone());
        }
        let carrier = Carrier::without_socket();
        session.bind_waiting(&carrier);
        let mut message = template;
        message.channel = Some(meta::HANDSHAKE.to_owned());
        let reply = self.send(&session, message).await;
        if reply.is_err() {
            *lock(&self.session) = None;
            // It would stay for ever, since it does not expire.
            server.end_session(&session, Removal::Removed, None).await;
            return reply;
        }
        self.receive_from(&session, carrier);
        if let Err(error) = self.connect(&session).await {
            // The session is there, though its first connect is refused.
            tracing::debug!(session = session.id(), %error, "first connect refused");
        }
        let channels: Vec<_> = lock(&self.channels).values().cloned().collect();
        for channel in channels {
            channel.renew(self, &session).await;
        }
        reply
    }

    async fn connect(&self, session: &Arc<Session>) -> Result<Message, RequestError> {
        let mut message = Message::new(meta::CONNECT);
        message.advice_mut().interval = Some(-1);
        self.send(session, message).await
    }
}

impl Sealed for Local {}

#[async_trait]
impl ClientSession for Local {
    fn id(&self) -> Option<String> {
        self.session().map(|session| session.id().to_owned())
    }

    fn is_handshook(&self) -> bool {
        self.session().is_some_and(|session| session.is_handshook())
    }

    fn is_connected(&self) -> bool {
        self.session().is_some_and(|session| session.is_connected())
    }

    async fn handshake(&self, template: Message) -> Result<Message, RequestError> {
        let me = self.me.upgrade().ok_or(RequestError::NotHandshaken)?;
        // Whole, even if the caller is dropped: half a handshake could be neither used nor repeated.
        finish(async move { me.whole_handshake(template).await })
            .await
            .unwrap_or(Err(RequestError::Deleted))
    }

    async fn disconnect(&self) -> Result<Message, RequestError> {
        let session = self.live_session()?;
        self.send_held().await;
        self.send(&session, Message::new(meta::DISCONNECT)).await
    }

    fn channel(&self, id: &str) -> Result<Arc<dyn ClientSessionChannel>, ChannelIdError> {
        let id = ChannelId::new(id)?;
        let mut channels = lock(&self.channels);
        let channel = channels
            .entry(id.name().clone())
            .or_insert_with(|| LocalChannel::new(id, self.me.clone()));
        Ok(channel.clone())
    }

    fn start_batch(&self) -> Batch {
        self.open_batch()
    }

    fn add_extension(&self, extension: Arc<dyn ClientExtension>) -> Registration {
        self.extensions.add(extension)
    }

    async fn remote_call(&self, target: &str, data: Json) -> Result<Message, RequestError> {
        let id = ChannelId::new(&format!("/service/{}", target.trim_start_matches('/')))?;
        if id.is_wild() {
            return Err(ChannelIdError::Wild.into());
        }
        let session = self.live_session()?;
        let call = self.calls.begin(self.next_id());
        // What it waits for may be behind what waits for the listeners.
        session.wake();
        let mut message = Message::with_data(id.as_str(), data);
        message.id = Some(call.id().to_owned());
        self.request(&session, message).await?;
        call.answered().await
    }

    fn attribute(&self, name: &str) -> Option<Attribute> {
        lock(&self.attributes).get(name)
    }

    fn set_attribute(&self, name: &str, value: Attribute) -> Option<Attribute> {
        lock(&self.attributes).set(name, value)
    }

    fn remove_attribute(&self, name: &str) -> Option<Attribute> {
        lock(&self.attributes).remove(name)
    }

    fn attribute_names(&self) -> Vec<String> {
        lock(&self.attributes).names()
    }
}

impl LocalSession for Local {
    fn server_session(&self) -> Option<Arc<dyn ServerSession>> {
        self.session().map(|session| session.as_dyn())
    }
}

/// A local session that nobody holds any more would stay for ever, since it does not expire.
impl Drop for Local {
    fn drop(&mut self) {
        let Some(session) = self.session().filter(|session| session.is_handshook()) else { return };
        session.wake();
        if let (Ok(server), Ok(runtime)) = (self.server(), Handle::try_current()) {
            runtime
                .spawn(async move { server.end_session(&session, Removal::Removed, None).await });
        }
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L:{}", self.id().unwrap_or_else(|| format!("{}_?", self.hint)))
    }
}
