//! Who is there, and on which nodes: bidders as Seti knows them, and the nodes by their names.

use std::collections::BTreeMap;

use bayeux_oort::{Oort, OortObject};
use bayeux_seti::Seti;
use serde_json::{Value, json};

use crate::node::Result;

#[derive(Clone)]
pub(crate) struct People {
    seti: Seti,
    /// The name of each node.
    names: OortObject<String>,
}

impl People {
    pub(crate) async fn start(oort: &Oort, seti: &Seti, name: &str) -> Result<Self> {
        let names = OortObject::start(oort, "names", name.to_owned()).await?;
        Ok(Self { seti: seti.clone(), names })
    }

    pub(crate) fn seti(&self) -> &Seti {
        &self.seti
    }

    /// Returns the names of the nodes that see each other, by their URLs.
    pub(crate) fn nodes(&self) -> BTreeMap<String, String> {
        let infos = self.names.infos();
        infos.iter().map(|info| (info.url().to_owned(), info.object().clone())).collect()
    }

    /// Returns the bidders and the nodes on which each is, for a page.
    pub(crate) fn bidders(&self) -> Value {
        let nodes = self.nodes();
        let users = self.seti.user_ids();
        let shown = users.iter().take(SHOWN).map(|user| {
            let locations = self.seti.locations(user);
            let mut on: Vec<_> =
                locations.iter().filter_map(|location| nodes.get(location.comet.url())).collect();
            on.sort();
            json!({ "name": &**user, "nodes": on })
        });
        json!({ "count": users.len(), "shown": shown.collect::<Vec<_>>() })
    }
}

/// How many bidders a page shows.
const SHOWN: usize = 100;
