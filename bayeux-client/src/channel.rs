//! A channel of a client, and what is subscribed to on it.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use bayeux_api::{
    Attribute, ChannelId, Json, Message, Registration,
    client::{ClientSessionChannel, MessageListener, ReleasedError, RequestError},
    implement::{Sealed, lock},
};
use futures_util::Stream;
use tokio::sync::mpsc;

use crate::{
    client::Owner,
    members::{Channels, Members, Subscriber},
    reply::Reply,
    shared::Shared,
};

/// A channel of a [`BayeuxClient`](crate::BayeuxClient). It keeps the client alive.
#[derive(Clone)]
#[doc(alias = "ClientSessionChannel")]
pub struct Channel {
    pub(crate) client: Arc<Owner>,
    pub(crate) members: Arc<Members>,
}

impl Channel {
    fn shared(&self) -> &Arc<Shared> {
        self.client.shared()
    }

    fn name(&self) -> &str {
        self.members.id.as_str()
    }

    /// Publishes `data` and returns the future of the server's reply.
    pub fn publish(&self, data: impl Into<Json>) -> Reply {
        self.publish_message(Message::with_data(self.name(), data))
    }

    /// Publishes a message, whose channel and ids are set.
    pub fn publish_message(&self, mut message: Message) -> Reply {
        let (waiter, reply) = Reply::new();
        message.channel = Some(self.name().to_owned());
        match (self.is_released(), self.members.id.is_wild()) {
            (true, _) => drop(waiter.send(Err(RequestError::Released))),
            (_, true) => drop(waiter.send(Err(bayeux_api::ChannelIdError::Wild.into()))),
            (false, false) => {
                self.shared().input(|machine, now| machine.publish(message, waiter, now));
            }
        }
        reply
    }

    /// Subscribes to the channel and returns, once the server agrees, the stream of what is
    /// published. Only the first subscriber of a channel asks the server.
    ///
    /// The stream holds up to 256 messages. While it is full the client's other listeners wait too,
    /// and once 4 MiB wait the client reads nothing more, so that nothing is lost. It ends with the
    /// session.
    pub fn subscribe(&self) -> Subscribing {
        let (sender, receiver) = mpsc::channel(STREAM);
        let (membership, reply) = self.join(Arc::new(Forward(sender)));
        Subscribing { reply, messages: Some(Messages { receiver, membership }) }
    }

    /// Subscribes `listener`. Dropping the registration removes it, and the last one of a channel
    /// tells the server.
    ///
    /// # Errors
    ///
    /// When the server refuses or cannot be asked, or there is no session.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future removes the listener again.
    pub async fn subscribe_listener(
        &self,
        listener: Arc<dyn MessageListener>,
    ) -> Result<Registration, RequestError> {
        let (membership, reply) = self.join(listener);
        reply.await?;
        let mut listening = Listening(membership);
        Ok(Registration::new(move || listening.end()))
    }

    fn join(&self, listener: Arc<dyn MessageListener>) -> (Membership, Reply) {
        let (waiter, reply) = Reply::new();
        let shared = self.shared();
        let member = shared.next_member();
        let registration = {
            // The channel is not released before the subscriber is one of it.
            let channels = lock(&shared.channels);
            if self.is_one_of(&channels) {
                let name = self.name();
                shared.input(|machine, now| machine.subscribe(name, member, waiter, now));
            } else {
                let _ = waiter.send(Err(RequestError::Released));
            }
            // Only now, since one that the machine does not know may be taken for one that has gone.
            self.members.subscribers.add(Arc::new(Subscriber { member, listener }))
        };
        let membership = Membership {
            _client: self.client.clone(),
            shared: Arc::downgrade(shared),
            channel: self.members.clone(),
            member,
            registration: Some(registration),
        };
        (membership, reply)
    }

    /// Removes all subscribers of this channel and unsubscribes from the server.
    pub fn unsubscribe(&self) -> Reply {
        let (waiter, reply) = Reply::new();
        let (shared, name) = (self.shared(), self.name());
        {
            let channels = lock(&shared.channels);
            if !self.is_one_of(&channels) {
                let _ = waiter.send(Err(RequestError::Released));
                return reply;
            }
            shared.input(|machine, now| machine.unsubscribe_all(name, waiter, now));
        }
        shared.forget_subscribers(name);
        reply
    }

    fn is_released(&self) -> bool {
        !self.is_one_of(&lock(&self.shared().channels))
    }

    /// Whether it is still the channel of its name.
    fn is_one_of(&self, channels: &Channels) -> bool {
        channels.get(self.name()).is_some_and(|own| Arc::ptr_eq(&own, &self.members))
    }
}

impl Sealed for Channel {}

#[async_trait]
impl ClientSessionChannel for Channel {
    fn id(&self) -> &ChannelId {
        &self.members.id
    }

    fn add_listener(&self, listener: Arc<dyn MessageListener>) -> Registration {
        self.members.listeners.add(listener)
    }

    async fn subscribe(
        &self,
        listener: Arc<dyn MessageListener>,
    ) -> Result<Registration, RequestError> {
        self.subscribe_listener(listener).await
    }

    async fn unsubscribe(&self) -> Result<(), RequestError> {
        Self::unsubscribe(self).await.map(drop)
    }

    async fn publish(&self, message: Message) -> Result<Message, RequestError> {
        self.publish_message(message).await
    }

    fn release(&self) -> Result<(), ReleasedError> {
        let mut channels = lock(&self.shared().channels);
        if !self.members.listeners.is_empty() || !self.members.subscribers.is_empty() {
            return Err(ReleasedError);
        }
        // Another may have the name by now.
        if self.is_one_of(&channels) {
            channels.remove(self.name());
        }
        Ok(())
    }

    fn attribute(&self, name: &str) -> Option<Attribute> {
        lock(&self.members.attributes).get(name)
    }

    fn set_attribute(&self, name: &str, value: Attribute) -> Option<Attribute> {
        lock(&self.members.attributes).set(name, value)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Channel").field(&self.members.id).finish()
    }
}

/// The future of a subscription. It has been asked for, whether this is awaited or not; dropping it
/// unsubscribes.
#[derive(Debug)]
#[must_use = "dropping it unsubscribes"]
pub struct Subscribing {
    reply: Reply,
    messages: Option<Messages>,
}

impl Future for Subscribing {
    type Output = Result<Messages, RequestError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let reply = ready!(Pin::new(&mut self.reply).poll(context));
        let messages = self.messages.take().ok_or(RequestError::Released);
        Poll::Ready(reply.and(messages))
    }
}

/// What is published on a channel. Dropping it unsubscribes, in the background; it keeps the client
/// alive.
#[derive(Debug)]
pub struct Messages {
    receiver: mpsc::Receiver<Message>,
    membership: Membership,
}

impl Messages {
    /// Waits for the next message; none when the session has ended.
    ///
    /// # Cancel safety
    ///
    /// No message is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Message> {
        self.receiver.recv().await
    }

    /// Returns a message if one is there.
    pub fn try_next(&mut self) -> Option<Message> {
        self.receiver.try_recv().ok()
    }

    /// Ends this subscription and returns the future of the server's reply, or of one in its place
    /// when the channel has other subscribers.
    pub fn unsubscribe(mut self) -> Reply {
        let (waiter, reply) = Reply::new();
        self.membership.leave(Some(waiter));
        reply
    }
}

impl Stream for Messages {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Message>> {
        self.receiver.poll_recv(context)
    }
}

/// One subscriber's place, which it leaves when this is dropped.
struct Membership {
    _client: Arc<Owner>,
    shared: Weak<Shared>,
    channel: Arc<Members>,
    member: u64,
    registration: Option<Registration>,
}

impl Membership {
    fn leave(&mut self, waiter: Option<crate::reply::Waiter>) {
        let (Some(registration), Some(shared)) = (self.registration.take(), self.shared.upgrade())
        else {
            return;
        };
        drop(registration);
        let name = self.channel.id.as_str();
        shared.input(|machine, now| machine.unsubscribe(name, self.member, waiter, now));
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.leave(None);
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Membership").field(&self.channel.id).finish()
    }
}

/// The place of a listener, which it leaves at the end of its registration. One that is kept is dropped
/// without that.
struct Listening(Membership);

impl Listening {
    fn end(&mut self) {
        self.0.leave(None);
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(registration) = self.0.registration.take() {
            registration.keep();
        }
    }
}

/// Hands the messages of a channel to a stream.
struct Forward(mpsc::Sender<Message>);

#[async_trait]
impl MessageListener for Forward {
    async fn on_message(&self, _channel: &dyn ClientSessionChannel, message: &Message) {
        let _ = self.0.send(message.clone()).await;
    }
}

/// How many messages a stream holds.
const STREAM: usize = 256;

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::BayeuxClient;

    #[test]
    fn who_joins_a_channel_that_is_released_meanwhile_is_told() {
        let client = BayeuxClient::builder().url("http://127.0.0.1/").build().unwrap();
        for round in 0..5000 {
            let joined = client.channel("/a").unwrap();
            let released = joined.clone();
            let both = Barrier::new(2);
            let (mut subscribing, is_released) = std::thread::scope(|scope| {
                let joining = scope.spawn(|| {
                    both.wait();
                    joined.subscribe()
                });
                both.wait();
                let is_released = released.release().is_ok();
                (joining.join().unwrap(), is_released)
            });
            let mut context = Context::from_waker(std::task::Waker::noop());
            let Poll::Ready(Err(error)) = Pin::new(&mut subscribing).poll(&mut context) else {
                panic!("there is no session");
            };
            assert_eq!(error == RequestError::Released, is_released, "round {round}: {error}");
        }
    }
}
