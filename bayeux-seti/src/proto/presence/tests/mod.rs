//! Presence keeps its rules.

mod announced;
mod heard;
mod lists;
mod lives;

use std::{sync::LazyLock, time::Duration};

use super::*;
use crate::proto::{
    listing::{Room, Way},
    wire::Said,
};

/// Before all that tests do.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

const SECOND: Duration = Duration::from_secs(1);

/// Nothing is on it.
const FREE: Way = Way { room: Room::Enough, most: usize::MAX, is_heard: true };

fn comet(id: &str) -> Comet {
    Comet::new(id, format!("http://{id}:8080/cometd"))
}

fn presence(id: &str) -> Presence<u32> {
    LazyLock::force(&START);
    let own = comet(id);
    let seti_id = crate::proto::id::seti_id(own.url());
    let mut presence = Presence::new(own, seti_id, 1000, MUCH);
    presence.tellings.set_audience([1].into_iter().collect());
    presence
}

fn said(users: &[&str], change: Change) -> Said {
    let mut users: Vec<_> = users.iter().copied().map(UserId::from).collect();
    users.sort();
    let (misfits, digest, range) = <_>::default();
    Said { users, misfits, change, replaces: false, asks: false, digest, range }
}

/// Has one node hear something of another.
fn hear(presence: &mut Presence<u32>, from: &str, users: &[&str], change: Change, replaces: bool) {
    take(presence, from, Said { replaces, ..said(users, change) });
}

fn take(presence: &mut Presence<u32>, from: &str, said: Said) {
    let Some(mut hearing) = presence.said(&comet(from), said, *START) else { return };
    while !hearing.is_done() {
        presence.hear_more(&mut hearing, 1);
    }
}

fn ask(presence: &mut Presence<u32>, from: &str, now: Instant) {
    presence.said(&comet(from), Said { asks: true, ..said(&[], Change::Added) }, now);
}

fn check(presence: &mut Presence<u32>, from: &str, digest: Digest, now: Instant) {
    let digest = Some(digest);
    presence.said(&comet(from), Said { digest, ..said(&[], Change::Added) }, now);
}

/// Something that only one of ours says.
fn is_ours(presence: &mut Presence<u32>, from: &str, now: Instant) {
    let range = Some(Range::default());
    presence.said(&comet(from), Said { range, ..said(&[], Change::Added) }, now);
}

/// Returns what was told, as `+user@node` and `-user@node`.
fn told(presence: &mut Presence<u32>) -> Vec<String> {
    let events = std::iter::from_fn(|| presence.next_event());
    let text = |event: Event| {
        let sign = if event.change == Change::Added { '+' } else { '-' };
        format!("{sign}{}@{}", event.user, event.comet.id())
    };
    events.map(text).collect()
}

/// Returns what is sent now, in short.
fn sent(presence: &mut Presence<u32>, now: Instant) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(output) = presence.next(now) {
        all.push(text(presence, output));
    }
    all
}

fn part(presence: &mut Presence<u32>, to: &Comet) -> Option<Part> {
    presence.part(to, FREE, *START)
}

fn text(presence: &mut Presence<u32>, output: Output) -> String {
    match output {
        Output::Announce(one) => {
            let sign = if one.change == Change::Added { '+' } else { '-' };
            one.users.iter().map(|user| format!("{sign}{user}")).collect::<Vec<_>>().join(" ")
        }
        Output::List(to) => match part(presence, &to).unwrap() {
            Part { range: Range { after: None, until: None }, .. } => {
                format!("list to {}", to.id())
            }
            Part { users, .. } => format!("{} to {}", users.concat(), to.id()),
        },
        Output::Check { to, .. } => format!("check to {}", to.id()),
        Output::Ask(to) => format!("ask {}", to.id()),
    }
}
