//! How results are told: in lines for people, or as one JSON object.

use std::{fmt, time::Duration};

use serde::Serialize;
use serde_json::Value;

use crate::{
    Result,
    latency::LatencyMicros,
    load::{Protocol, Transport, Used},
    say,
};

/// Prints a report.
pub(crate) fn print(is_json: bool, report: &(impl Serialize + fmt::Display)) -> Result<()> {
    if is_json {
        say::result(serde_json::to_string(report)?);
    } else {
        say::result(report.to_string().trim_end());
    }
    Ok(())
}

/// What came of a scenario that delivers messages.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Deliveries {
    pub(crate) scenario: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) transport: Transport,
    pub(crate) parameters: Value,
    pub(crate) deliveries: u64,
    pub(crate) wall_seconds: f64,
    pub(crate) deliveries_per_second: f64,
    /// None if the server's process is not known.
    pub(crate) server_cpu_seconds: Option<f64>,
    pub(crate) cpu_micros_per_delivery: Option<f64>,
    /// As much of that as is not the kernel's.
    pub(crate) user_micros_per_delivery: Option<f64>,
    /// This process's own, which is all of its core's unless it sleeps.
    pub(crate) generator_cpu_seconds: f64,
    pub(crate) latency_micros: Option<LatencyMicros>,
    /// A run with losses fails, so that this is zero.
    pub(crate) lost: u64,
}

impl Deliveries {
    /// Adds what is measured to what was to be done.
    pub(crate) fn measured(
        mut self,
        deliveries: u64,
        wall: Duration,
        used: Used,
        latency: Option<LatencyMicros>,
    ) -> Self {
        self.deliveries = deliveries;
        self.wall_seconds = wall.as_secs_f64();
        self.deliveries_per_second = deliveries as f64 / self.wall_seconds;
        let cpu = used.server;
        self.generator_cpu_seconds = used.generator.as_secs_f64();
        self.server_cpu_seconds = cpu.map(|cpu| cpu.as_secs_f64());
        self.cpu_micros_per_delivery = cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / deliveries as f64);
        self.user_micros_per_delivery =
            used.server_user.map(|user| user.as_secs_f64() * 1e6 / deliveries as f64);
        self.latency_micros = latency;
        self
    }

    /// Makes a report in which nothing is measured yet.
    pub(crate) fn new(
        scenario: &'static str,
        protocol: Protocol,
        transport: Transport,
        parameters: Value,
    ) -> Self {
        Self {
            scenario,
            protocol,
            transport,
            parameters,
            deliveries: 0,
            wall_seconds: 0.0,
            deliveries_per_second: 0.0,
            server_cpu_seconds: None,
            cpu_micros_per_delivery: None,
            user_micros_per_delivery: None,
            generator_cpu_seconds: 0.0,
            latency_micros: None,
            lost: 0,
        }
    }
}

impl fmt::Display for Deliveries {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = match self.protocol {
            Protocol::Bayeux | Protocol::Centrifugo => "each once and in order",
            Protocol::Limit => "counted",
        };
        writeln!(formatter, "{} deliveries over {}, {counted}", self.deliveries, self.transport)?;
        writeln!(
            formatter,
            "wall time {:.3} s, {:.0} deliveries/s",
            self.wall_seconds, self.deliveries_per_second
        )?;
        match (self.server_cpu_seconds, self.cpu_micros_per_delivery) {
            (Some(cpu), Some(micros)) => writeln!(
                formatter,
                "server processor time {cpu:.3} s, {micros:.3} µs per delivery, {:.3} µs of its own",
                self.user_micros_per_delivery.unwrap_or_default()
            )?,
            _ => writeln!(formatter, "server processor time unknown: give --pid")?,
        }
        if let Some(latency) = &self.latency_micros {
            writeln!(formatter, "latency: {latency}")?;
        }
        Ok(())
    }
}
