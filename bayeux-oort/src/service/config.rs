//! How a service behaves.

use std::time::Duration;

/// Configuration of an [`OortService`](crate::OortService).
///
/// ```
/// # use std::time::Duration;
/// let mut config = bayeux_oort::ServiceConfig::default();
/// config.timeout = Duration::from_secs(2);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceConfig {
    /// How long a request waits for its answer (`timeout`); 5 s by default.
    pub timeout: Duration,
    /// How many requests of this node may wait for their answers; 4,096 by default. More fail at once.
    pub max_pending: usize,
    /// How long the handler may take; 30 s by default. Then its future is dropped, and the request has failed.
    /// Who asks may give up earlier, and is not told.
    pub handler_timeout: Duration,
    /// How many requests are handled at once; 1,024 by default. More are refused.
    pub max_handled: usize,
    /// How many of these may be of one node; 256 by default.
    pub max_handled_of_node: usize,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            max_pending: 4096,
            handler_timeout: Duration::from_secs(30),
            max_handled: 1024,
            max_handled_of_node: 256,
        }
    }
}
