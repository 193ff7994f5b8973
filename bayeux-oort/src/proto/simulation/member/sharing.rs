//! What a simulated node's application does: counting, and the object.

use super::{Command, Member, World, respond, url_of};
use crate::proto::{
    list::Change,
    simulation::{
        shared::{Act, Shared},
        wire::{COUNTS, Data, OBJECT},
    },
};

impl Member {
    /// Does something with the object, and what follows from that.
    pub(super) fn share(
        &mut self,
        act: impl FnOnce(&mut Shared) -> Vec<Act>,
        world: World<'_, '_>,
    ) {
        let acts = self.shared.as_mut().map(act).unwrap_or_default();
        self.act(acts, world);
    }

    pub(super) fn act(&mut self, acts: Vec<Act>, world: World<'_, '_>) {
        for act in acts {
            match act {
                Act::Broadcast(data) => self.broadcast(&data, world),
                Act::Send { to, data, push } => {
                    world.note(format_args!("  to {}: {data:?}", to.id()));
                    let push = push.map(|number| (to.clone(), number));
                    let mut clients = self.clients.iter_mut();
                    if let Some((link, client)) = clients.find(|(_, it)| it.is_to(&to)) {
                        let link = *link;
                        let events = client.publish(data, push, world);
                        self.happened(link, events, world);
                    } else if let Some((comet, number)) = push {
                        let (now, shared) = (world.now(), self.shared.as_mut());
                        let acts = shared.map(|it| it.pushed(&comet, number, false, now));
                        self.act(acts.unwrap_or_default(), world);
                    }
                }
            }
        }
    }

    pub(super) fn begin_to_share(&mut self, world: World<'_, '_>) {
        if self.shared.is_some() {
            return;
        }
        let now = world.now();
        self.shared = Some(Shared::new(&self.settings, now));
        for comet in self.witness.members().cloned().collect::<Vec<_>>() {
            self.share(|shared| shared.joined(&comet, now), world);
        }
        self.sync(world);
    }

    pub(super) fn observed(&self) -> Vec<String> {
        let object = self.shared.is_some().then(|| OBJECT.to_owned());
        [COUNTS.to_owned()].into_iter().chain(object).collect()
    }

    pub(super) fn sync(&mut self, world: World<'_, '_>) {
        let observed = self.observed();
        for link in self.clients.keys().copied().collect::<Vec<_>>() {
            let Some(client) = self.clients.get_mut(&link) else { continue };
            let events = client.sync(&observed, world);
            self.happened(link, events, world);
        }
    }

    pub(super) fn ask(&mut self, command: Command, world: World<'_, '_>) {
        match command {
            Command::Count => {
                self.count += 1;
                let data = Data::Count(self.settings.comet.clone(), self.count);
                self.broadcast(&data, world);
            }
            Command::Observe(place) => {
                let url = url_of(place, false);
                let observed = self.machine.observe(&url, world.now());
                observed.expect("it is the URL of another");
                self.settings.seeds.push(url);
            }
            Command::Deobserve(place) => {
                self.machine.deobserve(&url_of(place, false), world.now());
            }
            Command::Share => self.begin_to_share(world),
            Command::Add(number) => self.change(Change::Add(vec![number]), world),
            Command::Remove(number) => self.change(Change::remove(vec![number]), world),
            Command::Replace(number) => {
                self.begin_to_share(world);
                let now = world.now();
                self.share(|shared| shared.replace(&[number], now), world);
            }
            Command::Attend => self.settings.loss = 0,
        }
    }

    pub(super) fn change(&mut self, change: Change<u32>, world: World<'_, '_>) {
        self.begin_to_share(world);
        let now = world.now();
        self.share(|shared| shared.change(change, now), world);
    }

    pub(super) fn broadcast(&mut self, data: &Data, world: World<'_, '_>) {
        let (responses, overflowed) = self.sessions.publish(data, world.now());
        respond(responses, world);
        overflowed.iter().for_each(|session| self.end_session(session, world));
    }
}
