//! Puts a server together.

use std::sync::Arc;

use bayeux_api::server::SecurityPolicy;

use crate::{Server, config::Config, policy::DefaultSecurityPolicy};

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

    /// Makes the server.
    pub fn build(self) -> Server {
        Server::from_parts(self.config, self.policy)
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self { config: Config::default(), policy: Some(Arc::new(DefaultSecurityPolicy)) }
    }
}
