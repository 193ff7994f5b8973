//! A channel of a local session: its listeners, and whether the server knows of its subscribers.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, Weak},
};

use async_trait::async_trait;
use bayeux_api::{
    Attribute, Attributes, ChannelId, Message, Registration, Subscription,
    client::{ClientSessionChannel, MessageListener, ReleasedError, RequestError},
    implement::{Hook, Listeners, Sealed, lock},
    meta,
};
use tokio::sync::oneshot;

use super::Local;
use crate::{finish::finish, session::Session};

pub(super) struct LocalChannel {
    id: ChannelId,
    me: Weak<Self>,
    local: Weak<Local>,
    listeners: Listeners<dyn MessageListener>,
    subscribers: Listeners<dyn MessageListener>,
    step: Mutex<Step>,
    attributes: Mutex<Attributes>,
}

/// How far the subscription of a channel is.
#[derive(Debug, Default)]
enum Step {
    #[default]
    Unasked,
    /// The first subscriber has asked; these wait for the reply.
    Asked(Vec<oneshot::Sender<Result<(), RequestError>>>),
    Held,
}

/// What a new subscriber does.
enum Joined {
    /// It asks the server, and waits for the reply.
    Ask(oneshot::Receiver<Result<(), RequestError>>),
    /// It waits for the reply that another asked for.
    Wait(oneshot::Receiver<Result<(), RequestError>>),
    Held,
}

impl LocalChannel {
    pub(super) fn new(id: ChannelId, local: Weak<Local>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            id,
            me: me.clone(),
            local,
            listeners: Listeners::default(),
            subscribers: Listeners::default(),
            step: Mutex::default(),
            attributes: Mutex::default(),
        })
    }

    /// Shows a message to the listeners, and to the subscribers if it was published.
    pub(super) async fn show(&self, message: &Message, is_published: bool) {
        let hook = Hook("MessageListener::on_message", self.id.as_str());
        for listener in self.listeners.members().iter() {
            listener.wait(hook, |it| it.on_message(self, message)).await;
        }
        for subscriber in self.subscribers.members().iter().filter(|_| is_published) {
            subscriber.wait(hook, |it| it.on_message(self, message)).await;
        }
    }

    fn local(&self) -> Result<(Arc<Local>, Arc<Session>), RequestError> {
        let local = self.local.upgrade().ok_or(RequestError::NotHandshaken)?;
        if !self.is_in(&lock(&local.channels)) {
            return Err(RequestError::Released);
        }
        let session = local.live_session()?;
        Ok((local, session))
    }

    /// Whether this is the channel that has its name; after its release another may have it.
    fn is_in(&self, channels: &BTreeMap<Arc<str>, Arc<Self>>) -> bool {
        channels.get(self.id.as_str()).is_some_and(|own| std::ptr::eq(Arc::as_ptr(own), self))
    }

    async fn request(&self, meta: &str) -> Result<Message, RequestError> {
        let (local, session) = self.local()?;
        local.request(&session, self.message(meta)).await
    }

    fn message(&self, meta: &str) -> Message {
        let mut message = Message::new(meta);
        message.subscription = Some(Subscription::One(self.id.as_str().to_owned()));
        message
    }

    /// Adds a subscriber; the first of all asks the server.
    fn join(&self, listener: Arc<dyn MessageListener>) -> (Registration, Joined) {
        let mut step = lock(&self.step);
        let is_first = self.subscribers.is_empty();
        let registration = self.subscribers.add(listener);
        let (answer, answered) = oneshot::channel();
        let joined = match &mut *step {
            Step::Asked(waiting) => {
                waiting.push(answer);
                Joined::Wait(answered)
            }
            Step::Held if !is_first => Joined::Held,
            Step::Unasked | Step::Held => {
                *step = Step::Asked(vec![answer]);
                Joined::Ask(answered)
            }
        };
        (registration, joined)
    }

    /// Asks the server, even if the subscriber gives up meanwhile: others may wait for the reply.
    async fn ask(&self) {
        let Some(me) = self.me.upgrade() else { return };
        let asking = async move {
            let reply = me.request(meta::SUBSCRIBE).await;
            me.answered(&reply.map(drop));
        };
        finish(asking).await;
    }

    fn answered(&self, result: &Result<(), RequestError>) {
        let next = if result.is_ok() { Step::Held } else { Step::Unasked };
        let before = std::mem::replace(&mut *lock(&self.step), next);
        if let Step::Asked(waiting) = before {
            for waiter in waiting {
                let _ = waiter.send(result.clone());
            }
        }
    }

    /// Subscribes in a new session, if anybody listens. Subscribers that the server refuses are gone.
    pub(super) async fn renew(&self, local: &Local, session: &Arc<Session>) {
        {
            let mut step = lock(&self.step);
            match *step {
                Step::Held if !self.subscribers.is_empty() => *step = Step::Asked(Vec::new()),
                Step::Held => *step = Step::Unasked,
                Step::Unasked | Step::Asked(_) => {}
            }
            if !matches!(&*step, Step::Asked(waiting) if waiting.is_empty()) {
                return;
            }
        }
        let result = local.send(session, self.message(meta::SUBSCRIBE)).await.map(drop);
        if let Err(error) = &result {
            tracing::warn!(channel = %self.id, %error, "a local session lost a subscription");
            self.subscribers.clear();
        }
        self.answered(&result);
    }
}

impl Sealed for LocalChannel {}

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
        self.local()?;
        let (registration, joined) = self.join(listener);
        let answered = match joined {
            Joined::Held => return Ok(registration),
            Joined::Wait(answered) => answered,
            Joined::Ask(answered) => {
                self.ask().await;
                answered
            }
        };
        answered.await.unwrap_or(Err(RequestError::NotHandshaken)).map(|()| registration)
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
            let mut channels = lock(&local.channels);
            if self.is_in(&channels) {
                channels.remove(self.id.as_str());
            }
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
