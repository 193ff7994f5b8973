//! A mesh is started on a server.

use std::sync::Arc;

use bayeux_api::implement::lock;
use bayeux_server::Server;

use crate::{
    CloudListener, StartError,
    mesh::{Inner, Started, Work, driver, gate, gate::Claim, seeking},
};

/// A start that is under way. One that fails, or is given up, gives back what it took: the mesh may be started later,
/// and the server is free.
struct Start<'a> {
    mesh: &'a Arc<Inner>,
    /// Whoever has it starts the mesh.
    work: Option<Work>,
}

pub(super) async fn start(
    mesh: &Arc<Inner>,
    server: &Server,
    listener: Arc<dyn CloudListener>,
) -> Result<(), StartError> {
    let start = Start::begin(mesh)?;
    let claim = gate::claim(mesh, server).await?;
    seeking::start(mesh)?;
    start.finish(claim, Started { server: server.clone(), listener });
    Ok(())
}

impl<'a> Start<'a> {
    fn begin(mesh: &'a Arc<Inner>) -> Result<Self, StartError> {
        let work = lock(&mesh.waiting).take().ok_or(StartError::Started)?;
        Ok(Self { mesh, work: Some(work) })
    }

    /// From here on nothing fails.
    fn finish(mut self, claim: Claim, started: Started) {
        let (mesh, server) = (self.mesh, started.server.clone());
        let is_first = mesh.started.set(started).is_ok();
        debug_assert!(is_first, "one start alone has the work");
        gate::open(mesh, &server);
        claim.keep();
        if let Some(work) = self.work.take() {
            tokio::spawn(driver::run(Arc::downgrade(mesh), mesh.wake.clone(), work));
        }
    }
}

impl Drop for Start<'_> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            *lock(&self.mesh.waiting) = Some(work);
        }
    }
}
