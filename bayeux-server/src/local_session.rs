//! Local sessions: clients that live inside the server and reach it without a transport.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use bayeux_api::{
    Advice, Attribute, Attributes, ChannelId, ChannelIdError, Flow, Json, Message, Registration,
    Subscription,
    client::{
        ClientExtension, ClientSession, ClientSessionChannel, MessageListener, ReleasedError,
        RequestError,
    },
    implement::{Hook, Listeners, lock},
    meta,
    server::{LocalSession, Removal, ServerMessage, ServerSession},
};
use tokio::sync::oneshot;

use crate::{
    carrier::Carrier,
    clock,
    complete::complete,
    server::{Inner, Server},
    session::{Origin, Session, Turn},
};

/// How long a remote call waits for its answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The client's end of a local session. It sends at once, in a batch too; a batch holds back what
/// it receives.
pub(crate) struct Local {
    me: Weak<Self>,
    /// Not kept alive: the server's own listeners may have this session.
    server: Weak<Inner>,
    hint: String,
    session: Mutex<Option<Arc<Session>>>,
    channels: Mutex<HashMap<Arc<str>, Arc<LocalChannel>>>,
    extensions: Listeners<dyn ClientExtension>,
    attributes: Mutex<Attributes>,
    calls: Mutex<HashMap<String, oneshot::Sender<Message>>>,
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
            calls: Mutex::default(),
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
    async fn request(
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
        let reply = complete(exchange).await.flatten().ok_or(RequestError::Deleted)?;
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

    /// Shows what arrived to the extensions and the listeners; none when an extension drops it.
    async fn receive(&self, mut message: Message) -> Option<Message> {
        let session = self.id().unwrap_or_default();
        let hook = Hook("ClientExtension::incoming", &session);
        for extension in self.extensions.members().iter() {
            let shown = extension.wait(hook, |it| it.incoming(&mut message)).await;
            if shown != Some(Flow::Continue) {
                return None;
            }
        }
        let id = ChannelId::new(message.channel()).ok()?;
        let is_published = !id.is_meta() && message.data.is_some();
        if let Some(call) = message.id.as_ref().filter(|_| is_published && id.is_service())
            && let Some(answer) = lock(&self.calls).remove(call)
        {
            let _ = answer.send(message.clone());
        }
        let matching = [id.as_str().to_owned()].into_iter().chain(id.wild_ids());
        for name in matching {
            let channel = lock(&self.channels).get(name.as_str()).cloned();
            let Some(channel) = channel else { continue };
            let hook = Hook("MessageListener::on_message", &session);
            for listener in channel.listeners.members().iter() {
                listener.wait(hook, |it| it.on_message(&*channel, &message)).await;
            }
            for subscriber in channel.subscribers.members().iter().filter(|_| is_published) {
                subscriber.wait(hook, |it| it.on_message(&*channel, &message)).await;
            }
        }
        Some(message)
    }

    async fn whole_handshake(&self, template: Message) -> Result<Message, RequestError> {
        let local: Weak<dyn LocalSession> = self.me.clone();
        let origin = Origin { local: Some(local), ..Origin::default() };
        let server = self.server()?;
        let session = server.new_session(Some(&self.hint), origin);
        {
            let mut own = lock(&self.session);
            if own.is_some() {
                return Err(RequestError::AlreadyHandshaken);
            }
            *own = Some(session.clone());
        }
        let carrier = Carrier::without_socket();
        session.attach(&carrier, Turn::Anybody);
        let message = Message { channel: Some(meta::HANDSHAKE.to_owned()), ..template };
        let reply = self.request(&session, message).await;
        if reply.is_err() {
            *lock(&self.session) = None;
            // It would stay for ever, since it does not expire.
            server.end_session(&session, Removal::Removed, None).await;
            return reply;
        }
        tokio::spawn(deliver(self.me.clone(), session.clone(), carrier));
        self.connect(&session).await?;
        reply
    }

    async fn connect(&self, session: &Arc<Session>) -> Result<Message, RequestError> {
        let mut message = Message::new(meta::CONNECT);
        message.advice = Some(Advice { interval: Some(-1), ..Advice::default() });
        self.request(session, message).await
    }
}

/// Hands what is delivered to the session over to its client, until one of them is gone.
async fn deliver(local: Weak<Local>, session: Arc<Session>, carrier: Arc<Carrier>) {
    loop {
        let (due, again) = session.push(clock::now());
        for message in due.into_iter().flatten() {
            let Some(local) = local.upgrade() else { return };
            if let Ok(server) = local.server() {
                server.0.counters.messages_sent.increment();
            }
            local.receive(message.to_message()).await;
        }
        if session.removal().is_some() || local.strong_count() == 0 {
            return;
        }
        let wait = carrier.woken();
        match again {
            Some(again) => drop(tokio::time::timeout_at(again.into(), wait).await),
            None => wait.await,
        }
    }
}

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
        complete(async move { me.whole_handshake(template).await })
            .await
            .unwrap_or(Err(RequestError::Deleted))
    }

    async fn disconnect(&self) -> Result<Message, RequestError> {
        let session = self.live_session()?;
        self.request(&session, Message::new(meta::DISCONNECT)).await
    }

    fn channel(&self, id: &str) -> Result<Arc<dyn ClientSessionChannel>, ChannelIdError> {
        let id = ChannelId::new(id)?;
        let mut channels = lock(&self.channels);
        let channel = channels.entry(id.name().clone()).or_insert_with(|| {
            Arc::new(LocalChannel {
                id,
                local: self.me.clone(),
                listeners: Listeners::default(),
                subscribers: Listeners::default(),
                attributes: Mutex::default(),
            })
        });
        Ok(channel.clone())
    }

    fn start_batch(&self) {
        if let Some(session) = self.session() {
            session.start_batch();
        }
    }

    async fn end_batch(&self) -> bool {
        self.session().is_some_and(|session| session.end_batch())
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
        let call = self.next_id();
        let (answer, answered) = oneshot::channel();
        lock(&self.calls).insert(call.clone(), answer);
        let mut message = Message::with_data(id.as_str(), data);
        message.id = Some(call.clone());
        let result = match self.request(&session, message).await {
            Ok(_) => match tokio::time::timeout(CALL_TIMEOUT, answered).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(_)) | Err(_) => Err(RequestError::Timeout),
            },
            Err(error) => Err(error),
        };
        lock(&self.calls).remove(&call);
        result
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
        let session = self.session().filter(|session| session.is_handshook());
        let runtime = tokio::runtime::Handle::try_current();
        if let (Some(session), Ok(server), Ok(runtime)) = (session, self.server(), runtime) {
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

struct LocalChannel {
    id: ChannelId,
    local: Weak<Local>,
    listeners: Listeners<dyn MessageListener>,
    subscribers: Listeners<dyn MessageListener>,
    attributes: Mutex<Attributes>,
}

impl LocalChannel {
    fn local(&self) -> Result<(Arc<Local>, Arc<Session>), RequestError> {
        let local = self.local.upgrade().ok_or(RequestError::NotHandshaken)?;
        if !lock(&local.channels).contains_key(self.id.as_str()) {
            return Err(RequestError::Released);
        }
        let session = local.live_session()?;
        Ok((local, session))
    }

    async fn request(&self, meta: &str) -> Result<Message, RequestError> {
        let (local, session) = self.local()?;
        let mut message = Message::new(meta);
        message.subscription = Some(Subscription::One(self.id.as_str().to_owned()));
        local.request(&session, message).await
    }
}

#[async_trait]
impl ClientSessionChannel for LocalChannel {
    fn id(&self) -> &ChannelId {
        &self.id
    }

    fn add_listener(&self, listener: Arc<dyn MessageListener>) -> Registration {
        self.listeners.add(listener)
    }

    async fn subscribe(
        &self,
        listener: Arc<dyn MessageListener>,
    ) -> Result<Registration, RequestError> {
        let is_first = self.subscribers.is_empty();
        let registration = self.subscribers.add(listener);
        if is_first {
            self.request(meta::SUBSCRIBE).await?;
        }
        Ok(registration)
    }

    async fn unsubscribe(&self) -> Result<(), RequestError> {
        self.subscribers.clear();
        self.request(meta::UNSUBSCRIBE).await.map(drop)
    }

    async fn publish(&self, mut message: Message) -> Result<Message, RequestError> {
        let (local, session) = self.local()?;
        message.channel = Some(self.id.as_str().to_owned());
        local.request(&session, message).await
    }

    fn release(&self) -> Result<(), ReleasedError> {
        if !self.listeners.is_empty() || !self.subscribers.is_empty() {
            return Err(ReleasedError);
        }
        if let Some(local) = self.local.upgrade() {
            lock(&local.channels).remove(self.id.as_str());
        }
        Ok(())
    }

    fn attribute(&self, name: &str) -> Option<Attribute> {
        lock(&self.attributes).get(name)
    }

    fn set_attribute(&self, name: &str, value: Attribute) -> Option<Attribute> {
        lock(&self.attributes).set(name, value)
    }
}

impl fmt::Debug for LocalChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalChannel").field(&self.id).finish()
    }
}
