//! What time it is.

use std::time::Instant;

/// Returns the time by the runtime's clock, which tests may stop.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
