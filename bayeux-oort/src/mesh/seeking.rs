//! What the discoveries of a mesh find is observed by it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Weak},
};

use bayeux_api::implement::lock;

use crate::{
    StartError,
    discovery::{SeedSet, start_all},
    mesh::{Inner, Mesh, ObserveError, with},
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

/// Observes what is found, and what is found no more no longer.
async fn follow(mesh: Weak<Inner>, mut seeds: SeedSet) {
    let mut known = BTreeSet::new();
    loop {
        let now = seeds.urls();
        with(&mesh, |mesh| {
            let mesh = Mesh(mesh.clone());
            let gone = known.difference(&now);
            gone.for_each(|url: &String| mesh.0.input(|machine, _| machine.unseed(url)));
            for url in now.difference(&known) {
                match mesh.observe_comet(url) {
                    // A name of its own that it finds among those of others.
                    Ok(()) | Err(ObserveError::Own) => {}
                    Err(error) => tracing::warn!(url, %error, "who was found is not observed"),
                }
            }
        });
        known = now;
        seeds.changed().await;
    }
}
