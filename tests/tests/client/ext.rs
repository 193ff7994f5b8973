//! The extensions that CometD ships, with the server's own.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bayeux_client::{BayeuxClient, ext};
use bayeux_server::api::{ConnectionType, Message, client::ClientSession as _, meta};
use tests::{TestServer, hooks::Log, over_every_client_transport, within};

over_every_client_transport!(
    it_learns_what_the_servers_clock_shows,
    each_message_that_is_sent_says_when,
);

async fn it_learns_what_the_servers_clock_shows(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let timesync = Arc::new(bayeux_server::ext::TimesyncExtension::default());
    server.server.add_extension(timesync).keep();
    let client = server.builder(transport).build().unwrap();
    let timesync = Arc::new(ext::TimesyncClientExtension::default());
    client.add_extension(timesync.clone()).keep();
    let reply = handshake(&client).await;
    let told = reply.ext_field("timesync").unwrap();
    assert!(["tc", "ts", "p", "a"].iter().all(|field| told[field].is_i64()), "{told}");
    let difference = match timesync.server_time().duration_since(SystemTime::now()) {
        Ok(ahead) => ahead,
        Err(behind) => behind.duration(),
    };
    // It is the same clock, unless this machine is very busy.
    assert!(difference < Duration::from_secs(60), "{difference:?}");
    assert!(timesync.lag() < Duration::from_secs(60), "{:?}", timesync.lag());
}

async fn each_message_that_is_sent_says_when(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let seen = Log::default();
    let own = seen.clone();
    let extension = tests::hooks::incoming(move |_, message| {
        let at = message.timestamp.as_deref().map(httpdate::parse_http_date);
        own.add(format!("{} {}", message.channel(), matches!(at, Some(Ok(_)))));
        bayeux_server::api::Flow::Continue
    });
    server.server.add_extension(extension).keep();
    let client = server.builder(transport).build().unwrap();
    client.add_extension(Arc::new(ext::TimestampClientExtension)).keep();
    handshake(&client).await;
    // What a publication says is the server's to say.
    within("it", client.channel("/a").unwrap().subscribe()).await.unwrap();
    let entries = seen.entries();
    for channel in [meta::HANDSHAKE, meta::SUBSCRIBE] {
        assert!(entries.contains(&format!("{channel} true")), "{entries:?}");
    }
    assert!(!entries.iter().any(|entry| entry.ends_with("false")), "{entries:?}");
}

async fn handshake(client: &BayeuxClient) -> Message {
    within("the handshake", client.handshake()).await.unwrap()
}
