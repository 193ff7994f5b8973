//! What one session of a link is subscribed to: brought in line with what is observed, one round after the other, so
//! that no answer overtakes what was asked for since.

use std::{
    collections::HashSet,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bayeux_api::{
    ChannelId, Message,
    client::{ClientSessionChannel, MessageListener, RequestError},
};
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, join_all},
};
use serde_json::json;
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    SendError, Sending,
    mesh::{Inner, link::Link},
};

/// The subscriptions of a session, for as long as this lives.
pub(super) struct Subscriptions {
    wakes: Arc<Wakes>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Wakes {
    changed: Notify,
    again: Notify,
}

/// What a task keeps of one session.
struct Session {
    link: Weak<Link>,
    mesh: Weak<Inner>,
    subscribed: HashSet<ChannelId>,
    /// What the node has refused: it is asked for again after a while.
    refused: HashSet<ChannelId>,
    /// What the connection broke over: whether the node has the subscription, nobody knows.
    unsure: HashSet<ChannelId>,
}

/// Where a session stands.
enum Standing {
    /// It is subscribed to what is observed, as far as the node lets it.
    InLine,
    /// Something was changed, and more may be to change.
    Changed,
    /// Something has to be said again.
    Unsure,
}

/// What a node says of a subscription, if anything.
enum Answer {
    Held,
    Refused,
    None,
}

impl<T> From<&Result<T, RequestError>> for Answer {
    fn from(result: &Result<T, RequestError>) -> Self {
        match result {
            Ok(_) => Self::Held,
            Err(RequestError::Refused(_)) => Self::Refused,
            Err(_) => Self::None,
        }
    }
}

/// How much is asked for at once, that it goes through where messages may have 64 KiB.
pub(super) const MOST: usize = 100;
const MOST_BYTES: usize = 16 * 1024;

/// How long until that is said again which the connection broke over.
const PAUSE: Duration = Duration::from_millis(500);

impl Subscriptions {
    /// Subscribes, tells which nodes there are, and joins.
    pub(super) fn open(link: &Arc<Link>, mesh: &Arc<Inner>, known: Vec<String>) -> Self {
        let wakes = Arc::new(Wakes::default());
        let follow = follow(Arc::downgrade(link), Arc::downgrade(mesh), wakes.clone(), known);
        Self { wakes, _task: AbortOnDropHandle::new(tokio::spawn(follow)) }
    }

    /// What is observed has changed. May be called from any thread.
    pub(super) fn changed(&self) {
        self.wakes.changed.notify_one();
    }

    /// It is time to ask again for what was refused.
    pub(super) fn again(&self) {
        self.wakes.again.notify_one();
    }
}

/// Keeps neither link nor mesh while it waits.
async fn follow(link: Weak<Link>, mesh: Weak<Inner>, wakes: Arc<Wakes>, known: Vec<String>) {
    let mut session = Session {
        link,
        mesh,
        subscribed: HashSet::new(),
        refused: HashSet::new(),
        unsure: HashSet::new(),
    };
    if session.join(&known).await.is_none() {
        return;
    }
    while let Some(standing) = session.adjust().await {
        match standing {
            Standing::Changed => {}
            Standing::Unsure => tokio::time::sleep(PAUSE).await,
            Standing::InLine => tokio::select! {
                () = wakes.changed.notified() => {}
                () = wakes.again.notified() => session.refused.clear(),
            },
        }
    }
}

impl Session {
    /// Joins the node: what is observed is subscribed to by then, as with CometD, in as many rounds as it takes.
    async fn join(&mut self, known: &[String]) -> Option<()> {
        let mut rounds = rounds(wanted(&*self.mesh.upgrade()?).collect());
        let last = rounds.pop().unwrap_or_default();
        for round in rounds {
            let answers = self.subscribe(round)?.await;
            self.answered(answers);
        }
        let begun = Instant::now();
        let (asked, joined) = self.enter(last, known)?;
        let joined = joined.await;
        self.joined(&joined, begun)?;
        let answers = asked.await;
        self.answered(answers);
        Some(())
    }

    /// Asks for the last subscriptions, and to be joined, in one batch.
    fn enter(&self, last: Vec<ChannelId>, known: &[String]) -> Option<(Asked, Sending)> {
        let (link, mesh) = (self.link.upgrade()?, self.mesh.upgrade()?);
        let _batch = link.client().start_batch();
        let asked = self.subscribe(last)?;
        drop(link.publish(Message::with_data("/oort/cloud", json!(known))));
        let own = json!({ "oortId": mesh.own.id(), "oortURL": mesh.own.url() });
        Some((asked, link.publish(Message::with_data("/service/oort", own))))
    }

    fn joined(&self, joined: &Result<(), SendError>, begun: Instant) -> Option<()> {
        let (link, mesh) = (self.link.upgrade()?, self.mesh.upgrade()?);
        match joined {
            Ok(()) => link.took(begun.elapsed()),
            Err(error) => tracing::info!(url = link.url(), %error, "a node did not take the join"),
        }
        mesh.input(|machine, now| machine.opened(link.id(), joined.is_ok(), now));
        Some(())
    }

    /// Asks for what is missing, and takes back what is not observed any more; returns nothing if the link is gone.
    async fn adjust(&mut self) -> Option<Standing> {
        let wanted: HashSet<_> = wanted(&*self.mesh.upgrade()?).collect();
        self.refused.retain(|channel| wanted.contains(channel));
        let subscribed = self.subscribed.extract_if(|own| !wanted.contains(own));
        let others = subscribed.chain(self.unsure.extract_if(|own| !wanted.contains(own)));
        let others: Vec<_> = others.collect();
        let is_missing = |channel: &ChannelId| {
            !self.subscribed.contains(channel) && !self.refused.contains(channel)
        };
        let missing: Vec<_> = wanted.into_iter().filter(is_missing).collect();
        if others.is_empty() && missing.is_empty() {
            return Some(Standing::InLine);
        }
        for round in rounds(others) {
            let unsure = self.unsubscribe(round)?.await;
            self.unsure.extend(unsure);
        }
        for round in rounds(missing) {
            let answers = self.subscribe(round)?.await;
            self.answered(answers);
        }
        Some(if self.unsure.is_empty() { Standing::Changed } else { Standing::Unsure })
    }

    /// Ends subscriptions; the future is of those that nobody knows of whether they have ended. A node that
    /// refuses has ended them itself, or the session.
    fn unsubscribe(
        &self,
        channels: Vec<ChannelId>,
    ) -> Option<impl Future<Output = Vec<ChannelId>> + use<>> {
        let link = self.link.upgrade()?;
        let _batch = link.client().start_batch();
        let told = channels.into_iter().filter_map(|id| {
            let told = link.client().channel(id.as_str()).ok()?.unsubscribe();
            Some(async move { matches!(Answer::from(&told.await), Answer::None).then_some(id) })
        });
        let told = join_all(told);
        Some(async move { told.await.into_iter().flatten().collect() })
    }

    /// Asks for subscriptions, now; the future is of the answers.
    fn subscribe(&self, channels: Vec<ChannelId>) -> Option<Asked> {
        let link = self.link.upgrade()?;
        let _batch = link.client().start_batch();
        let asked = channels.into_iter().filter_map(|id| {
            let channel = link.client().channel(id.as_str()).ok()?;
            let url = link.url().to_owned();
            Some(async move {
                let asked = channel.subscribe_listener(Arc::new(Nothing)).await;
                let answer = Answer::from(&asked);
                match asked {
                    Ok(subscribed) => subscribed.keep(),
                    Err(error) if matches!(answer, Answer::Refused) => {
                        tracing::info!(url, channel = id.as_str(), %error, "a node refuses");
                    }
                    Err(error) => {
                        tracing::debug!(url, channel = id.as_str(), %error, "it is asked for again");
                    }
                }
                (id, answer)
            })
        });
        let mut all = join_all(asked).boxed();
        // What is asked for is asked for now: in one batch, before what is said after it.
        Some(match all.as_mut().now_or_never() {
            Some(answers) => std::future::ready(answers).boxed(),
            None => all,
        })
    }

    fn answered(&mut self, answers: Vec<(ChannelId, Answer)>) {
        for (channel, answer) in answers {
            self.unsure.remove(&channel);
            let set = match answer {
                Answer::Held => &mut self.subscribed,
                Answer::Refused => &mut self.refused,
                Answer::None => &mut self.unsure,
            };
            set.insert(channel);
        }
    }
}

/// What was said of the subscriptions that were asked for.
type Asked = BoxFuture<'static, Vec<(ChannelId, Answer)>>;

/// Parts what is to be asked for into what is asked for at once.
fn rounds(channels: Vec<ChannelId>) -> Vec<Vec<ChannelId>> {
    let mut rounds = Vec::new();
    let (mut round, mut bytes) = (Vec::new(), 0);
    for channel in channels {
        bytes += channel.as_str().len();
        if round.len() == MOST || (bytes > MOST_BYTES && !round.is_empty()) {
            bytes = channel.as_str().len();
            rounds.push(std::mem::take(&mut round));
        }
        round.push(channel);
    }
    rounds.push(round);
    rounds.retain(|round| !round.is_empty());
    rounds
}

/// What a link subscribes to: the cloud's own channel first, as CometD does.
fn wanted(mesh: &Inner) -> impl Iterator<Item = ChannelId> + use<> {
    let cloud = ChannelId::new("/oort/cloud").expect("it is a channel");
    [cloud].into_iter().chain(mesh.observed_channels())
}

/// Gets what is subscribed to, which is heard by the listener to all.
struct Nothing;

#[async_trait]
impl MessageListener for Nothing {
    async fn on_message(&self, _channel: &dyn ClientSessionChannel, _message: &Message) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_at_once_goes_through_where_messages_are_small() {
        let of = |count: usize, length: usize| -> Vec<usize> {
            let name = |n: usize| ChannelId::new(&format!("/{n:0length$}")).unwrap();
            rounds((0..count).map(name).collect()).iter().map(Vec::len).collect()
        };
        assert_eq!(of(0, 1), [] as [usize; 0]);
        assert_eq!(of(1, 1), [1]);
        assert_eq!(of(250, 3), [100, 100, 50]);
        assert_eq!(of(100, 1_000), [16, 16, 16, 16, 16, 16, 4]);
    }
}
