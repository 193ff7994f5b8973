//! The register: what matches a name, and what is left of channels that went.

use std::{collections::BTreeMap, sync::Weak};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Create(ChannelId),
    Remove(ChannelId),
    Use(ChannelId),
    Persist(ChannelId, bool),
    /// Sweeps in portions of this size, between which a channel is removed.
    Sweep(usize, ChannelId),
    Match(ChannelId),
}

fn ids() -> impl Strategy<Value = ChannelId> {
    let names = prop::collection::vec(prop::sample::select(vec!["a", "b", "{x}"]), 0..3);
    let last = prop::sample::select(vec!["a", "b", "a*", "{x}", "*", "**"]);
    (names, last).prop_filter_map("no channel", |(mut names, last)| {
        names.push(last);
        ChannelId::new(&format!("/{}", names.join("/"))).ok()
    })
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => ids().prop_map(Step::Create),
        1 => ids().prop_map(Step::Remove),
        1 => ids().prop_map(Step::Use),
        1 => (ids(), any::<bool>()).prop_map(|(id, persistent)| Step::Persist(id, persistent)),
        2 => (1..9_usize, ids()).prop_map(|(most, id)| Step::Sweep(most, id)),
        4 => ids().prop_map(Step::Match),
    ]
}

/// What the register should be: each channel by its name, with the sweeps that found it unused.
#[derive(Default)]
struct Model(BTreeMap<String, (bool, u32)>);

impl Model {
    fn sweep(&mut self) {
        self.0.values_mut().for_each(|(persistent, unused)| {
            *unused = if *persistent { 0 } else { *unused + 1 };
        });
        self.0.retain(|_, (_, unused)| *unused < 3);
    }

    /// The names that match, from the most general, itself last.
    fn matching(&self, id: &ChannelId) -> Vec<String> {
        let names = id.wild_ids().into_iter().rev().chain([id.as_str().to_owned()]);
        let found: Vec<_> = names.filter(|name| self.0.contains_key(name)).collect();
        if !id.is_wild() && !id.is_template() {
            let all = self.0.keys().map(|name| ChannelId::new(name).unwrap());
            let wild = all.filter(|own| !own.is_template() && own.matches(id));
            assert_eq!(wild.count(), found.len());
        }
        found
    }
}

fn gone(channels: &Channels, channel: &Arc<Channel>, unused_since: Option<u32>) -> bool {
    channels.remove(channel, unused_since).is_some()
}

#[test]
fn a_flood_of_channels_leaves_no_table_behind() {
    let channels = Channels::default();
    let make = |name: String| {
        let channel = Channel::new(ChannelId::new(&name).unwrap(), Weak::new());
        assert!(channels.insert(&channel).is_ok());
        channel
    };
    let flood: Vec<_> = (0..20_000).map(|n| make(format!("/{n}/**"))).collect();
    let kept: Vec<_> = (0..100).map(|n| make(format!("/kept/{n}"))).collect();
    flood.iter().for_each(|channel| assert!(gone(&channels, channel, None)));
    let register = channels.read();
    let sizes = [register.by_name.capacity(), register.wild.capacity()];
    assert!(sizes.iter().all(|size| *size <= 2 * LARGE), "{sizes:?}");
    assert!(kept.iter().all(|channel| register.find(channel.id.as_str()).is_some()));
}

fn play(channels: &Channels, model: &mut Model, step: Step) {
    let remove = |id: &ChannelId, model: &mut Model| {
        let removed = channels.get(id.as_str()).map(|channel| gone(channels, &channel, None));
        assert_eq!(removed, model.0.remove(id.as_str()).map(|_| true));
    };
    match step {
        Step::Create(id) => {
            let channel = Channel::new(id.clone(), Weak::new());
            channel.settings.set_persistent(false);
            let is_new = channels.insert(&channel).is_ok();
            assert_eq!(is_new, !model.0.contains_key(id.as_str()));
            model.0.entry(id.as_str().to_owned()).or_default();
        }
        Step::Remove(id) => remove(&id, model),
        Step::Use(id) => {
            channels.get(id.as_str()).inspect(|channel| channel.use_again());
            model.0.get_mut(id.as_str()).into_iter().for_each(|(_, unused)| *unused = 0);
        }
        Step::Persist(id, persistent) => {
            channels.get(id.as_str()).inspect(|channel| channel.set_persistent(persistent));
            model.0.get_mut(id.as_str()).into_iter().for_each(|own| *own = (persistent, 0));
        }
        Step::Sweep(most, id) => {
            let mut walk = channels.walk();
            let first = channels.next(&mut walk, most);
            sweep(channels, first.unwrap_or_default(), walk.sweep);
            // Whether it was looked at before or not, it is gone.
            model.0.remove(id.as_str());
            channels.get(id.as_str()).inspect(|channel| assert!(gone(channels, channel, None)));
            while let Some(portion) = channels.next(&mut walk, most) {
                sweep(channels, portion, walk.sweep);
            }
            model.sweep();
        }
        Step::Match(id) => {
            let found = channels.matching(&id);
            let found: Vec<_> = found.iter().map(|one| one.id.as_str().to_owned()).collect();
            assert_eq!(found, model.matching(&id), "{id}");
        }
    }
}

fn sweep(channels: &Channels, portion: Vec<Arc<Channel>>, sweep: u32) {
    for channel in portion {
        if let Some(since) = channel.is_over(sweep) {
            assert!(gone(channels, &channel, Some(since)));
        }
    }
}

proptest! {
    #[test]
    fn it_is_what_a_map_would_be(steps in prop::collection::vec(steps(), 0..150)) {
        let (channels, mut model) = (Channels::default(), Model::default());
        for step in steps {
            play(&channels, &mut model, step);
            let names: Vec<_> = channels.all().iter().map(|one| one.id.to_string()).collect();
            prop_assert!(names.iter().eq(model.0.keys()), "{names:?}");
            prop_assert_eq!(channels.len(), names.len());
        }
    }
}

#[test]
fn a_channel_that_is_used_after_its_last_sweep_stays() {
    let channels = Channels::default();
    let channel = Channel::new(ChannelId::new("/a").unwrap(), Weak::new());
    assert!(channels.insert(&channel).is_ok());
    let since = (1..).find_map(|sweep| channel.is_over(sweep));
    assert_eq!(since, Some(1));
    channel.use_again();
    assert!(!gone(&channels, &channel, since));
    assert!(gone(&channels, &channel, None) && channels.get("/a").is_none());
}
