//! The scenes of sessions: how they start, end, come back, and acknowledge what arrives.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use bayeux_client::{
    Backoff, BayeuxClient, Channel, Config, Messages, State, TransportListener,
    api::{ConnectionType, Message, client::ClientSession as _},
    ext::TimesyncClientExtension,
};
use serde_json::json;

use crate::{
    Result,
    scene::{PATIENCE, Scene, connect, next, reaches, same, succeeds, within},
};

/// A session starts, connects and ends.
pub(crate) async fn handshake(scene: Scene<'_>) -> Result<()> {
    let client = scene.connected().await?;
    same("the transport", &client.transport(), &scene.transport())?;
    if client.id().is_none() {
        return Err("a connected client has no id".into());
    }
    disconnect(&client).await
}

/// A client that has all transports connects over the best that the server has.
pub(crate) async fn negotiation(scene: Scene<'_>, best: Option<ConnectionType>) -> Result<()> {
    let client = BayeuxClient::new(&scene.server.url())?;
    connect(&client).await?;
    same("the transport", &Some(client.transport()), &best)?;
    disconnect(&client).await
}

/// A client that has disconnected starts another session.
pub(crate) async fn again(scene: Scene<'_>) -> Result<()> {
    let client = scene.connected().await?;
    let first = client.id();
    disconnect(&client).await?;
    connect(&client).await?;
    if client.id() == first {
        return Err("the second session has the id of the first".into());
    }
    let channel = client.channel(&scene.channel("room"))?;
    let mut messages = succeeds("the subscription", channel.subscribe()).await?;
    exchange(&channel, &mut messages, "again").await?;
    disconnect(&client).await
}

/// Messages are acknowledged by the connects, and arrive once and in order.
pub(crate) async fn acknowledgements(scene: Scene<'_>) -> Result<()> {
    let client = scene.client({
        let mut config = Config::default();
        config.acknowledgements = true;
        config
    })?;
    let highest = Arc::new(Acknowledged::default());
    let _listener = client.add_transport_listener(highest.clone());
    let reply = connect(&client).await?;
    same("the handshake's ext.ack", &reply.ext_field("ack"), &Some(json!(true)))?;
    let channel = client.channel(&scene.channel("room"))?;
    let mut messages = succeeds("the subscription", channel.subscribe()).await?;
    for round in 0..5 {
        let replies: Vec<_> =
            client.batch(|| (0..10).map(|n| channel.publish(json!(round * 10 + n))).collect());
        for n in 0..10 {
            same("the data", &next(&mut messages).await?, &json!(round * 10 + n))?;
        }
        for reply in replies {
            succeeds("a publication", reply).await?;
        }
    }
    disconnect(&client).await?;
    match highest.0.load(Ordering::SeqCst) {
        0..5 => Err("the connects did not acknowledge each round".into()),
        5.. => same("what is left", &messages.try_next(), &None),
    }
}

/// The server tells what its clock shows, which is this machine's.
pub(crate) async fn timesync(scene: Scene<'_>) -> Result<()> {
    let client = scene.client(Config::default())?;
    let timesync = Arc::new(TimesyncClientExtension::default());
    client.add_extension(timesync.clone()).keep();
    let reply = connect(&client).await?;
    let told = reply.ext_field("timesync").ok_or("the server tells nothing of its clock")?;
    if !["tc", "ts", "p"].iter().all(|field| told[field].is_i64()) {
        return Err(format!("the server tells only {told}").into());
    }
    let there = timesync.server_time();
    let by = there.duration_since(SystemTime::now()).unwrap_or_else(|behind| behind.duration());
    if by > PATIENCE || timesync.lag() > PATIENCE {
        return Err(format!("the clocks differ by {by:?}, said {told}").into());
    }
    disconnect(&client).await
}

/// The server is killed and comes back: the client does, too, and its subscriptions are made again.
/// The server that does not know its session wants a handshake at once, for which it waits no more.
pub(crate) async fn reconnect(scene: Scene<'_>) -> Result<()> {
    const WAIT: Duration = Duration::from_secs(3);
    let backoff = Backoff::Constant(WAIT);
    let client = scene.client({
        let mut config = Config::default();
        config.backoff = backoff;
        config
    })?;
    connect(&client).await?;
    let first = client.id();
    let channel = client.channel(&scene.channel("room"))?;
    let mut messages = succeeds("the subscription", channel.subscribe()).await?;
    exchange(&channel, &mut messages, "before").await?;
    let mut states = client.states();
    scene.server.kill().await?;
    let is_lost = |state: &State| matches!(state, State::Unconnected | State::Rehandshaking);
    within("noticing that the server is gone", states.wait_for(is_lost))
        .await?
        .ok_or("the client is gone")?;
    scene.server.start_again().await?;
    let start = Instant::now();
    reaches(&client, State::Connected).await?;
    if start.elapsed() > WAIT + Duration::from_secs(2) {
        return Err(
            format!("coming back took {:?}, with waits of {WAIT:?}", start.elapsed()).into()
        );
    }
    if client.id() == first {
        return Err("the session of the new server has the id of the old one's".into());
    }
    exchange(&channel, &mut messages, "after").await?;
    let other = scene.connected().await?;
    let data = json!("from another");
    let publication = other.channel(&scene.channel("room"))?.publish(data.clone());
    succeeds("the other's publication", publication).await?;
    same("the data", &next(&mut messages).await?, &data)
}

async fn exchange(channel: &Channel, messages: &mut Messages, data: &str) -> Result<()> {
    succeeds("the publication", channel.publish(json!(data))).await?;
    same("the data", &next(messages).await?, &json!(data))
}

async fn disconnect(client: &BayeuxClient) -> Result<()> {
    succeeds("the disconnect", client.disconnect()).await?;
    if !client.wait_for(PATIENCE, &[State::Disconnected]).await {
        return Err(format!("the client is {} and not disconnected", client.state()).into());
    }
    same("the id after the end", &client.id(), &None)
}

/// The highest acknowledgement that was sent.
#[derive(Debug, Default)]
struct Acknowledged(AtomicU64);

impl TransportListener for Acknowledged {
    fn sending(&self, messages: &[Message]) {
        let connects = messages.iter().filter(|message| message.channel() == "/meta/connect");
        for ack in connects.filter_map(|connect| connect.ext_field("ack")?.as_u64()) {
            self.0.fetch_max(ack, Ordering::SeqCst);
        }
    }
}
