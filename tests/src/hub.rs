//! A small backplane inside the program, which joins the servers of a test to a cluster. It says what a
//! server asked of it, notices when joins and leaves of a channel do not take turns, and fails as told to.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use bayeux_server::api::{
    ChannelId, Frozen,
    implement::lock,
    server::{Backplane, Inlet, Passage, ServerSession, Unavailable},
};
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::{AGES, hooks::Log};

/// What joins servers: each has a [`Node`] of it.
#[derive(Clone, Debug)]
pub struct Hub {
    passage: Passage,
    nodes: Arc<Mutex<Vec<Arc<Node>>>>,
}

/// One server's backplane.
#[derive(Debug)]
pub struct Node {
    /// What the server asked: `join /a`, `leave /a` and `publish /a`.
    pub calls: Log,
    /// What it should not have: a join of what is joined, or two calls at once.
    pub faults: Log,
    hub: Hub,
    timeout: Duration,
    inlet: OnceLock<Inlet>,
    queue: mpsc::UnboundedSender<Passed>,
    states: Mutex<HashMap<ChannelId, State>>,
    troubles: Mutex<HashMap<String, Trouble>>,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It fails.
    Fails,
    /// It never ends.
    Hangs,
    /// It panics.
    Panics,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Joining,
    Joined,
    Leaving,
}

/// A message on its way to a server.
#[derive(Debug)]
struct Passed {
    array: Bytes,
    is_lazy: bool,
    /// Who published it, if it comes back.
    back: Option<Option<Arc<dyn ServerSession>>>,
}

impl Hub {
    /// Makes a hub whose messages pass through, or come back in the one order that it has for all.
    pub fn new(passage: Passage) -> Self {
        Self { passage, nodes: Arc::default() }
    }

    /// Makes a backplane for one server, which gives its calls [ages](AGES).
    pub fn node(&self) -> Arc<Node> {
        self.node_with(AGES)
    }

    /// Makes a backplane for one server, which gives its calls so much time.
    pub fn node_with(&self, timeout: Duration) -> Arc<Node> {
        let (queue, passed) = mpsc::unbounded_channel();
        let node = Arc::new(Node {
            calls: Log::default(),
            faults: Log::default(),
            hub: self.clone(),
            timeout,
            inlet: OnceLock::new(),
            queue,
            states: Mutex::default(),
            troubles: Mutex::default(),
        });
        lock(&self.nodes).push(node.clone());
        tokio::spawn(bring(node.clone(), passed));
        node
    }

    fn pass(&self, from: Option<&Arc<dyn ServerSession>>, own: &Node, message: &Frozen) {
        // All get what comes back in one order.
        let nodes = lock(&self.nodes);
        let id = ChannelId::new(message.channel()).expect("it was published");
        for node in nodes.iter().filter(|node| node.is_interested(&id)) {
            let is_own = std::ptr::eq(&**node, own);
            if is_own && self.passage == Passage::Through {
                continue;
            }
            let back = is_own.then(|| from.cloned());
            let (array, is_lazy) = (message.array().clone(), message.is_lazy());
            // One whose server is gone takes nothing.
            let _ = node.queue.send(Passed { array, is_lazy, back });
        }
    }
}

impl Node {
    /// Lets a call end in trouble from now on, such as `join /a`; none for all to go well.
    pub fn set_trouble(&self, call: &str, trouble: Option<Trouble>) {
        let mut troubles = lock(&self.troubles);
        match trouble {
            Some(trouble) => troubles.insert(call.to_owned(), trouble),
            None => troubles.remove(call),
        };
    }

    /// Returns the channels that are joined, or that a call is about.
    pub fn channels(&self) -> Vec<String> {
        let mut channels: Vec<_> = lock(&self.states).keys().map(ToString::to_string).collect();
        channels.sort();
        channels
    }

    /// Returns the server's inlet.
    ///
    /// # Panics
    ///
    /// When no server was built with this node.
    pub fn inlet(&self) -> &Inlet {
        self.inlet.get().expect("a server has it")
    }

    fn is_interested(&self, id: &ChannelId) -> bool {
        let states = lock(&self.states);
        states.iter().any(|(own, state)| *state == State::Joined && own.matches(id))
    }

    /// Begins or ends a call; none is to be under way or to have succeeded before it, as `before` says.
    fn step(&self, id: &ChannelId, before: Option<State>, after: Option<State>) {
        let mut states = lock(&self.states);
        let found = match after {
            Some(after) => states.insert(id.clone(), after),
            None => states.remove(id),
        };
        if found != before {
            self.faults.add(format!("{id}: {found:?} in place of {before:?}"));
        }
    }

    async fn meet(&self, call: String) -> Result<(), Unavailable> {
        let trouble = lock(&self.troubles).get(&call).copied();
        self.calls.add(call);
        // Time for others.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        match trouble {
            None => Ok(()),
            Some(Trouble::Fails) => Err(Unavailable::new("as the test wants it")),
            Some(Trouble::Hangs) => std::future::pending().await,
            Some(Trouble::Panics) => panic!("of the test"),
        }
    }
}

#[async_trait]
impl Backplane for Node {
    fn start(&self, inlet: Inlet) {
        self.inlet.set(inlet).expect("a node is of one server");
    }

    async fn publish(
        &self,
        from: Option<&Arc<dyn ServerSession>>,
        channel: &ChannelId,
        message: &Arc<Frozen>,
    ) -> Result<Passage, Unavailable> {
        self.meet(format!("publish {channel}")).await?;
        self.hub.pass(from, self, message);
        Ok(self.hub.passage)
    }

    async fn join(&self, channel: &ChannelId) -> Result<(), Unavailable> {
        self.step(channel, None, Some(State::Joining));
        let mut call = Call { node: self, channel, after: None };
        self.meet(format!("join {channel}")).await?;
        call.after = Some(State::Joined);
        Ok(())
    }

    async fn leave(&self, channel: &ChannelId) {
        self.step(channel, Some(State::Joined), Some(State::Leaving));
        let _call = Call { node: self, channel, after: None };
        let _ = self.meet(format!("leave {channel}")).await;
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }
}

/// A join or leave, which may be dropped.
struct Call<'a> {
    node: &'a Node,
    channel: &'a ChannelId,
    after: Option<State>,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let before = match self.after {
            Some(_) => State::Joining,
            None => return self.give_up(),
        };
        self.node.step(self.channel, Some(before), self.after);
    }
}

impl Call<'_> {
    fn give_up(&self) {
        let mut states = lock(&self.node.states);
        let found = states.remove(self.channel);
        if !matches!(found, Some(State::Joining | State::Leaving)) {
            self.node.faults.add(format!("{}: {found:?} at the end of a call", self.channel));
        }
    }
}

/// Brings what was passed on to a server.
async fn bring(node: Arc<Node>, mut passed: mpsc::UnboundedReceiver<Passed>) {
    while let Some(Passed { array, is_lazy, back }) = passed.recv().await {
        let mut message = Frozen::from_array(array).expect("a server published it");
        message.set_lazy(is_lazy);
        let message = Arc::new(message);
        let inlet = node.inlet();
        match back {
            Some(from) => inlet.receive_back(from.as_ref(), &message).await,
            None => inlet.receive(None, &message).await,
        };
    }
}
