//! Puts a server together.

use std::sync::Arc;

use bayeux_api::server::{Backplane, SecurityPolicy};

use crate::{
    Server,
    config::{Config, OptionError},
    policy::DefaultSecurityPolicy,
};

/// Makes a [`Server`] out of a configuration and a policy.
#[derive(Debug)]
#[must_use]
pub struct Builder {
    config: Config,
    policy: Option<Arc<dyn SecurityPolicy>>,
    backplane: Option<Arc<dyn Backplane>>,
    seed: Option<u64>,
}

impl Builder {
    /// Sets the configuration.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets the security policy; [`DefaultSecurityPolicy`] unless set.
    pub fn policy(mut self, policy: impl SecurityPolicy + 'static) -> Self {
        self.policy = Some(Arc::new(policy));
        self
    }

    /// Sets what joins the server to others; none unless set.
    pub fn backplane(mut self, backplane: Arc<dyn Backplane>) -> Self {
        self.backplane = Some(backplane);
        self
    }

    /// Sets what all that is random of the server follows from, so that it can be played again: the same
    /// messages at the same times of the runtime's clock get the same ids and answers. For simulations and
    /// tests alone, since session ids can be guessed then. Drawn from the system's secure source unless
    /// set.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Makes the server. What is out of bounds in the configuration is brought within, or back to its
    /// default, and logged; [`try_build`](Self::try_build) refuses it.
    pub fn build(mut self) -> Server {
        for error in self.config.mend() {
            tracing::warn!(%error, "the nearest value that is taken is used");
        }
        Server::from_parts(self.config, self.policy, self.backplane, self.seed)
    }

    /// Makes the server if [`Config::validate`] has nothing against the configuration.
    ///
    /// # Errors
    ///
    /// When a value is not one its option takes.
    pub fn try_build(self) -> Result<Server, OptionError> {
        self.config.validate()?;
        Ok(self.build())
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            config: Config::default(),
            policy: Some(Arc::new(DefaultSecurityPolicy)),
            backplane: None,
            seed: None,
        }
    }
}
