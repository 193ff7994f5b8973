//! What the nodes of a service say to each other: whether they are primary, as CometD's do, and what they are
//! as candidates, which only those hear.

use crate::{
    Oort, OortObject, ShareError,
    object::ObjectError,
    proto::primary::{Candidacy, Said, Stands, View},
};

/// The objects of a service.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    /// True on the primary. It has the service's name, since CometD's has.
    pub(super) flags: OortObject<bool>,
    /// None on a node that is no candidate.
    pub(super) candidacies: Option<OortObject<Candidacy>>,
}

impl Parts {
    pub(super) async fn start(
        oort: &Oort,
        name: &str,
        stands: Stands,
    ) -> Result<Self, ObjectError> {
        // Candidacies first, so that they are heard first.
        let candidacies = match stands {
            Stands::Candidate(_) => {
                let waiting = Candidacy { is_candidate: true, since: None };
                Some(OortObject::start(oort, &format!("{name}.election"), waiting).await?)
            }
            Stands::Primary | Stands::Secondary => None,
        };
        let is_primary = matches!(stands, Stands::Primary);
        Ok(Self { flags: OortObject::start(oort, name, is_primary).await?, candidacies })
    }

    /// Returns what the others say.
    pub(super) fn view(&self) -> View {
        let mut view = View::new();
        for info in self.flags.infos().iter().filter(|info| !info.is_local()) {
            view.entry(info.comet().clone()).or_default().is_primary = *info.object();
        }
        for info in self.candidacies.iter().flat_map(OortObject::infos) {
            if !info.is_local() {
                view.entry(info.comet().clone()).or_default().candidacy = Some(*info.object());
            }
        }
        view
    }

    /// Says what this node is, if it has not been said.
    pub(super) async fn say(&self, said: Said) {
        // In the order in which nobody sees a primary that has no claim.
        let shared = match said.is_primary {
            true => self.say_candidacy(said).await.and(self.say_flag(said).await),
            false => self.say_flag(said).await.and(self.say_candidacy(said).await),
        };
        if let Err(error) = shared {
            tracing::debug!(%error, "it is not said who is primary");
        }
    }

    /// Says what this node is, and waits until all others have heard it.
    pub(super) async fn say_to_the_end(&self, said: Said) {
        let flag = self.flags.set_and_share(said.is_primary).await;
        let candidacy = match (&self.candidacies, said.candidacy) {
            (Some(candidacies), Some(candidacy)) => candidacies.set_and_share(candidacy).await.ok(),
            (Some(_), None) | (None, _) => None,
        };
        if let Ok(flag) = flag {
            let _ = flag.applied().await;
        }
        if let Some(candidacy) = candidacy {
            let _ = candidacy.applied().await;
        }
    }

    async fn say_flag(&self, said: Said) -> Result<(), ShareError> {
        if self.flags.get() != said.is_primary {
            let _on_its_way = self.flags.set_and_share(said.is_primary).await?;
        }
        Ok(())
    }

    async fn say_candidacy(&self, said: Said) -> Result<(), ShareError> {
        let (Some(candidacies), Some(candidacy)) = (&self.candidacies, said.candidacy) else {
            return Ok(());
        };
        if candidacies.get() != candidacy {
            let _on_its_way = candidacies.set_and_share(candidacy).await?;
        }
        Ok(())
    }
}
