//! The service through which a load client starts and stops the statistics, and ends the server.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bayeux_server::{
    Server, Service,
    api::{Json, server::Statistics},
};
use serde_json::{Value, json};
use tokio::{runtime::Handle, sync::Notify};

use crate::{
    Result,
    load_server::{processing::Processing, requests::Requests},
    process::Process,
    say,
};

#[derive(Debug)]
pub(crate) struct StatisticsService {
    server: Server,
    requests: Arc<Requests>,
    processing: Option<Arc<Processing>>,
    exit: Arc<Notify>,
    /// How things were when the statistics were started.
    before: Mutex<Option<Levels>>,
}

/// What grows as the server works.
#[derive(Clone, Copy, Debug)]
struct Levels {
    at: Instant,
    processor: Duration,
    statistics: Statistics,
}

impl StatisticsService {
    pub(crate) fn new(
        server: Server,
        requests: Arc<Requests>,
        processing: Option<Arc<Processing>>,
        exit: Arc<Notify>,
    ) -> Self {
        Self { server, requests, processing, exit, before: Mutex::default() }
    }

    /// Listens to the load clients, for as long as the service is kept.
    pub(crate) async fn offer(self: &Arc<Self>) -> Result<Service> {
        let mut service = self.server.new_service("statistics").await?;
        let own = self.clone();
        service.on_message("/service/statistics/start", move |_| {
            own.start().unwrap_or_else(|error| say::failed(&*error));
            async { None }
        })?;
        let own = self.clone();
        service.on_message("/service/statistics/stop", move |_| {
            let report = own.stop().map_err(|error| say::failed(&*error)).ok().map(Json::from);
            async { report }
        })?;
        let own = self.clone();
        service.on_message("/service/statistics/exit", move |_| {
            let exit = own.exit.clone();
            async move {
                // Not before the reply has gone.
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    exit.notify_one();
                });
                None
            }
        })?;
        Ok(service)
    }

    fn levels(&self) -> Result<Levels> {
        let (at, statistics) = (Instant::now(), self.server.statistics());
        Ok(Levels { at, processor: process().cpu()?, statistics })
    }

    fn start(&self) -> Result<()> {
        self.requests.reset();
        if let Some(processing) = &self.processing {
            processing.reset();
        }
        let levels = self.levels()?;
        *self.before.lock().unwrap_or_else(PoisonError::into_inner) = Some(levels);
        say::note(format!("{RULE}\nStatistics started"));
        Ok(())
    }

    /// Prints what happened since the start, and returns it too.
    fn stop(&self) -> Result<Value> {
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner).take();
        let before = before.ok_or("the statistics were stopped before they were started")?;
        let now = self.levels()?;
        let (wall, memory) = (now.at - before.at, process().resident()?);
        let processor = now.processor.saturating_sub(before.processor);
        let counters = counters(&before.statistics, &now.statistics);
        let mut lines = vec![format!("Statistics stopped after {:.3} s", wall.as_secs_f64())];
        let share = 100.0 * processor.as_secs_f64() / wall.as_secs_f64();
        let (seconds, mib) = (processor.as_secs_f64(), memory as f64 / 1024.0 / 1024.0);
        lines.push(format!("Processor time = {seconds:.3} s, {share:.1}% of one processor"));
        lines.push(format!("Resident memory = {mib:.1} MiB"));
        lines.extend(self.requests.report());
        let times = self.processing.as_ref().map(|processing| processing.times());
        lines.extend(times.as_ref().map(|times| times.titled("Messages - Processing").to_string()));
        lines.extend(counters.iter().map(|(name, count)| format!("{name} = {count}")));
        let runtime = Handle::current().metrics();
        let (threads, tasks) = (runtime.num_workers(), runtime.num_alive_tasks());
        lines.push(format!("Runtime:\n  threads: {threads}\n  tasks: {tasks}"));
        say::note(format!("{}\n{RULE}", lines.join("\n")));
        Ok(json!({
            "wallTime": { "value": wall.as_secs_f64() * 1e3, "unit": "ms" },
            "processorTime": { "value": seconds * 1e3, "unit": "ms" },
            "residentMemory": { "value": mib, "unit": "MiB" },
            "requests": self.requests.to_json(),
            "messagesProcessing": times.map(|times| times.to_json()),
            "counters": counters.into_iter().collect::<serde_json::Map<_, _>>(),
        }))
    }
}

/// Returns how the counters grew, and the levels of now, by name.
fn counters(before: &Statistics, now: &Statistics) -> Vec<(String, Value)> {
    let grown = |field: fn(&Statistics) -> u64| json!(field(now).saturating_sub(field(before)));
    let all = [
        ("sessions", json!(now.sessions)),
        ("channels", json!(now.channels)),
        ("websockets", json!(now.websockets)),
        ("messagesReceived", grown(|all| all.messages_received)),
        ("messagesPublished", grown(|all| all.messages_published)),
        ("messagesQueued", grown(|all| all.messages_queued)),
        ("messagesSent", grown(|all| all.messages_sent)),
        ("messagesDropped", grown(|all| all.messages_dropped)),
        ("messagesRequeued", grown(|all| all.messages_requeued)),
        ("sessionsExpired", grown(|all| all.sessions_expired)),
        ("sessionsOverflowed", grown(|all| all.sessions_overflowed)),
        ("malformed", grown(|all| all.malformed)),
    ];
    all.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

fn process() -> Process {
    Process::new(std::process::id())
}

const RULE: &str = "========================================";
