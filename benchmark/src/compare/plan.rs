//! All measurements, in the order in which they are run.

use crate::{
    compare::{
        figure::grouped,
        measurement::{Company, Cores, Group, Measurement, Rounds, Scenario},
        peer::Peer::{Application, Attribute, Deliver, Limit},
    },
    load::Transport::{self, LongPolling, WebSocket},
};

/// How much is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// What the project's bars are about.
    Full,
    /// A try, whose numbers mean little.
    Quick,
}

impl Size {
    fn pick(self, full: u64, quick: u64) -> u64 {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

pub(crate) fn measurements(size: Size) -> Vec<Measurement> {
    let mut all = fanouts(size);
    all.extend(large_fanouts(size));
    all.extend(echoes(size));
    all.extend(applications(size));
    all.extend(churns(size));
    all.extend(rooms(size));
    all.extend(idles(size));
    all.push(channels(size));
    all.extend(latencies(size));
    all.push(slow(size));
    all.extend(cores(size));
    all
}

fn fanouts(size: Size) -> Vec<Measurement> {
    let subscribers = size.pick(1_000, 50);
    let one = |id, transport, in_flight| {
        let seconds = size.pick(5, 1);
        let arguments = format!(
            "--transport {} --subscribers {subscribers} --in-flight {in_flight} --seconds {seconds}",
            name(transport)
        );
        let title = format!(
            "fan-out over {} to {} subscribers, {in_flight} under way",
            title(transport),
            grouped(subscribers)
        );
        measurement(id, Group::Fanout, Scenario::Fanout, title, transport, &arguments, seconds + 1)
    };
    vec![
        one("fanout-websocket", WebSocket, 1),
        one("fanout-websocket-8", WebSocket, 8),
        one("fanout-long-polling", LongPolling, 1),
    ]
}

fn large_fanouts(size: Size) -> Vec<Measurement> {
    let one = |id, subscribers: u64| {
        let seconds = size.pick(5, 1);
        let arguments = format!(
            "--transport websocket --subscribers {subscribers} --in-flight 4 --seconds {seconds}"
        );
        let title =
            format!("fan-out over WebSocket to {} subscribers, 4 under way", grouped(subscribers));
        let seconds = seconds + subscribers / 2_000;
        let plain =
            measurement(id, Group::Fanout, Scenario::Fanout, title, WebSocket, &arguments, seconds);
        Measurement { company: Company::Only(&[Limit]), ..plain }
    };
    let most = one("fanout-websocket-18000", size.pick(18_000, 200));
    vec![
        one("fanout-websocket-9000", size.pick(9_000, 100)),
        Measurement { rounds: Rounds::Once, ..most },
    ]
}

/// Long enough for the time that is not the kernel's to be known.
fn applications(size: Size) -> Vec<Measurement> {
    let (many, few, seconds) = (size.pick(1_000, 50), size.pick(100, 20), size.pick(10, 1));
    let fanout =
        format!("--transport websocket --subscribers {many} --in-flight 8 --seconds {seconds}");
    let messages = size.pick(10_000, 50);
    let echo = format!("--transport websocket --clients {few} --in-flight 1 --messages {messages}");
    let short = size.pick(5, 1);
    let deliver =
        format!("--transport websocket --subscribers {many} --in-flight 1 --seconds {short}");
    let one = |id, scenario, title: &str, arguments: &str, seconds, peers| {
        let (group, title) = (Group::Application, title.to_owned());
        let plain = measurement(id, group, scenario, title, WebSocket, arguments, seconds);
        Measurement { company: Company::Only(peers), ..plain }
    };
    vec![
        one(
            "application-fanout",
            Scenario::Fanout,
            "fan-out over WebSocket, with and without an application",
            &fanout,
            seconds + 1,
            &[Attribute, Application],
        ),
        one(
            "application-echo",
            Scenario::Echo,
            "echo over WebSocket, with and without an application",
            &echo,
            size.pick(7, 1),
            &[Attribute, Application],
        ),
        one(
            "deliver",
            Scenario::Fanout,
            "a publication, and a message delivered to each subscriber by itself",
            &deliver,
            short + 1,
            &[Deliver],
        ),
    ]
}

fn channels(size: Size) -> Measurement {
    let channels = size.pick(100_000, 2_000);
    let arguments = format!("--channels {channels}");
    let title = format!("{} channels with one subscriber each", grouped(channels));
    let plain =
        measurement("channels", Group::Idle, Scenario::Channels, title, WebSocket, &arguments, 10);
    Measurement { company: Company::Alone, ..plain }
}

fn echoes(size: Size) -> Vec<Measurement> {
    let clients = size.pick(100, 20);
    let one = |id, transport, in_flight, amount: (u64, u64)| {
        let arguments =
            format!("--transport {} --clients {clients} --in-flight {in_flight}", name(transport));
        let title =
            format!("echo over {}, {clients} clients, {in_flight} under way", title(transport));
        let amount = ("--messages", amount.0, amount.1);
        let seconds = size.pick(5, 1);
        let plain =
            measurement(id, Group::Echo, Scenario::Echo, title, transport, &arguments, seconds);
        Measurement { amount: Some(amount), ..plain }
    };
    let amount = |full: u64, slow: u64| (size.pick(full, 50), size.pick(slow, 50));
    vec![
        one("echo-websocket", WebSocket, 1, amount(5_000, 1_500)),
        one("echo-long-polling", LongPolling, 1, amount(2_000, 500)),
        alone(one("echo-websocket-16", WebSocket, 16, amount(8_000, 2_000))),
    ]
}

fn churns(size: Size) -> Vec<Measurement> {
    let one = |id, transport| {
        let first = size.pick(2_000, 100);
        let arguments = format!("--transport {} --concurrency 10 --first {first}", name(transport));
        let title = format!("handshake, subscribe, connect, disconnect over {}", title(transport));
        let amount = ("--cycles", size.pick(30_000, 500), size.pick(10_000, 500));
        let plain = measurement(id, Group::Churn, Scenario::Churn, title, transport, &arguments, 5);
        Measurement { amount: Some(amount), ..plain }
    };
    let long = |id, transport| {
        let (cycles, first) = (size.pick(1_000_000, 2_000), size.pick(10_000, 1_000));
        let arguments = format!(
            "--transport {} --concurrency 10 --cycles {cycles} --first {first}",
            name(transport)
        );
        let title =
            format!("{} sessions that come and go over {}", grouped(cycles), title(transport));
        let seconds = size.pick(120, 1);
        let plain =
            measurement(id, Group::Churn, Scenario::Churn, title, transport, &arguments, seconds);
        Measurement { company: Company::Alone, rounds: Rounds::Once, ..plain }
    };
    vec![
        one("churn-websocket", WebSocket),
        one("churn-long-polling", LongPolling),
        long("churn-memory-websocket", WebSocket),
        long("churn-memory-long-polling", LongPolling),
    ]
}

fn rooms(size: Size) -> Vec<Measurement> {
    let one = |id, transport, client_transport| {
        let (clients, batches) = (size.pick(1_000, 50), size.pick(1_000, 50));
        let arguments = format!(
            "--auto --transport={client_transport} --clients={clients} --batches={batches} \
             --iterations=1"
        );
        let title =
            format!("CometD's rooms over {}, {} clients", title(transport), grouped(clients));
        let seconds = size.pick(14, 2);
        measurement(id, Group::Rooms, Scenario::Rooms, title, transport, &arguments, seconds)
    };
    vec![
        one("rooms-websocket", WebSocket, "WEBSOCKET"),
        one("rooms-long-polling", LongPolling, "LONG_POLLING"),
    ]
}

fn idles(size: Size) -> Vec<Measurement> {
    let one = |id, scenario, transport, state, sessions: u64, seconds: u64| {
        let arguments = format!("--state {state} --sessions {sessions} --seconds {seconds}");
        let state = match (scenario, transport) {
            (Scenario::Parked, _) => "sessions between two connects, without a connection",
            (_, WebSocket) => "idle sessions over WebSocket",
            (_, LongPolling) => "idle sessions with a held long-poll",
        };
        let title = format!("{} {state}", grouped(sessions));
        let seconds = seconds + sessions / 4_000;
        measurement(id, Group::Idle, scenario, title, transport, &arguments, seconds)
    };
    let (many, most, time) = (size.pick(10_000, 500), size.pick(19_000, 1_000), size.pick(40, 2));
    vec![
        once_for_others(one("idle-websocket", Scenario::Idle, WebSocket, "websocket", many, time)),
        alone(one("idle-websocket-19000", Scenario::Idle, WebSocket, "websocket", most, 1)),
        once_for_others(one("idle-held", Scenario::Idle, LongPolling, "held", many, time)),
        once_for_others(one(
            "idle-parked",
            Scenario::Parked,
            LongPolling,
            "parked",
            size.pick(100_000, 2_000),
            1,
        )),
    ]
}

fn latencies(size: Size) -> Vec<Measurement> {
    let one = |id, subscribers: u64, rate: u64| {
        let seconds = size.pick(10, 1);
        let arguments = format!(
            "--transport websocket --subscribers {subscribers} --rate {rate} --seconds {seconds}"
        );
        let title = format!(
            "{} deliveries a second over WebSocket, {} subscribers",
            grouped(subscribers * rate),
            grouped(subscribers)
        );
        measurement(id, Group::Latency, Scenario::Fanout, title, WebSocket, &arguments, seconds + 2)
    };
    vec![
        once_for_others(one("latency-100", 100, 100)),
        once_for_others(one("latency-1000", size.pick(1_000, 200), 10)),
    ]
}

fn slow(size: Size) -> Measurement {
    let (before, stall) = (size.pick(10, 2), size.pick(30, 2));
    let arguments = format!(
        "--transport websocket --subscribers 20 --rate 1000 --before {before} --stall {stall}"
    );
    let title =
        format!("one of 20 subscribers does not read for {stall} s, 1,000 messages a second");
    let seconds = before + stall + 5;
    let plain =
        measurement("slow", Group::Slow, Scenario::Slow, title, WebSocket, &arguments, seconds);
    Measurement { company: Company::Alone, ..plain }
}

/// The generator sleeps in these, since it may have to share a core with the server; so much is under
/// way that neither has to wait for the other.
/// Few messages at a time to many, and many clients: the generator, which has one thread, must not be
/// what is busiest.
fn cores(size: Size) -> Vec<Measurement> {
    let seconds = size.pick(5, 1);
    let fanout = format!(
        "--transport websocket --subscribers {} --publishers 4 --in-flight 2 --seconds {seconds}",
        size.pick(1_000, 50)
    );
    let echo = format!(
        "--transport websocket --clients {} --in-flight 16 --messages {} --sleep",
        size.pick(800, 100),
        size.pick(1_000, 100)
    );
    let one = |id, scenario, what: &str, arguments: &str, cores| {
        let number = if cores == Cores::Two { "two cores" } else { "one core" };
        let title = format!("{what} over WebSocket, server on {number}");
        let plain =
            measurement(id, Group::Cores, scenario, title, WebSocket, arguments, seconds + 1);
        Measurement { company: Company::Alone, cores, ..plain }
    };
    vec![
        one("cores-fanout-1", Scenario::Fanout, "fan-out", &fanout, Cores::One),
        one("cores-fanout-2", Scenario::Fanout, "fan-out", &fanout, Cores::Two),
        one("cores-echo-1", Scenario::Echo, "echo", &echo, Cores::One),
        one("cores-echo-2", Scenario::Echo, "echo", &echo, Cores::Two),
    ]
}

fn alone(plain: Measurement) -> Measurement {
    Measurement { company: Company::Alone, ..plain }
}

fn once_for_others(plain: Measurement) -> Measurement {
    Measurement { rounds: Rounds::OnceForOthers, ..plain }
}

fn measurement(
    id: &'static str,
    group: Group,
    scenario: Scenario,
    title: String,
    transport: Transport,
    arguments: &str,
    seconds: u64,
) -> Measurement {
    Measurement {
        id,
        group,
        title,
        scenario,
        transport,
        arguments: arguments.split(' ').map(str::to_owned).collect(),
        amount: None,
        company: Company::All,
        cores: Cores::One,
        rounds: Rounds::All,
        seconds,
    }
}

fn name(transport: Transport) -> &'static str {
    match transport {
        WebSocket => "websocket",
        LongPolling => "long-polling",
    }
}

fn title(transport: Transport) -> &'static str {
    match transport {
        WebSocket => "WebSocket",
        LongPolling => "long-polling",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_have_names_of_their_own() {
        let all = measurements(Size::Full);
        for one in &all {
            assert_eq!(all.iter().filter(|other| other.id == one.id).count(), 1, "{}", one.id);
        }
    }
}
