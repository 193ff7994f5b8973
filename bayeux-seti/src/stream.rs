//! What goes to the other nodes, one after the other: each broadcast is handed over before the next is made.

use std::{sync::Arc, time::Duration};

use bayeux_api::{Json, Message};
use bayeux_oort::Comet;

use crate::{
    engine::{Inner, now},
    proto::{
        announcements::Announcement,
        id::{ALL, channel_of},
        listing::{Room, Way},
        presence::{MUCH, Output},
        wire::Saying,
    },
};

impl Inner {
    /// Sends what there is, until this ends, which is the last that is sent.
    pub(crate) async fn send(self: Arc<Self>) {
        // Whoever waits for the end waits no longer than there is somebody to come to it.
        let _ended = self.ended.clone().drop_guard();
        while let Some(output) = self.next_output().await {
            // What has begun to go has gone before the end does: where it is dropped, the server brings it to its end
            // all the same, and maybe after this.
            self.perform(output).await;
        }
        // Where the cloud is left already, the others know.
        self.broadcast(ALL, Saying::stop(self.own().url()).json()).await;
        self.leave().await;
    }

    /// Waits for what is next; none when this ends.
    async fn next_output(&self) -> Option<Output> {
        loop {
            let (output, deadline) =
                self.presence(|presence| (presence.next(now()), presence.deadline()));
            if output.is_some() {
                return output;
            }
            let due = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                () = self.to_send.notified() => {}
                () = self.stopped.cancelled() => return None,
            }
        }
    }

    async fn perform(&self, output: Output) {
        let url = self.own().url();
        let (to, saying) = match output {
            Output::Announce(Announcement { change, users }) => {
                let users = users.iter().map(|user| &**user);
                (None, Saying::change(url, change, users).json())
            }
            Output::List(to) => {
                let way = self.way(&to);
                let part = self.advance(|presence, now| presence.part(&to, way, now));
                let Some(part) = part else { return };
                (Some(to), Saying::part(url, &part).json())
            }
            Output::Check { to, digest } => (Some(to), Saying::check(url, digest).json()),
            Output::Ask(to) => (Some(to), Saying::ask(url).json()),
        };
        let channel = to.as_ref().map_or_else(|| ALL.to_owned(), |to| channel_of(to.url()));
        if !self.broadcast(&channel, saying).await {
            self.advance(|presence, now| presence.lost(to.as_ref(), now));
        }
    }

    /// Looks at the way to a node, where it hears what is for it alone.
    fn way(&self, to: &Comet) -> Way {
        let channel = self.oort.server().channel(&channel_of(to.url()));
        let subscribers = channel.map(|channel| channel.subscribers()).unwrap_or_default();
        let mut way = Way { room: Room::Enough, most: MUCH, is_heard: !subscribers.is_empty() };
        for session in subscribers {
            let (depth, bounds) = (session.queue_depth(), session.queue_bounds());
            let bound = bounds.bytes;
            let has_half = depth.messages < bounds.messages.div_ceil(2) && depth.bytes < bound / 2;
            let room = match has_half {
                true if depth.bytes < UNDER_WAY => Room::Enough,
                true => Room::Little,
                false => Room::None,
            };
            way.room = way.room.max(room);
            // Where so little may wait there is room for one more, and for what is announced meanwhile.
            way.most = way.most.min(bound / 4);
        }
        way
    }

    async fn broadcast(&self, channel: &str, json: Json) -> bool {
        let broadcast = self.oort.broadcast(Message::with_data(channel, json));
        match tokio::time::timeout(BROADCAST_PATIENCE, broadcast).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::debug!(channel, %error, "presence goes to no node");
                false
            }
            Err(_) => {
                tracing::warn!(channel, "presence goes to no node: the server does not take it");
                false
            }
        }
    }
}

/// How much may be on the way to a node, in bytes, if more of a list is to go there: some parts of it.
const UNDER_WAY: usize = 4 * MUCH;

/// What is as long as this is read elsewhere.
pub(crate) const LARGE: usize = 64 * 1024;

/// How long the server may take to take a broadcast.
pub(crate) const BROADCAST_PATIENCE: Duration = Duration::from_secs(60);
