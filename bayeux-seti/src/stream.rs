//! What goes to the other nodes, one after the other: each broadcast is handed over before the next is made.

use std::{sync::Arc, time::Duration};

use bayeux_api::{Json, Message};

use crate::{
    engine::{Inner, SLICE, now},
    proto::{
        announcements::Announcement,
        digest::Digest,
        id::{ALL, channel_of},
        presence::Output,
        wire::{List, Saying},
    },
};

impl Inner {
    pub(crate) async fn send(self: Arc<Self>) {
        loop {
            let (output, deadline) =
                self.presence(|presence| (presence.next(now()), presence.deadline()));
            if let Some(output) = output {
                self.perform(output).await;
                continue;
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
            }
        }
    }

    async fn perform(&self, output: Output) {
        let url = self.own().url();
        let is_sent = match output {
            Output::Announce(Announcement { change, users }) => {
                let users = users.iter().map(|user| &**user);
                self.broadcast(ALL, Saying::change(url, change, users).json()).await
            }
            Output::List { to, digest } => {
                let Some(list) = self.list(digest).await else { return };
                self.broadcast(&channel_of(to.url()), list).await
            }
            Output::Check { to, digest } => {
                self.broadcast(&channel_of(to.url()), Saying::check(url, digest).json()).await
            }
            Output::Ask(to) => self.broadcast(&channel_of(to.url()), Saying::ask(url).json()).await,
        };
        if !is_sent {
            self.advance(|presence, now| presence.lost(now));
        }
    }

    async fn broadcast(&self, channel: &str, json: Json) -> bool {
        let broadcast = self.oort.broadcast(Message::with_data(channel, json));
        match tokio::time::timeout(PATIENCE, broadcast).await {
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

    /// Writes the list. Nobody else changes who is announced, so that it may take its time.
    async fn list(&self, digest: Digest) -> Option<Json> {
        let (mut list, mut after) = (List::new(), None);
        loop {
            let slice = self.presence(|presence| presence.announced(after.as_deref(), SLICE));
            let Some(slice) = slice else { break };
            slice.users.iter().for_each(|user| list.push(user));
            after = Some(slice.last);
            tokio::task::yield_now().await;
        }
        let url = self.own().url().to_owned();
        if list.len() < LARGE {
            return Some(list.finish(&url, digest));
        }
        // An error is the end of the runtime.
        tokio::task::spawn_blocking(move || list.finish(&url, digest)).await.ok()
    }
}

/// What is as long as this is read and written elsewhere.
pub(crate) const LARGE: usize = 64 * 1024;

/// How long the server may take to take a broadcast.
const PATIENCE: Duration = Duration::from_secs(60);
