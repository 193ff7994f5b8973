//! Clients that hear only themselves: what a message there and back costs, and how long it takes.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::poll_fn,
    time::{Duration, Instant},
};

use clap::Args;
use futures_util::future::try_join_all;
use serde_json::json;

use crate::{
    Result,
    latency::Latencies,
    link::{Link, Part},
    load::{Load, LoadArguments, Transport, Used},
    order::Disorder,
    payload,
    process::check_file_limit,
    report::{self, Deliveries},
    say,
    wait::{stay_awake, watch},
};

/// Each client subscribes to a channel of its own and publishes to it; each message has to come back
/// once and in order.
///
/// Over long-polling a client has two connections: one holds the connect, one publishes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    load: LoadArguments,

    /// How many clients there are.
    #[arg(long, value_name = "C", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    clients: u64,

    /// What carries them.
    #[arg(long, value_enum, default_value_t = Transport::WebSocket)]
    transport: Transport,

    /// How many messages each client has under way.
    #[arg(long, value_name = "W", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    in_flight: u64,

    /// How many messages each client sends that are measured.
    #[arg(long, value_name = "M", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    messages: u64,

    /// How many messages each client sends before.
    #[arg(long, value_name = "M", default_value_t = 20)]
    warm_up: u64,

    /// How many bytes the payload has.
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    size: usize,

    /// Lets the generator sleep when nothing has arrived. The server then also pays for waking it.
    #[arg(long)]
    sleep: bool,
}

/// Returns the channel of a client.
pub(crate) fn channel(client: u64) -> String {
    format!("/load/echo/{client:05}")
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let load = arguments.load.load()?;
    check_file_limit(usize::try_from(2 * arguments.clients)?)?;
    payload::data(0, arguments.size)?;
    let clients = open(&load, &arguments).await?;
    let measured = tokio::select! {
        measured = measure(&load, &arguments, clients) => measured?,
        never = stay_awake(), if !arguments.sleep => match never {},
    };
    let Arguments { clients, transport, in_flight, messages, warm_up, size, sleep, load: told } =
        arguments;
    let parameters = json!({
        "clients": clients, "in_flight": in_flight, "messages": messages, "warm_up": warm_up,
        "size": size, "sleep": sleep,
    });
    let report = Deliveries::new("echo", load.protocol, transport, parameters);
    let Measured { wall, used, latencies } = measured;
    let report = report.measured(messages * clients, wall, used, latencies.micros());
    report::print(told.json, &report)
}

struct Measured {
    wall: Duration,
    used: Used,
    latencies: Latencies,
}

async fn open(load: &Load, arguments: &Arguments) -> Result<Vec<Client>> {
    let Arguments { clients: count, transport, in_flight, size, .. } = *arguments;
    let mut progress = say::Progress::new("clients", count);
    let mut clients = Vec::new();
    for number in 0..count {
        let channel = channel(number);
        let part = Part::Echo(&channel);
        let link = Link::open(load, transport, part, usize::try_from(number)?).await?;
        let is_in_order = transport == Transport::WebSocket;
        let under_way = BTreeMap::new();
        clients.push(Client { link, channel, is_in_order, in_flight, size, next: 0, under_way });
        progress.at(number + 1);
    }
    Ok(clients)
}

/// Lets all clients run, twice: to warm up, and measured.
async fn measure(load: &Load, arguments: &Arguments, mut clients: Vec<Client>) -> Result<Measured> {
    let Arguments { messages, warm_up, .. } = *arguments;
    let latencies = RefCell::new(Latencies::new()?);
    let done = Cell::new(0);
    let record = |latency| {
        latencies.borrow_mut().record(latency);
        done.set(done.get() + 1);
    };
    let measuring = async {
        let ignore = |_| done.set(done.get() + 1);
        try_join_all(clients.iter_mut().map(|client| client.run(warm_up, &ignore))).await?;
        let (before, start) = (load.used()?, Instant::now());
        try_join_all(clients.iter_mut().map(|client| client.run(messages, &record))).await?;
        let (wall, after) = (start.elapsed(), load.used()?);
        try_join_all(clients.iter_mut().map(Client::finish)).await?;
        Ok((wall, after.since(before)))
    };
    let total = (messages + warm_up) * arguments.clients;
    let measured: Result<_> = tokio::select! {
        measured = measuring => measured,
        Err(failure) = watch("messages", total, || done.get()) => Err(failure),
    };
    let (wall, used) = measured?;
    Ok(Measured { wall, used, latencies: latencies.into_inner() })
}

/// One client.
struct Client {
    link: Link,
    channel: String,
    /// Over long-polling a message may come back on either connection, and overtake another.
    is_in_order: bool,
    in_flight: u64,
    size: usize,
    /// The number of the next message.
    next: u64,
    /// When each message was sent that has not come back.
    under_way: BTreeMap<u64, Instant>,
}

impl Client {
    /// Sends so many messages, and waits until they are back; tells how long each was under way.
    async fn run(&mut self, messages: u64, record: &impl Fn(Duration)) -> Result<()> {
        let until = self.next + messages;
        let mut numbers = Vec::new();
        loop {
            let free = self.in_flight - self.under_way.len() as u64;
            numbers.clear();
            numbers.extend(self.next..until.min(self.next + free));
            if !numbers.is_empty() {
                let now = Instant::now();
                self.link.publish(&self.channel, &numbers, self.size)?;
                self.under_way.extend(numbers.iter().map(|number| (*number, now)));
                self.next += numbers.len() as u64;
            }
            if self.under_way.is_empty() {
                return Ok(());
            }
            self.receive(record).await?;
        }
    }

    async fn receive(&mut self, record: &impl Fn(Duration)) -> Result<()> {
        let Self { link, is_in_order, under_way, channel, .. } = self;
        let received = poll_fn(|context| {
            let take = &mut |number| {
                let first = under_way.first_key_value().map(|(first, _)| *first);
                let sent = under_way.remove(&number).ok_or(Disorder::Again { number })?;
                if let Some(expected) = first.filter(|first| *is_in_order && *first != number) {
                    return Err(Disorder::Early { number, expected }.into());
                }
                record(sent.elapsed());
                Ok(())
            };
            link.poll_receive(context, take)
        });
        received.await.map_err(|error| format!("the client of {channel}: {error}").into())
    }

    /// Waits until each publication has its reply.
    async fn finish(&mut self) -> Result<()> {
        while self.link.replies.publishes < self.next {
            self.receive(&|_| {}).await?;
        }
        Ok(())
    }
}
