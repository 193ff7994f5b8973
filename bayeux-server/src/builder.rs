//! Puts a server together.

use std::sync::Arc;

use bayeux_api::server::SecurityPolicy;

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

    /// Makes the server. What is out of bounds in the configuration is brought within, or back to its
    /// default, and logged; [`try_build`](Self::try_build) refuses it.
    pub fn build(mut self) -> Server {
        for error in self.config.mend() {
            tracing::warn!(%error, "the nearest value that is taken is used");
        }
        Server::from_parts(self.config, self.policy)
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
        Self { config: Config::default(), policy: Some(Arc::new(DefaultSecurityPolicy)) }
    }
}
