//! How channels come and go: made by the first who asks, registered again by a handle, removed, swept.

use std::sync::Arc;

use bayeux_api::{ChannelId, implement::Hook, server::ChannelListener};

use crate::{
    channel::{
        Channel,
        tellings::{Event, IsTeller},
        turns::{Admission, in_turn},
    },
    server::Server,
    session::Session,
};

/// So many channels the sweeper looks at before it lets others run: a small part of a millisecond.
const PORTION: usize = 256;

/// A channel that was found or made.
pub(crate) enum Found {
    New(Arc<Channel>),
    Existing(Arc<Channel>),
}

impl Server {
    /// Returns the channel, made if it does not exist. Who asks while another sets it up waits for that.
    /// None when a listener panics that should set it up, and guard it perhaps.
    pub(crate) fn create_channel(
        &self,
        id: &ChannelId,
        initialize: &dyn Fn(&Channel),
    ) -> Option<Found> {
        match self.0.channels.get(id.as_str()).filter(|channel| channel.is_kept()) {
            Some(channel) => Some(Found::Existing(channel)),
            None => {
                let channel = Channel::new(id.clone(), Arc::downgrade(&self.0));
                let admission = self.0.channels.turns.wait(&channel);
                self.make(admission, &channel, initialize)
            }
        }
    }

    /// Returns the channel that `session` is allowed to make, unless it is there. What a remote
    /// client makes is swept when nobody uses it, be it a service channel. None when a listener panics that
    /// should set it up.
    pub(crate) async fn find_or_create(
        &self,
        id: &ChannelId,
        session: &Session,
    ) -> Option<Arc<Channel>> {
        if let Some(channel) = self.0.channels.get(id.as_str()) {
            return Some(channel);
        }
        let channel = Channel::new(id.clone(), Arc::downgrade(&self.0));
        let admission = self.0.channels.turns.waited(&channel).await;
        let is_remote = !session.is_local_session();
        let made = self.make(admission, &channel, &|channel| {
            if is_remote {
                channel.set_persistent(false);
            }
        });
        match made? {
            Found::New(channel) | Found::Existing(channel) => Some(channel),
        }
    }

    /// Sets a channel up and registers it, unless somebody did so before.
    fn make(
        &self,
        admission: Admission<'_>,
        channel: &Arc<Channel>,
        initialize: &dyn Fn(&Channel),
    ) -> Option<Found> {
        let _turn = match admission {
            Admission::Turn(turn) => Some(turn),
            Admission::Without => None,
            Admission::HalfMade(channel) => return Some(Found::Existing(channel)),
        };
        let existing = self.0.channels.get(channel.id.as_str());
        if let Some(existing) = existing.filter(|existing| existing.is_kept()) {
            return Some(Found::Existing(existing));
        }
        in_turn(|| {
            initialize(channel);
            let hook = Hook("ChannelListener::configure_channel", channel.id.as_str());
            for listener in self.0.channel_listeners.members().iter() {
                listener.ask(hook, |it| it.configure_channel(&**channel))?;
            }
            Some(())
        })?;
        Some(self.register_channel(channel))
    }

    /// Registers a channel and tells of it, unless one has its name.
    fn register_channel(&self, channel: &Arc<Channel>) -> Found {
        match self.0.channels.insert(channel) {
            Ok(is_teller) => {
                tracing::debug!(channel = %channel.id, "channel added");
                self.tell_of_channels(channel.id.as_str(), is_teller);
                Found::New(channel.clone())
            }
            Err(existing) => Found::Existing(existing),
        }
    }

    /// Registers a channel again that was removed, unless another has its name by now; returns the one
    /// that has it.
    pub(super) fn revive_channel(&self, channel: &Arc<Channel>) -> Arc<Channel> {
        let _turn = match self.0.channels.turns.wait(channel) {
            Admission::Turn(turn) => Some(turn),
            Admission::Without => None,
            Admission::HalfMade(other) => return other,
        };
        channel.use_again();
        match self.register_channel(channel) {
            Found::New(channel) | Found::Existing(channel) => channel,
        }
    }

    pub(super) fn remove_channel(&self, channel: &Arc<Channel>) {
        let _turn = self.0.channels.turns.wait(channel);
        if let Some(is_teller) = self.0.channels.remove(channel, None) {
            self.tell_removed(channel, is_teller);
        }
    }

    /// Removes the channels that nobody uses, in portions between which others run.
    pub(crate) async fn sweep(&self) {
        let channels = &self.0.channels;
        let mut walk = channels.walk();
        while let Some(unused) = channels.next(&mut walk, PORTION) {
            let swept = unused.iter().filter(|channel| self.sweep_channel(channel, walk.sweep));
            self.0.counters.channels_swept.add(swept.count());
            tokio::task::yield_now().await;
        }
    }

    /// Removes a channel if this sweep is the last that it may be unused for; not while somebody else makes
    /// or removes one of its name.
    fn sweep_channel(&self, channel: &Arc<Channel>, sweep: u32) -> bool {
        let Some(since) = channel.is_over(sweep) else { return false };
        let Ok(_turn) = self.0.channels.turns.take(channel) else { return false };
        let removed = self.0.channels.remove(channel, Some(since));
        removed.map(|is_teller| self.tell_removed(channel, is_teller)).is_some()
    }

    fn tell_removed(&self, channel: &Channel, is_teller: IsTeller) {
        tracing::debug!(channel = channel.id.as_str(), "channel removed");
        self.tell_of_channels(channel.id.as_str(), is_teller);
    }

    /// Tells the listeners what was noted of the channels of a name, unless somebody else does.
    fn tell_of_channels(&self, name: &str, IsTeller(is_teller): IsTeller) {
        if !is_teller {
            return;
        }
        in_turn(|| {
            while let Some(event) = self.0.channels.tellings.next(name) {
                let listeners = self.0.channel_listeners.members();
                match event {
                    Event::Added(channel) => {
                        let (added, hook) = (channel.as_dyn(), "ChannelListener::channel_added");
                        let tell = |it: &dyn ChannelListener| it.channel_added(&added);
                        listeners.iter().for_each(|one| one.tell(Hook(hook, name), tell));
                    }
                    Event::Removed(_) => {
                        let hook = Hook("ChannelListener::channel_removed", name);
                        let tell = |it: &dyn ChannelListener| it.channel_removed(name);
                        listeners.iter().for_each(|one| one.tell(hook, tell));
                    }
                }
            }
        });
    }
}

impl Channel {
    /// Starts the count of sweeps again, for somebody who got the channel; false when it is too late.
    fn is_kept(&self) -> bool {
        self.use_again();
        self.is_registered()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn a_sweep_lets_others_run_between_a_few_hundred_channels() {
        let server = Server::new();
        for number in 0..20 * PORTION {
            server.create_channel_if_absent(&format!("/{number}")).unwrap();
        }
        for sweep in 1..=3 {
            let (mut before, mut portions) = (server.statistics(), 0);
            let mut sweeping = pin!(server.sweep());
            while poll!(sweeping.as_mut()).is_pending() {
                let now = server.statistics();
                let swept = now.channels_swept - before.channels_swept;
                assert!(swept <= PORTION as u64, "{swept} at a stretch");
                (before, portions) = (now, portions + 1);
            }
            assert!(portions >= 20, "sweep {sweep}: {portions} portions");
        }
        assert_eq!(server.statistics().channels, 5);
    }
}
