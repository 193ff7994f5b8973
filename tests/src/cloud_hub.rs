//! A cloud inside the program: nodes that are joined by queues, without a network. What stands above the
//! [`Cloud`] trait is tested over it and over the mesh.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::{Arc, Mutex, OnceLock},
};

use async_trait::async_trait;
use bayeux_oort::{Cloud, CloudListener, Comet, SendError, Sending, StartError};
use bayeux_server::{
    Server,
    api::{ChannelId, Message, implement::lock},
};
use tokio::sync::mpsc;

/// What joins nodes: each has a [`HubCloud`] of it. A node joins all others when it starts.
#[derive(Clone, Debug, Default)]
pub struct CloudHub(Arc<Mutex<Hub>>);

#[derive(Debug, Default)]
struct Hub {
    nodes: BTreeMap<String, Arc<Node>>,
    /// Pairs of URLs between which nothing passes.
    cuts: HashSet<(String, String)>,
    filter: Option<Filter>,
    held: Option<Held>,
}

/// What is held back, of that for which the filter is true.
#[derive(Debug)]
struct Held {
    filter: Filter,
    messages: Vec<(Comet, Comet, Message)>,
}

/// What becomes of a message.
#[derive(Clone)]
struct Filter(Arc<Passes>);

type Passes = dyn Fn(&Comet, &Comet, &Message) -> bool + Send + Sync;

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Filter")
    }
}

/// One node's way to the others.
#[derive(Clone, Debug)]
pub struct HubCloud(Arc<Node>);

#[derive(Debug)]
struct Node {
    own: Comet,
    hub: CloudHub,
    server: OnceLock<Server>,
    queue: OnceLock<mpsc::UnboundedSender<Event>>,
    observed: Mutex<HashSet<ChannelId>>,
    joined: Mutex<BTreeMap<String, Comet>>,
}

#[derive(Debug)]
enum Event {
    Joined(Comet),
    Left(Comet),
    Observed(Comet, ChannelId),
    Received(Comet, Box<Message>),
}

impl CloudHub {
    /// Makes the way of one node to the others, which begins when its `Oort` is started.
    pub fn cloud(&self, id: &str, url: &str) -> Arc<HubCloud> {
        Arc::new(HubCloud(Arc::new(Node {
            own: Comet::new(id, url),
            hub: self.clone(),
            server: OnceLock::new(),
            queue: OnceLock::new(),
            observed: Mutex::default(),
            joined: Mutex::default(),
        })))
    }

    /// Lets only those messages pass for which `passes` is true: it gets who sends, to whom, and what.
    pub fn set_filter(
        &self,
        passes: impl Fn(&Comet, &Comet, &Message) -> bool + Send + Sync + 'static,
    ) {
        lock(&self.0).filter = Some(Filter(Arc::new(passes)));
    }

    /// Lets all messages pass.
    pub fn clear_filter(&self) {
        lock(&self.0).filter = None;
    }

    /// Holds back those messages for which `is_held` is true, until they are [released](Self::release).
    pub fn hold(&self, is_held: impl Fn(&Comet, &Comet, &Message) -> bool + Send + Sync + 'static) {
        let filter = Filter(Arc::new(is_held));
        lock(&self.0).held = Some(Held { filter, messages: Vec::new() });
    }

    /// Returns how many messages are held back.
    pub fn held(&self) -> usize {
        lock(&self.0).held.as_ref().map_or(0, |held| held.messages.len())
    }

    /// Lets what was held back arrive, after what has arrived meanwhile, in the order that `arrange` gives it.
    pub fn release(&self, arrange: impl FnOnce(&mut Vec<(Comet, Comet, Message)>)) {
        let mut hub = lock(&self.0);
        let Some(Held { mut messages, .. }) = hub.held.take() else { return };
        arrange(&mut messages);
        for (from, to, message) in messages {
            if let Some(node) = hub.nodes.get(to.id()) {
                node.note(Event::Received(from, Box::new(message)));
            }
        }
    }

    /// Cuts two nodes off from each other: each is told that the other left.
    pub fn cut(&self, one: &str, other: &str) {
        let mut hub = lock(&self.0);
        hub.cuts.insert((one.to_owned(), other.to_owned()));
        hub.cuts.insert((other.to_owned(), one.to_owned()));
        if let (Some(one), Some(other)) = (hub.by_url(one), hub.by_url(other)) {
            one.forget(&other.own);
            other.forget(&one.own);
        }
    }

    /// Has one node lose another, which goes on to know it: what the one sends does not get there, and what the
    /// other sends comes of a node that has left.
    pub fn lose(&self, who: &str, other: &str) {
        let hub = lock(&self.0);
        if let (Some(who), Some(other)) = (hub.by_url(who), hub.by_url(other)) {
            who.forget(&other.own);
        }
    }

    /// Heals what was [cut](Self::cut) or [lost](Self::lose).
    pub fn heal(&self, one: &str, other: &str) {
        let mut hub = lock(&self.0);
        hub.cuts.remove(&(one.to_owned(), other.to_owned()));
        hub.cuts.remove(&(other.to_owned(), one.to_owned()));
        if let (Some(one), Some(other)) = (hub.by_url(one), hub.by_url(other)) {
            hub.join(&one, &other);
        }
    }
}

impl Hub {
    fn by_url(&self, url: &str) -> Option<Arc<Node>> {
        self.nodes.values().find(|node| node.own.url() == url).cloned()
    }

    /// Joins two nodes: each that does not know the other hears of it, and both what the other observes, since
    /// either may have missed something.
    fn join(&self, one: &Arc<Node>, other: &Arc<Node>) {
        if self.cuts.contains(&(one.own.url().to_owned(), other.own.url().to_owned())) {
            return;
        }
        for (own, new) in [(one, other), (other, one)] {
            let known = lock(&own.joined).insert(new.own.id().to_owned(), new.own.clone());
            if known.is_none() {
                own.note(Event::Joined(new.own.clone()));
            }
            for channel in lock(&new.observed).iter() {
                own.note(Event::Observed(new.own.clone(), channel.clone()));
            }
        }
    }
}

impl Node {
    fn note(&self, event: Event) {
        if let Some(queue) = self.queue.get() {
            // A node that has stopped hears nothing.
            let _ = queue.send(event);
        }
    }

    fn forget(&self, other: &Comet) {
        if lock(&self.joined).remove(other.id()).is_some() {
            self.note(Event::Left(other.clone()));
        }
    }

    fn pass(&self, hub: &mut Hub, to: &Comet, message: Message) -> Result<(), SendError> {
        let is_joined = lock(&self.joined).contains_key(to.id());
        if let Some(held) = hub.held.as_mut().filter(|_| is_joined)
            && held.filter.0(&self.own, to, &message)
        {
            held.messages.push((self.own.clone(), to.clone(), message));
            return Ok(());
        }
        let node = hub.nodes.get(to.id()).filter(|_| is_joined);
        let node = node.ok_or_else(|| SendError::NotJoined(to.url().to_owned()))?;
        let passes = hub.filter.as_ref().is_none_or(|filter| filter.0(&self.own, to, &message));
        if passes {
            node.note(Event::Received(self.own.clone(), Box::new(message)));
        }
        Ok(())
    }
}

#[async_trait]
impl Cloud for HubCloud {
    fn own(&self) -> &Comet {
        &self.0.own
    }

    fn comets(&self) -> Vec<Comet> {
        lock(&self.0.joined).values().cloned().collect()
    }

    async fn start(
        &self,
        server: &Server,
        listener: Arc<dyn CloudListener>,
    ) -> Result<(), StartError> {
        let (queue, mut events) = mpsc::unbounded_channel();
        self.0.queue.set(queue).map_err(|_| StartError::Started)?;
        self.0.server.set(server.clone()).map_err(|_| StartError::Started)?;
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                match event {
                    Event::Joined(comet) => listener.joined(&comet),
                    Event::Left(comet) => listener.left(&comet),
                    Event::Observed(comet, channel) => listener.observed(&comet, &channel),
                    Event::Received(comet, message) => listener.received(&comet, *message).await,
                }
            }
        });
        let mut hub = lock(&self.0.hub.0);
        for other in hub.nodes.values() {
            hub.join(&self.0, other);
        }
        hub.nodes.insert(self.0.own.id().to_owned(), self.0.clone());
        Ok(())
    }

    fn observe(&self, channel: &ChannelId) {
        let hub = lock(&self.0.hub.0);
        lock(&self.0.observed).insert(channel.clone());
        for comet in self.comets() {
            if let Some(node) = hub.nodes.get(comet.id()) {
                node.note(Event::Observed(self.0.own.clone(), channel.clone()));
            }
        }
    }

    fn deobserve(&self, channel: &ChannelId) {
        lock(&self.0.observed).remove(channel);
    }

    async fn broadcast(&self, message: Message) -> Result<(), SendError> {
        let server = self.0.server.get().ok_or(SendError::Stopped)?;
        let channel = ChannelId::new(message.channel()).expect("it is a channel");
        let own = server.create_channel_if_absent(channel.as_str()).expect("it is a channel");
        {
            let mut hub = lock(&self.0.hub.0);
            for comet in self.comets() {
                let Some(node) = hub.nodes.get(comet.id()) else { continue };
                let is_observed = lock(&node.observed).iter().any(|one| one.matches(&channel));
                if is_observed {
                    self.0.pass(&mut hub, &comet, message.clone())?;
                }
            }
        }
        own.publish(message).await.map_err(|error| SendError::Failed(error.to_string()))?;
        Ok(())
    }

    fn send(&self, to: &Comet, message: Message) -> Sending {
        let sent = self.0.pass(&mut lock(&self.0.hub.0), to, message);
        Box::pin(std::future::ready(sent))
    }

    async fn stop(&self) {
        let mut hub = lock(&self.0.hub.0);
        hub.nodes.remove(self.0.own.id());
        for node in hub.nodes.values() {
            node.forget(&self.0.own);
        }
        lock(&self.0.joined).clear();
    }
}
