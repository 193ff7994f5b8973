//! The extensions that CometD ships, with the server's own.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bayeux_client::{BayeuxClient, ext};
use bayeux_server::api::{ConnectionType, Flow, Message, client::ClientSession as _, meta};
use tests::{
    TestServer,
    hooks::{Log, incoming, outgoing},
    over_every_client_transport, within,
};

over_every_client_transport!(
    it_learns_what_the_servers_clock_shows,
    each_message_that_is_sent_says_when,
);

async fn it_learns_what_the_servers_clock_shows(transport: ConnectionType) {
    const AHEAD: Duration = Duration::from_secs(60 * 60);
    let server = TestServer::start(|_| {}).await;
    // What the server's clock shows goes past this one last: extensions are asked in reverse.
    let ahead = outgoing(|_, message| {
        if let Some(sync) = message.ext_field("timesync")
            && let Some(ts) = sync["ts"].as_u64()
        {
            let ahead = u64::try_from(AHEAD.as_millis()).unwrap();
            message.ext_mut()["timesync"]["ts"] = (ts + ahead).into();
        }
        Flow::Continue
    });
    server.server.add_extension(ahead).keep();
    let timesync = Arc::new(bayeux_server::ext::TimesyncExtension::default());
    server.server.add_extension(timesync).keep();
    let client = server.builder(transport).build().unwrap();
    let timesync = Arc::new(ext::TimesyncClientExtension::default());
    client.add_extension(timesync.clone()).keep();
    let reply = handshake(&client).await;
    let told = reply.ext_field("timesync").unwrap();
    assert!(["tc", "ts", "p", "a"].iter().all(|field| told[field].is_i64()), "{told}");
    let ahead = timesync.server_time().duration_since(SystemTime::now()).unwrap();
    // Unless this machine is very busy.
    assert!(ahead.abs_diff(AHEAD) < Duration::from_secs(60), "{ahead:?}");
    assert!(timesync.lag() < Duration::from_secs(60), "{:?}", timesync.lag());
}

async fn each_message_that_is_sent_says_when(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let seen = Log::default();
    let own = seen.clone();
    let extension = incoming(move |_, message| {
        let at = message.timestamp.as_deref().map(httpdate::parse_http_date);
        own.add(format!("{} {}", message.channel(), matches!(at, Some(Ok(_)))));
        Flow::Continue
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
