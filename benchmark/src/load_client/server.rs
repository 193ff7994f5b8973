//! The load server as its client sees it: its statistics are started and stopped by messages.

use std::{sync::Arc, time::Duration};

use bayeux_client::{
    BayeuxClient, State,
    api::{Message, client::ClientSessionChannel},
};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};

use crate::{Result, load_client::site::Site, process::Process, say};

pub(crate) struct LoadServer {
    client: BayeuxClient,
    process: Option<Process>,
    /// What the server delivers when the statistics are stopped.
    reports: mpsc::UnboundedReceiver<Value>,
    before: Option<Duration>,
}

/// What the server used during a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    /// Its processor time, by its own account or by that of the kernel.
    pub(crate) processor: Option<Duration>,
    /// All that it told.
    pub(crate) report: Option<Value>,
}

const STOP: &str = "/service/statistics/stop";

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long after the reply the statistics may come.
const AFTERWARDS: Duration = Duration::from_secs(1);

impl LoadServer {
    /// Starts a session of its own.
    pub(crate) async fn connect(site: &Site, pid: Option<u32>) -> Result<Self> {
        let process = pid.map(Process::new);
        process.map(Process::cpu).transpose().map_err(|error| format!("--serverPid: {error}"))?;
        let client = site.client()?;
        let (sender, reports) = mpsc::unbounded_channel();
        let listener = move |_: &dyn ClientSessionChannel, message: &Message| {
            if let Some(data) = &message.data {
                // Nobody listens any more at the end.
                let _ = sender.send(data.value());
            }
        };
        client.channel(STOP)?.add_listener(Arc::new(listener)).keep();
        client.handshake().await.map_err(|error| site.explain(&error))?;
        Ok(Self { client, process, reports, before: None })
    }

    pub(crate) async fn start(&mut self) {
        self.tell("/service/statistics/start").await;
        self.before = self.cpu();
    }

    /// Ends the measuring, and returns what the server tells.
    pub(crate) async fn stop(&mut self) -> Usage {
        let after = self.cpu();
        while self.reports.try_recv().is_ok() {}
        let mut report = None;
        if self.tell(STOP).await {
            report = timeout(AFTERWARDS, self.reports.recv()).await.ok().flatten();
        }
        let own = report.as_ref().and_then(|report| report["processorTime"]["value"].as_f64());
        let own = own.and_then(|millis| Duration::try_from_secs_f64(millis / 1e3).ok());
        let measured = after.zip(self.before).map(|(after, before)| after.saturating_sub(before));
        Usage { processor: measured.or(own), report }
    }

    /// Says goodbye, and with `exit` tells the server to end.
    pub(crate) async fn leave(self, exit: bool) {
        if exit {
            self.tell("/service/statistics/exit").await;
        }
        let leaving = async {
            // Its reply tells nothing new.
            drop(self.client.disconnect().await);
            self.client.wait_for(PATIENCE, &[State::Disconnected]).await
        };
        let _ = timeout(Duration::from_secs(2), leaving).await;
        self.client.abort();
    }

    /// Publishes to a service that only load servers have; false when that was refused.
    async fn tell(&self, channel: &str) -> bool {
        let Ok(service) = self.client.channel(channel) else { return false };
        match timeout(PATIENCE, service.publish(json!({}))).await {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => {
                say::note(format!("{channel}: {error}; going on without"));
                false
            }
            Err(_) => {
                say::note(format!("{channel}: no reply within {PATIENCE:?}; going on without"));
                false
            }
        }
    }

    fn cpu(&self) -> Option<Duration> {
        let cpu = self.process?.cpu();
        cpu.map_err(|error| say::note(format!("the server's processor time is unknown: {error}")))
            .ok()
    }
}
