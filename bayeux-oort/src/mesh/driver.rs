//! The driver of a mesh: does what the machine says, in its order, and is its only clock.

use std::sync::{Arc, Weak};

use bayeux_api::{ChannelId, implement::lock};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep_until},
};

use crate::{
    mesh::{FAREWELL, Inner, link::Link, with},
    proto::cloud::Output,
};

/// Runs until the mesh is gone, which is not kept while there is nothing to do but wait.
pub(super) async fn run(
    mesh: Weak<Inner>,
    wake: Arc<Notify>,
    mut work: mpsc::UnboundedReceiver<Output>,
) {
    while let Some(deadline) = with(&mesh, |mesh| lock(&mesh.machine).deadline()) {
        let due = async {
            match deadline {
                Some(deadline) => sleep_until(Instant::from_std(deadline)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            output = work.recv() => match output {
                Some(output) => drop(with(&mesh, |mesh| perform(mesh, output))),
                None => return,
            },
            () = due => drop(with(&mesh, |mesh| mesh.input(|machine, now| machine.tick(now)))),
            () = wake.notified() => {}
        }
    }
}

fn perform(mesh: &Arc<Inner>, output: Output) {
    tracing::debug!(own = mesh.own.url(), ?output, "mesh");
    match output {
        Output::Dial { link, url, alias, tells_secret } => {
            Link::dial(mesh, link, &url, alias.as_deref(), tells_secret);
        }
        Output::Close { link, says_farewell } => {
            let Some(link) = lock(&mesh.links).remove(&link) else { return };
            if says_farewell {
                tokio::spawn(async move { link.say_farewell(FAREWELL).await });
            } else {
                link.abort();
            }
        }
        Output::Open { link, known } => {
            if let Some(link) = lock(&mesh.links).get(&link).cloned() {
                link.open(mesh, known);
            }
        }
        Output::Advertise { link, known } => {
            if let Some(link) = lock(&mesh.links).get(&link).cloned() {
                link.advertise(&known);
            }
        }
        Output::EndSession { session } => {
            let started = mesh.started.get().expect("nothing is done before the start");
            if let Some(session) = started.server.session(&session) {
                // A listener of the application's may wait.
                tokio::spawn(async move { session.disconnect().await });
            }
        }
        Output::Joined(comet) => mesh.inbox(&comet).iter().for_each(super::Inbox::joined),
        Output::Left(comet) => mesh.inbox(&comet).iter().for_each(super::Inbox::left),
        Output::Observed { comet, channel } => {
            if let (Some(inbox), Ok(channel)) = (mesh.inbox(&comet), ChannelId::new(&channel)) {
                inbox.observed(channel);
            }
        }
        Output::Forgotten(comet) => {
            lock(&mesh.inboxes).get(comet.id()).iter().for_each(|inbox| inbox.forgotten());
        }
    }
}
