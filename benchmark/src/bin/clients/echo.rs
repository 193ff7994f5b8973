//! One client that hears itself: how many messages it publishes and receives in a second.

use std::{
    collections::VecDeque,
    process,
    time::{Duration, Instant},
};

use bayeux_client::{BayeuxClient, Channel, Messages, Reply, State, api::ConnectionType};
use clap::Args;
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use crate::{Result, ServerArguments, process::Process, say};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: ServerArguments,

    /// For how long to publish.
    #[arg(long, default_value_t = 5)]
    seconds: u64,

    /// How many messages a batch has.
    #[arg(long, default_value_t = 100)]
    batch: u64,

    /// How many batches are without all their replies at a time.
    #[arg(long, default_value_t = 10)]
    in_flight: usize,
}

/// How long to wait for what does not come.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let server = arguments.server.clone().server()?;
    let client = BayeuxClient::builder()
        .url(&server.url)
        .transports(&[ConnectionType::WebSocket])
        .build()?;
    client.handshake().await?;
    if !client.wait_for(PATIENCE, &[State::Connected]).await {
        return Err(format!("the client is {} after {PATIENCE:?}", client.state()).into());
    }
    let channel = client.channel("/clients/echo")?;
    let messages = channel.subscribe().await?;

    let process = Process::new(process::id());
    let (cpu, start) = (process.cpu()?, Instant::now());
    let receiving = tokio::spawn(receive(messages));
    let published = publish(&client, &channel, &arguments).await?;
    let took = start.elapsed().as_secs_f64();
    // The receiver knows by this that it has them all.
    channel.publish(json!({ "n": null })).await?;
    let received = receiving.await??;
    let received_took = start.elapsed().as_secs_f64();
    let cpu = (process.cpu()? - cpu).as_secs_f64();
    client.disconnect().await?;

    let rate = |count: u64, seconds: f64| count as f64 / seconds;
    say::result(format!("{:.0} messages published a second", rate(published, took)));
    say::result(format!("{:.0} messages received a second", rate(received, received_took)));
    say::result(format!("{:.2} cores used by the client", cpu / received_took));
    match published == received {
        true => Ok(()),
        false => Err(format!("{published} were published and {received} received").into()),
    }
}

/// Publishes batches until the time is over, and returns how many messages got their reply.
async fn publish(client: &BayeuxClient, channel: &Channel, arguments: &Arguments) -> Result<u64> {
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let mut batches: VecDeque<Vec<Reply>> = VecDeque::new();
    let mut published = 0;
    while Instant::now() < end {
        let next = published..published + arguments.batch;
        published = next.end;
        batches
            .push_back(client.batch(|| next.map(|n| channel.publish(json!({ "n": n }))).collect()));
        if batches.len() >= arguments.in_flight
            && let Some(oldest) = batches.pop_front()
        {
            answered(oldest).await?;
        }
    }
    for batch in batches {
        answered(batch).await?;
    }
    Ok(published)
}

async fn answered(batch: Vec<Reply>) -> Result<()> {
    for reply in batch {
        timeout(PATIENCE, reply).await.map_err(|_| "a publication has no reply")??;
    }
    Ok(())
}

/// Receives until the message without number, and returns how many came, each in its place.
async fn receive(mut messages: Messages) -> Result<u64, String> {
    #[derive(Deserialize)]
    struct Numbered {
        n: Option<u64>,
    }
    let mut expected = 0;
    loop {
        let message = timeout(PATIENCE, messages.next()).await;
        let message = message.map_err(|_| format!("message {expected} did not come"))?;
        let data = message.and_then(|message| message.data).ok_or("the messages have ended")?;
        let numbered: Numbered = data.to().map_err(|error| error.to_string())?;
        match numbered.n {
            Some(n) if n == expected => expected += 1,
            Some(n) => return Err(format!("message {n} came where {expected} was due")),
            None => return Ok(expected),
        }
    }
}
