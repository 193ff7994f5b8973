//! What the discoveries of a mesh find is observed by it.

use std::sync::{Arc, Weak};

use bayeux_api::implement::lock;

use crate::{
    StartError,
    discovery::{SeedSet, start_all},
    mesh::{Inner, with},
};

/// Starts the discoveries, which go on until the [end](end).
pub(super) fn start(mesh: &Arc<Inner>) -> Result<(), StartError> {
    if mesh.discoveries.is_empty() {
        return Ok(());
    }
    let (seeds, running) = start_all(mesh.own.url(), &mesh.discoveries).map_err(|error| {
        let cause = std::error::Error::source(&error);
        let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
        StartError::Failed(format!("{error}{cause}"))
    })?;
    let followed = follow(Arc::downgrade(mesh), seeds);
    let task = tokio::spawn(async { tokio::join!(running, followed) });
    *lock(&mesh.seeking) = Some(task.abort_handle());
    Ok(())
}

/// Ends what [`start`] began.
pub(super) fn end(mesh: &Inner) {
    if let Some(task) = lock(&mesh.seeking).take() {
        task.abort();
    }
}

/// Has those dialed that are found.
async fn follow(mesh: Weak<Inner>, mut seeds: SeedSet) {
    loop {
        let urls = seeds.urls();
        let refused = with(&mesh, |mesh| mesh.input(|machine, now| machine.found(&urls, now)));
        match refused {
            None => return,
            Some(0) => {}
            Some(refused) => tracing::warn!(refused, "more nodes are found than there may be"),
        }
        seeds.changed().await;
    }
}
