//! What a node knows of the cluster, for the page: published when it changes.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bayeux_oort::{
    Comet, CometListener, Info, Mesh, Oort,
    object::{Entries, Entry, EntryListener, OortObjectListener},
};
use bayeux_server::Server;
use serde_json::{Value, json};
use tokio::{sync::Notify, time::timeout};

use crate::node::Board;

const VIEW: &str = "/cluster/view";

/// How often the view is looked at when nothing is told: nothing tells of the state of links.
const LOOKS: Duration = Duration::from_millis(200);

/// After so many looks it is published again, for a page that has come meanwhile.
const AGAIN: u32 = 5;

/// Publishes what this node knows, for as long as somebody is subscribed.
pub(crate) fn start(server: &Server, mesh: &Mesh, oort: &Oort, board: &Board) {
    let poke = Arc::new(Poke(Notify::new()));
    oort.add_comet_listener(poke.clone()).keep();
    board.add_entry_listener(poke.clone()).keep();
    board.add_listener(poke.clone()).keep();
    tokio::spawn(publish(server.clone(), mesh.clone(), board.clone(), poke));
}

async fn publish(server: Server, mesh: Mesh, board: Board, poke: Arc<Poke>) {
    let (mut last, mut looks) = (Value::Null, 0);
    loop {
        let _ = timeout(LOOKS, poke.0.notified()).await;
        looks += 1;
        let Some(channel) = server.channel(VIEW) else { continue };
        let view = view(&mesh, &board);
        if view != last || looks >= AGAIN {
            looks = 0;
            last.clone_from(&view);
            let _ = channel.publish(view).await;
        }
    }
}

fn view(mesh: &Mesh, board: &Board) -> Value {
    let oort = board.oort();
    let comets: Vec<_> = oort.comets().iter().map(|comet| comet.url().to_owned()).collect();
    let mut links = mesh.oort_comets();
    links.sort_by(|one, other| one.url.cmp(&other.url));
    let links: Vec<_> = links
        .iter()
        .map(|link| {
            let millis = link.delay.map(|delay| delay.as_secs_f64() * 1_000.0);
            let state = format!("{:?}", link.state).to_lowercase();
            let transport = link.transport.as_str();
            json!({ "url": link.url, "state": state, "transport": transport, "delay": millis })
        })
        .collect();
    let parts: Vec<_> = board
        .infos()
        .iter()
        .map(|info| json!({ "url": info.url(), "entries": info.object().to_map() }))
        .collect();
    json!({ "id": oort.own().id(), "comets": comets, "links": links, "parts": parts })
}

/// Wakes the publisher when there is something new.
#[derive(Debug)]
struct Poke(Notify);

type Part = Entries<String, String>;

#[async_trait]
impl CometListener for Poke {
    async fn comet_joined(&self, _comet: &Comet) {
        self.0.notify_one();
    }

    async fn comet_left(&self, _comet: &Comet) {
        self.0.notify_one();
    }
}

#[async_trait]
impl EntryListener<String, String> for Poke {
    async fn put(&self, _info: &Info<Part>, _entry: &Entry<String, String>) {
        self.0.notify_one();
    }

    async fn removed(&self, _info: &Info<Part>, _entry: &Entry<String, String>) {
        self.0.notify_one();
    }
}

#[async_trait]
impl OortObjectListener<Part> for Poke {
    async fn updated(&self, _old: Option<&Info<Part>>, _new: &Info<Part>) {
        self.0.notify_one();
    }

    async fn removed(&self, _info: &Info<Part>) {
        self.0.notify_one();
    }
}
