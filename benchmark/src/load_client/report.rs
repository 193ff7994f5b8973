//! What a run showed: as CometD's load client prints it, and as `result.json` has it.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::{
    histogram::grouped,
    load_client::{
        arguments::{Arguments, Transport},
        arrivals::Problems,
        sending::Sent,
        server::Usage,
        tally::Tally,
    },
    load_server::processors,
};

#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) platform: Platform,
    pub(crate) arguments: Arguments,
    pub(crate) sent: Sent,
    pub(crate) received: u64,
    pub(crate) arrived: Tally,
    pub(crate) problems: Problems,
    /// This process's processor time.
    pub(crate) cpu: Duration,
    pub(crate) usage: Usage,
}

/// The machine this runs on.
#[derive(Clone, Debug)]
pub(crate) struct Platform {
    os: String,
    processors: usize,
    /// In GiB.
    memory: f64,
}

impl Report {
    /// Whether all messages arrived, once and in order, and nothing else failed.
    pub(crate) fn is_without_fault(&self) -> bool {
        self.received == self.sent.expected
            && self.arrived.repeated == 0
            && (self.arrived.disordered == 0 || !self.is_order_kept())
            && self.problems.count == 0
            && self.sent.replies.len() == 0
            && self.sent.batches == self.arguments.plan.batches
    }

    /// Whether the order is kept by Bayeux. It is not over long-polling without acknowledgements:
    /// a client that has a connect held and publishes gets its messages with whatever is answered,
    /// and of two answers either may arrive first.
    fn is_order_kept(&self) -> bool {
        let site = &self.arguments.site;
        site.transport == Transport::WebSocket || site.ack_extension
    }

    pub(crate) fn to_json(&self) -> Value {
        let plan = &self.arguments.plan;
        let (outgoing, incoming) = (self.outgoing(), self.incoming());
        let latency = &self.arrived.latency;
        json!({
            "config": {
                "cores": self.platform.processors,
                "totalMemory": measure(self.platform.memory, "GiB"),
                "os": self.platform.os,
                "date": httpdate::fmt_http_date(SystemTime::now()),
                "transport": self.arguments.site.transport.as_str(),
                "clients": plan.clients,
                "rooms": self.arguments.rooms.rooms,
                "roomsPerClient": self.arguments.rooms.rooms_per_client,
                "batches": plan.batches,
                "batchSize": plan.batch_size,
                "batchPause": measure(plan.batch_pause as f64, "us"),
                "messageSize": measure(plan.message_size as f64, "B"),
                "seed": self.arguments.seed,
            },
            "results": {
                "cpu": measure(self.share(), "%"),
                "messages": self.received,
                "expected": self.sent.expected,
                "lost": self.sent.expected.saturating_sub(self.received),
                "repeated": self.arrived.repeated,
                "disordered": self.arrived.disordered,
                "failures": self.problems.count,
                "sendTime": measure(outgoing.seconds * 1e3, "ms"),
                "sendRate": measure(outgoing.per_second, "messages/s"),
                "receiveTime": measure(incoming.seconds * 1e3, "ms"),
                "receiveRate": measure(incoming.per_second, "messages/s"),
                "latency": latency.to_json(),
                "networkLatency": self.arrived.network.to_json(),
                "clientProcessorTime": measure(self.cpu.as_secs_f64() * 1e3, "ms"),
                "serverProcessorTime": self
                    .usage
                    .processor
                    .map(|time| measure(time.as_secs_f64() * 1e3, "ms")),
                "server": self.usage.report,
            },
        })
    }

    fn outgoing(&self) -> Rate {
        let Sent { elapsed, messages, batches, .. } = self.sent;
        Rate::new(elapsed.as_secs_f64(), messages, batches, self.arguments.plan.message_size)
    }

    fn incoming(&self) -> Rate {
        let nanos = self.arrived.last.saturating_sub(self.sent.begin);
        let seconds = Duration::from_nanos(nanos).as_secs_f64();
        let size = self.arguments.plan.message_size;
        Rate::new(seconds, self.received, self.arrived.deliveries, size)
    }

    /// Returns this process's use of one processor, in percent.
    fn share(&self) -> f64 {
        let seconds = self.incoming().seconds.max(self.outgoing().seconds);
        100.0 * self.cpu.as_secs_f64() / seconds.max(f64::MIN_POSITIVE)
    }

    fn write_faults(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, received, arrived, problems, .. } = self;
        if sent.batches < self.arguments.plan.batches {
            writeln!(f, "The server cannot be reached any more: {} batches sent", sent.batches)?;
        }
        if *received < sent.expected {
            writeln!(f, "Messages - Lost = {}", sent.expected - received)?;
        }
        if arrived.repeated > 0 {
            writeln!(f, "Messages - Repeated = {}", arrived.repeated)?;
        }
        if arrived.disordered > 0 {
            let allowed = match self.is_order_kept() {
                true => "",
                false => " (no fault over long-polling without acknowledgements)",
            };
            writeln!(f, "Messages - Out of order = {}{allowed}", arrived.disordered)?;
        }
        if arrived.strays > 0 {
            writeln!(f, "Messages - Of an earlier run = {}", arrived.strays)?;
        }
        if sent.replies.len() > 0 {
            writeln!(f, "Publications without a reply = {}", sent.replies.len())?;
        }
        if let Some(first) = &problems.first {
            writeln!(f, "Failures = {} | The first: {first}", problems.count)?;
        }
        Ok(())
    }

    fn write_processors(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, share) = (self.cpu.as_secs_f64(), self.share());
        writeln!(f, "Client - Processor time = {seconds:.3} s, {share:.1}% of one processor")?;
        let Some(time) = self.usage.processor else {
            return writeln!(f, "Server - Processor time unknown; give --serverPid");
        };
        let seconds = time.as_secs_f64();
        let each = seconds * 1e6 / self.received.max(1) as f64;
        write!(f, "Server - Processor time = {seconds:.3} s, {each:.3} µs per message received")?;
        let memory = self.usage.report.as_ref();
        match memory.and_then(|report| report["residentMemory"]["value"].as_f64()) {
            Some(mib) => writeln!(f, " | Resident memory = {mib:.1} MiB"),
            None => writeln!(f),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, received, arrived, .. } = self;
        writeln!(f, "Messages - Success/Expected = {received}/{}", sent.expected)?;
        let outgoing = self.outgoing();
        writeln!(
            f,
            "Outgoing: Elapsed = {:.0} ms | Rate = {} messages/s - {} batches/s - {:.3} MiB/s",
            outgoing.seconds * 1e3,
            grouped(outgoing.per_second),
            grouped(outgoing.batches_per_second),
            outgoing.mib_per_second
        )?;
        let incoming = self.incoming();
        let percent = 100.0 * arrived.deliveries as f64 / (*received).max(1) as f64;
        writeln!(
            f,
            "Incoming - Elapsed = {:.0} ms | Rate = {} messages/s - {} batches/s({percent:.2}%) - \
             {:.3} MiB/s",
            incoming.seconds * 1e3,
            grouped(incoming.per_second),
            grouped(incoming.batches_per_second),
            incoming.mib_per_second
        )?;
        writeln!(f, "{}", arrived.latency.titled("Messages - Latency"))?;
        let network = &arrived.network;
        let [min, mean, max] =
            [network.min(), network.mean(), network.max()].map(|micros| micros / 1e3);
        writeln!(f, "Messages - Network Latency Min/Ave/Max = {min:.3}/{mean:.3}/{max:.3} ms")?;
        let (slowest, id) = arrived.slowest;
        writeln!(f, "Slowest Message ID = {id} time = {:.3} ms", slowest as f64 / 1e6)?;
        self.write_faults(f)?;
        self.write_processors(f)?;
        let runtime = Handle::try_current().map(|handle| handle.metrics());
        let (threads, tasks) =
            runtime.map_or((0, 0), |runtime| (runtime.num_workers(), runtime.num_alive_tasks()));
        write!(f, "Runtime:\n  threads: {threads}\n  tasks: {tasks}")
    }
}

/// How fast something went.
struct Rate {
    seconds: f64,
    /// Messages.
    per_second: f64,
    batches_per_second: f64,
    mib_per_second: f64,
}

impl Rate {
    fn new(seconds: f64, messages: u64, batches: u64, size: usize) -> Self {
        let per = |count: f64| if seconds > 0.0 { count / seconds } else { 0.0 };
        Self {
            seconds,
            per_second: per(messages as f64),
            batches_per_second: per(batches as f64),
            mib_per_second: per(messages as f64 * size as f64 / 1024.0 / 1024.0),
        }
    }
}

impl Platform {
    pub(crate) fn new() -> Self {
        let (system, memory) = (rustix::system::uname(), rustix::system::sysinfo());
        let name = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        let os = [system.sysname(), system.release(), system.machine()].map(name).join(" ");
        let bytes = memory.totalram as f64 * f64::from(memory.mem_unit);
        Self { os, processors: processors(), memory: bytes / 1024.0 / 1024.0 / 1024.0 }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { os, processors, memory } = self;
        write!(f, "{os} | {processors} processors | {memory:.1} GiB of memory")
    }
}

fn measure(value: f64, unit: &str) -> Value {
    json!({ "value": value, "unit": unit })
}
