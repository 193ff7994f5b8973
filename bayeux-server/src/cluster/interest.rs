//! Which channels are of interest here: a channel is joined for the first subscriber, who waits for that,
//! and left after the last. What is to be done is [`Membership`]'s matter; the calls are tasks of their
//! own, since neither does an unsubscribe wait for a leave, nor may a join end with the one who asked.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::{Arc, Mutex},
};

use bayeux_api::{ChannelId, implement::lock};
use tokio::{runtime::Handle, sync::oneshot};
use tokio_util::task::TaskTracker;

use crate::{
    cluster::calls::Calls,
    proto::membership::{Ended, Membership, Next},
};

/// All channels that are joined, or are about to be.
#[derive(Debug)]
pub(crate) struct Interests {
    calls: Calls,
    members: Mutex<Members>,
    tasks: TaskTracker,
}

#[derive(Default)]
struct Members {
    of: HashMap<ChannelId, Membership<Waiter>>,
    is_over: bool,
    /// Where those are left who are let go outside of a runtime.
    runtime: Option<Handle>,
}

/// Dropped, it tells that the channel was not joined.
type Waiter = oneshot::Sender<Interest>;

/// As long as it is there, messages of others on a channel come in.
pub(crate) struct Interest {
    interests: Arc<Interests>,
    id: ChannelId,
}

impl Interests {
    pub(super) fn new(calls: Calls) -> Self {
        Self { calls, members: Mutex::default(), tasks: TaskTracker::new() }
    }

    /// Has the channel joined unless it is; none when that fails, or the server is over.
    pub(super) async fn begin(self: &Arc<Self>, id: &ChannelId) -> Option<Interest> {
        let (waiter, answer) = oneshot::channel();
        let is_first = {
            let mut members = lock(&self.members);
            if members.is_over {
                return None;
            }
            members.runtime = Handle::try_current().ok().or_else(|| members.runtime.take());
            match members.of.entry(id.clone()) {
                Entry::Occupied(mut member) => {
                    if member.get_mut().enter() {
                        return Some(Interest { interests: self.clone(), id: id.clone() });
                    }
                    member.get_mut().wait(waiter);
                    false
                }
                Entry::Vacant(place) => {
                    place.insert(Membership::begin(waiter));
                    true
                }
            }
        };
        if is_first {
            self.start(id, Next::Join);
        }
        answer.await.ok()
    }

    fn let_go(self: &Arc<Self>, id: &ChannelId) {
        let next = lock(&self.members).of.get_mut(id).map(Membership::let_go);
        self.start(id, next.unwrap_or(Next::Rest));
    }

    /// Leaves all channels, and joins no more.
    pub(super) fn end(self: &Arc<Self>) {
        let joined: Vec<_> = {
            let mut members = lock(&self.members);
            members.is_over = true;
            let ended = members.of.iter_mut().map(|(id, member)| (id.clone(), member.end()));
            ended.collect()
        };
        for (id, next) in joined {
            self.start(&id, next);
        }
        self.tasks.close();
    }

    /// Waits until no call is under way any more.
    pub(super) async fn left(&self) {
        self.tasks.wait().await;
    }

    /// Begins what is to be done, in a task. Without a runtime nothing can be done any more.
    fn start(self: &Arc<Self>, id: &ChannelId, next: Next) {
        if next == Next::Rest {
            return;
        }
        let runtime = Handle::try_current().ok().or_else(|| lock(&self.members).runtime.clone());
        let work = Work { interests: self.clone(), id: id.clone(), is_done: false };
        if let Some(runtime) = runtime {
            self.tasks.spawn_on(work.run(next), &runtime);
        }
    }
}

/// The calls for one channel, of which there is one at a time.
struct Work {
    interests: Arc<Interests>,
    id: ChannelId,
    is_done: bool,
}

impl Work {
    async fn run(mut self, mut next: Next) {
        loop {
            let ended = match next {
                Next::Join => {
                    let succeeded = self.interests.calls.join(&self.id).await;
                    self.note(|member, is_over| member.joined(succeeded, is_over))
                }
                Next::Leave => {
                    self.interests.calls.leave(&self.id).await;
                    self.note(Membership::left)
                }
                Next::Rest | Next::Forget => return,
            };
            let Some(ended) = ended else { return };
            next = ended.next;
            self.is_done = matches!(next, Next::Rest | Next::Forget);
            // Without an answer they know.
            drop(ended.refused);
            for waiter in ended.interested {
                let interest = Interest { interests: self.interests.clone(), id: self.id.clone() };
                // Who waits no more lets it go, which may begin the next work.
                let _ = waiter.send(interest);
            }
        }
    }

    /// Notes the end of a call.
    fn note(
        &self,
        note: impl FnOnce(&mut Membership<Waiter>, bool) -> Ended<Waiter>,
    ) -> Option<Ended<Waiter>> {
        let mut members = lock(&self.interests.members);
        let is_over = members.is_over;
        let ended = note(members.of.get_mut(&self.id)?, is_over);
        if ended.next == Next::Forget {
            members.of.remove(&self.id);
        }
        Some(ended)
    }
}

/// When the runtime ends in the middle of a call, the channel is forgotten, and those who wait for it are
/// refused.
impl Drop for Work {
    fn drop(&mut self) {
        if !self.is_done {
            let gone = lock(&self.interests.members).of.remove(&self.id);
            drop(gone);
        }
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        self.interests.let_go(&self.id);
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Interest").field(&self.id).finish()
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} channels", self.of.len())
    }
}
