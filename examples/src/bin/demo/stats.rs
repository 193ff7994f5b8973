//! What the live counter of the page shows.

use std::time::{Duration, Instant};

use bayeux_server::{Server, api::server::SessionKind};
use serde_json::json;

/// Publishes the counters once a second, for as long as somebody is subscribed.
pub(crate) fn start(server: &Server) {
    tokio::spawn(publish(server.clone()));
}

async fn publish(server: Server) {
    let start = Instant::now();
    let (mut then, mut sent) = (start, 0);
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        let Some(channel) = server.channel("/demo/stats") else { continue };
        let (statistics, now) = (server.statistics(), Instant::now());
        let per_second = (statistics.messages_sent - sent) as f64 / (now - then).as_secs_f64();
        (then, sent) = (now, statistics.messages_sent);
        // Those of the services and of other nodes are no visitors.
        let is_visitor = |kind| kind == SessionKind::Client;
        let visitors =
            server.sessions().iter().filter(|session| is_visitor(session.kind())).count();
        let data = json!({
            "sessions": visitors,
            "channels": statistics.channels,
            "messagesPerSecond": per_second.round(),
            "uptime": start.elapsed().as_secs(),
        });
        let _ = channel.publish(data).await;
    }
}
