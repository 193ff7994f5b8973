//! CometD's load client: rooms full of clients, batches at fixed times, and the time until each
//! message has arrived.

mod arguments;
mod arrivals;
mod crowd;
mod report;
mod sending;
mod server;
mod site;
mod tally;
mod trust;

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use fastrand::Rng;
use tokio::runtime;

pub(crate) use arguments::Arguments;

use crate::{
    Result,
    load_client::{
        arguments::Plan,
        arrivals::Arrivals,
        crowd::Crowd,
        report::{Platform, Report},
        sending::{Sent, send},
        server::LoadServer,
        site::Site,
    },
    process::{Process, check_file_limit},
    prompt::Prompt,
    say,
};

/// Asks for what `--auto` does not say, and loads the server.
pub(crate) fn start(mut arguments: Arguments) -> Result<()> {
    let mut prompt = Prompt::new(arguments.auto);
    arguments.ask(&mut prompt)?;
    let mut builder = runtime::Builder::new_multi_thread();
    builder.worker_threads(arguments.site.max_threads);
    crate::run(&mut builder, run(arguments, prompt))
}

async fn run(mut arguments: Arguments, mut prompt: Prompt) -> Result<()> {
    let site = Site::new(&arguments.site).await?;
    let arrivals = Arc::new(Arrivals::new());
    let mut rng = Rng::with_seed(arguments.seed);
    let mut load = Load {
        server: LoadServer::connect(&site, arguments.server_pid).await?,
        crowd: Crowd::new(site, arrivals.clone(), &arguments.rooms, rng.fork()),
        arrivals,
        rng,
        next_id: 0,
    };
    let outcome = load.runs(&mut arguments, &mut prompt).await;
    let is_cut_off = load.arrivals.is_cut_off();
    load.crowd.disperse().await;
    if !is_cut_off {
        load.server.leave(arguments.exit).await;
    }
    let failed = outcome?;
    match failed {
        0 => Ok(()),
        failed => Err(format!("{failed} of the runs lost messages, or had other failures").into()),
    }
}

struct Load {
    server: LoadServer,
    crowd: Crowd,
    arrivals: Arc<Arrivals>,
    rng: Rng,
    /// The id of the next message.
    next_id: u64,
}

impl Load {
    /// Does all runs, and returns how many of them were not without fault.
    async fn runs(&mut self, arguments: &mut Arguments, prompt: &mut Prompt) -> Result<usize> {
        let (mut failed, mut last) = (0, None);
        for run in 1.. {
            if arguments.auto && run > arguments.iterations {
                break;
            }
            arguments.plan.ask(prompt)?;
            let is_over = !arguments.auto && run > 1 && !prompt.is_open();
            if is_over || arguments.plan.clients == 0 {
                break;
            }
            let report = self.run(arguments).await?;
            say::note(&report);
            let json = report.to_json();
            if arguments.auto {
                let path = &arguments.file;
                fs::write(path, format!("{json:#}\n"))
                    .map_err(|error| format!("cannot write --file={}: {error}", path.display()))?;
            }
            last = Some(json);
            failed += usize::from(!report.is_without_fault());
            if self.arrivals.is_cut_off() {
                break;
            }
        }
        if let Some(json) = last.filter(|_| arguments.json) {
            say::result(json);
        }
        Ok(failed)
    }

    async fn run(&mut self, arguments: &Arguments) -> Result<Report> {
        let plan = &arguments.plan;
        // Over HTTP/1.1 each has one connection that is held, and one for the rest.
        check_file_limit(2 * plan.clients + 2)?;
        self.crowd.resize(plan.clients).await?;
        let platform = Platform::new();
        say::note(format!(
            "{platform}\nTesting {} clients in {} rooms, {} rooms/client\n\
             Sending {} batches of {}x{} bytes messages every {} µs",
            self.crowd.len(),
            arguments.rooms.rooms,
            arguments.rooms.rooms_per_client,
            plan.batches,
            plan.batch_size,
            plan.message_size,
            plan.batch_pause
        ));
        self.server.start().await;
        let before = own_cpu()?;
        let mut sent = self.send(plan)?;
        self.wait(&mut sent).await;
        let cpu = own_cpu()?.saturating_sub(before);
        // Time for what should not come.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let arrived = self.arrivals.total();
        let (received, problems) = (self.arrivals.received(), self.arrivals.problems());
        let usage = match self.arrivals.is_cut_off() {
            true => server::Usage::default(),
            false => self.server.stop().await,
        };
        let arguments = arguments.clone();
        Ok(Report { platform, arguments, sent, received, arrived, problems, cpu, usage })
    }

    fn send(&mut self, plan: &Plan) -> Result<Sent> {
        let first = self.next_id;
        self.next_id += plan.messages();
        send(plan, &self.crowd, &self.arrivals, &mut self.rng, first)
    }

    /// Waits until all messages have arrived, and all replies; for as long as more do.
    async fn wait(&self, sent: &mut Sent) {
        let (mut before, mut idle, mut told) = ((0, 0), Instant::now(), Instant::now());
        loop {
            let received = self.arrivals.received();
            sent.replies.take_all(|error| self.arrivals.problem(|| error.to_string()));
            let left = sent.replies.len();
            let counts = format!("{received}/{}", sent.expected);
            if received >= sent.expected && left == 0 {
                say::note(format!("All messages arrived {counts}"));
                return;
            }
            if before != (received, left) {
                (before, idle) = ((received, left), Instant::now());
            }
            if self.arrivals.is_cut_off() || idle.elapsed() > GIVE_UP {
                say::note(format!(
                    "Interrupting wait for messages {counts}, {left} replies missing"
                ));
                return;
            }
            if told.elapsed() > STEP {
                told = Instant::now();
                say::note(format!("Waiting for messages to arrive {counts}"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn own_cpu() -> Result<Duration> {
    Process::new(std::process::id()).cpu()
}

/// How often it is told that messages are missing.
const STEP: Duration = Duration::from_millis(500);

/// How long none may arrive: 20 steps, as in CometD.
const GIVE_UP: Duration = Duration::from_secs(10);
