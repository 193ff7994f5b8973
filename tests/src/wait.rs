//! Waiting: for events, and never for ever.

use std::{future::Future, time::Duration};

use bayeux_server::{Config, ServeConfig};

use crate::every_transport;

/// How long a test waits for what has to come: on a busy machine a wait of seconds is nothing strange.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Longer than any test waits. What a server or client does after so long helps no test to succeed.
pub const AGES: Duration = DEADLINE.saturating_mul(10);

/// Waits for `future`.
///
/// # Panics
///
/// When it takes longer than the [deadline](DEADLINE); `what` is what was waited for.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {DEADLINE:?} for {what}"),
    }
}

/// Waits until `condition` holds, for what nothing tells of.
///
/// # Panics
///
/// When it takes longer than the [deadline](DEADLINE); `what` is what was waited for.
pub async fn eventually(what: &str, condition: impl Fn() -> bool) {
    within(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// Makes a server hold connects, keep silent sessions and bear slow peers for [ages](AGES): neither a
/// wake-up that is lost nor a wait for a peer is made good by the end of a time.
pub fn patient(config: &mut Config) {
    every_transport(config, |transport| {
        transport.timeout = AGES;
        transport.max_interval = AGES;
    });
    config.http.request_timeout = AGES;
    config.http.response_timeout = AGES;
    config.ws.write_timeout = AGES;
}

/// Returns how a [patient] server treats its connections.
pub fn patiently() -> ServeConfig {
    let mut config = ServeConfig::default();
    config.header_timeout = AGES;
    config.write_timeout = AGES;
    config
}
