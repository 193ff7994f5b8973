//! Each scenario, small: with the server of this project, with the floor, and with what goes wrong.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use bayeux_server::api::server::Statistics;
use serde_json::Value;
use tokio::{net::TcpListener, runtime::Runtime};

/// A server that ends with this.
struct Server {
    child: Child,
    url: String,
    protocol: &'static str,
}

impl Server {
    fn bayeux(options: &[&str]) -> Self {
        let options = options.iter().flat_map(|option| ["-o", option]);
        Self::start(&[&["serve"], &options.collect::<Vec<_>>()[..]].concat(), "bayeux")
    }

    fn limit() -> Self {
        Self::start(&["limit"], "limit")
    }

    fn start(arguments: &[&str], protocol: &'static str) -> Self {
        let mut child = benchmark(arguments)
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let output = child.stdout.take().expect("the output is piped");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("the server says where it is");
        let at = line.find("http://").expect("the server says where it is");
        Self { child, url: line[at..].trim().to_owned(), protocol }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        against(&self.url, self.child.id(), self.protocol, arguments)
    }

    /// Runs a scenario that succeeds.
    fn run(&self, arguments: &[&str]) -> Value {
        let output = self.command(arguments).output().expect("the program starts");
        assert!(output.status.success(), "{arguments:?}: {}", error(&output));
        serde_json::from_slice(&output.stdout).expect("there is one JSON object and nothing else")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server in this process, which tells how far a run against it is, and which dies.
struct Mortal {
    server: bayeux_server::Server,
    url: String,
    runtime: Runtime,
}

/// Whether a run that these tell of has begun.
type IsRunning = fn(&Statistics) -> bool;

impl Mortal {
    fn start() -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().expect("there is a runtime");
        let server = bayeux_server::Server::new();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let serves = server.clone();
        runtime.spawn(async move { serves.serve(listener).await });
        Self { server, url: format!("http://{address}/cometd"), runtime }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        against(&self.url, std::process::id(), "bayeux", arguments)
    }

    fn until(&self, is_running: IsRunning) {
        let start = Instant::now();
        while !is_running(&self.server.statistics()) {
            assert!(start.elapsed() < BEGINS, "{:?}", self.server.statistics());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends without a word, and all its connections with it.
    fn die(self) {
        self.runtime.shutdown_timeout(ENDS);
    }
}

/// Makes a run against a server, which is of the process `pid`.
fn against(url: &str, pid: u32, protocol: &str, arguments: &[&str]) -> Command {
    let mut command = benchmark(arguments);
    command.args(["--json", "--url", url, "--pid", &pid.to_string(), "--protocol", protocol]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn benchmark(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_benchmark"));
    command.args(arguments);
    command
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// How long a scenario may take to notice that its server is gone: less than it would run.
const ENDS: Duration = Duration::from_secs(60);

/// How long one may take to begin.
const BEGINS: Duration = Duration::from_secs(60);

const TRANSPORTS: [&str; 2] = ["websocket", "long-polling"];

#[test]
fn fanout_reaches_every_subscriber() {
    let paces = ["--in-flight=1", "--in-flight=8", "--rate=1000"];
    for (server, paces) in [(Server::bayeux(&[]), &paces[..]), (Server::limit(), &paces[1..2])] {
        for transport in TRANSPORTS {
            for pace in paces {
                let report = server.run(&[
                    "fanout",
                    pace,
                    "--transport",
                    transport,
                    "--subscribers=5",
                    "--publishers=2",
                    "--messages=50",
                    "--warm-up=3",
                    "--sleep",
                ]);
                assert_eq!(report["scenario"], "fanout");
                assert_eq!(report["transport"], transport);
                assert_eq!(report["deliveries"], 250, "{report}");
                assert_eq!(report["latency_micros"]["samples"], 250);
                assert!(report["cpu_micros_per_delivery"].as_f64() > Some(0.0));
            }
        }
    }
}

#[test]
fn echo_comes_back_to_each_client() {
    for server in [Server::bayeux(&[]), Server::limit()] {
        for transport in TRANSPORTS {
            for in_flight in ["--in-flight=1", "--in-flight=16"] {
                let report = server.run(&[
                    "echo",
                    in_flight,
                    "--transport",
                    transport,
                    "--clients=4",
                    "--messages=40",
                    "--warm-up=2",
                    "--sleep",
                ]);
                assert_eq!(report["deliveries"], 160, "{report}");
                assert_eq!(report["latency_micros"]["samples"], 160);
            }
        }
    }
}

#[test]
fn applications_change_nothing_that_arrives() {
    for application in ["attribute", "full"] {
        let server = Server::start(&["serve", "--application", application], "bayeux");
        for transport in TRANSPORTS {
            let size = ["--messages=20", "--warm-up=2", "--sleep", "--transport", transport];
            let fanout = server.run(&[&["fanout", "--subscribers=5"], &size[..]].concat());
            assert_eq!(fanout["deliveries"], 100, "{fanout}");
            assert!(fanout["user_micros_per_delivery"].is_f64(), "{fanout}");
            let echo = server.run(&[&["echo", "--clients=4"], &size[..]].concat());
            assert_eq!(echo["deliveries"], 80, "{echo}");
        }
    }
}

#[test]
fn a_service_delivers_to_each_subscriber() {
    let server = Server::start(&["serve", "--application", "deliver"], "bayeux");
    let size = ["--subscribers=5", "--messages=20", "--warm-up=2", "--sleep"];
    let report = server.run(&[&["fanout", "--deliver"], &size[..]].concat());
    assert_eq!(report["deliveries"], 100, "{report}");
}

#[test]
fn channels_are_counted_in_bytes() {
    let server = Server::bayeux(&[]);
    let report = server.run(&["channels", "--channels=2000", "--sessions=3", "--settle=0.1"]);
    let bytes = report["bytes_per_channel"].as_f64().expect("they are counted");
    assert!(50.0 < bytes && bytes < 4_000.0, "{report}");
}

#[test]
fn idle_sessions_stay() {
    let server = Server::bayeux(&["timeout=100", "maxInterval=60000"]);
    for state in ["websocket", "held", "parked"] {
        let report = server.run(&[
            "idle",
            "--state",
            state,
            "--sessions=20",
            "--seconds=0.25",
            "--settle=0",
        ]);
        assert_eq!(report["state"], state);
        let connects = report["connects"].as_u64().expect("connects are counted");
        assert_eq!(connects >= 20, state != "parked", "{report}");
        assert_eq!(report["resident_bytes"].as_array().map(Vec::len), Some(3));
    }
}

#[test]
fn parked_sessions_that_are_gone_are_noticed() {
    let server = Server::bayeux(&["maxInterval=1000"]);
    let arguments = ["idle", "--state=parked", "--sessions=5", "--seconds=2", "--settle=0"];
    let output = server.command(&arguments).output().expect("the program starts");
    assert!(!output.status.success());
    assert!(error(&output).contains("maxInterval"), "{}", error(&output));
}

/// Runs a part of `cloud`, which has nodes of its own.
fn cloud(arguments: &[&str]) -> Value {
    let output = benchmark(&["cloud", "--json"]).args(arguments).output().expect("it starts");
    assert!(output.status.success(), "{arguments:?}: {}", error(&output));
    serde_json::from_slice(&output.stdout).expect("there is one JSON object and nothing else")
}

#[test]
fn a_broadcast_to_nodes_is_encoded_once() {
    let report = cloud(&["encodings", "--peers=1,3", "--messages=10"]);
    assert_eq!((report["to_1"].as_f64(), report["to_3"].as_f64()), (Some(1.0), Some(1.0)));
}

#[test]
fn clouds_are_measured() {
    let small = ["--messages=50", "--rounds=2", "--sleep"];
    let cases = [
        (&["forward"][..], &small[..], "forward_micros"),
        (&["alone", "--subscribers=5"], &small, "ratio"),
        (&["joins", "--entries=2000", "--rounds=2"], &[], "arrived_millis"),
        (&["puts", "--peers=2", "--puts=500", "--rounds=2"], &[], "puts_per_second"),
        (&["logins", "--peers=2", "--logins=500", "--rounds=2"], &[], "logins_per_second"),
        (&["users", "--users=2000"], &[], "arrived_seconds"),
        (&["tell"], &small, "tell_micros"),
        (&["wide", "--nodes=3", "--settle=0.1", "--seconds=0.5"], &[], "formed_seconds"),
    ];
    for (part, size, figure) in cases {
        let report = cloud(&[part, size].concat());
        assert!(report[figure].is_f64(), "{report}");
    }
}

#[test]
fn churned_sessions_come_and_go() {
    let server = Server::bayeux(&[]);
    let cases = [&["--transport=websocket"][..], &["--transport=long-polling"]];
    let cases = cases.into_iter().chain([&["--transport=long-polling", "--new-connection"][..]]);
    for case in cases {
        let report = server.run(&[&["churn", "--cycles=40", "--first=20"], case].concat());
        assert_eq!(report["cycles"], 40);
        assert!(report["cpu_micros_per_cycle"].as_f64() > Some(0.0), "{report}");
        assert!(report["growth_percent"].is_f64(), "{report}");
    }
}

#[test]
fn the_others_get_everything_beside_the_slow_one() {
    for transport in TRANSPORTS {
        let server = Server::bayeux(&["maxQueue=100", "queueOverflow=dropOldest"]);
        let report = server.run(&[
            "slow",
            "--transport",
            transport,
            "--subscribers=4",
            "--rate=200",
            "--warm-up=0.05",
            "--before=0.1",
            "--stall=1",
            "--after=0.05",
            "--sleep",
        ]);
        assert_eq!(report["deliveries"], 3 * (10 + 20 + 200 + 10), "{report}");
        assert!(report["p99_ratio"].is_f64() && report["slow_outcome"].is_string(), "{report}");
        // Over WebSocket so few messages find place in the system's buffers.
        assert_eq!(report["slow_lost"].as_u64() > Some(0), transport == "long-polling", "{report}");
    }
}

#[test]
fn a_server_that_dies_fails_the_run() {
    let publishes = |server: &Statistics| server.messages_published > 10;
    let waits = |server: &Statistics| server.held_connects == 3;
    let comes_again = |server: &Statistics| server.handshakes > 10;
    let cases = [
        (&["fanout", "--subscribers=3", "--seconds=300"][..], publishes as IsRunning),
        (&["fanout", "--subscribers=3", "--seconds=300", "--transport=long-polling"], publishes),
        (&["fanout", "--subscribers=3", "--seconds=300", "--rate=100"], publishes),
        (&["echo", "--clients=3", "--messages=1000000000"], publishes),
        (&["idle", "--sessions=3", "--seconds=300", "--settle=0"], waits),
        (&["churn", "--cycles=1000000000"], comes_again),
        (&["slow", "--subscribers=3", "--stall=300"], publishes),
    ];
    thread::scope(|scope| {
        for (arguments, is_running) in cases {
            scope.spawn(move || {
                let server = Mortal::start();
                let child = server.command(arguments).spawn().expect("the program starts");
                server.until(is_running);
                server.die();
                let killed = Instant::now();
                let output = child.wait_with_output().expect("the program ends");
                assert!(killed.elapsed() < ENDS, "{arguments:?} hangs");
                assert_eq!(output.status.code(), Some(1), "{arguments:?}");
                assert!(output.stdout.is_empty(), "{arguments:?}");
                assert!(error(&output).contains("error: "), "{arguments:?}: {}", error(&output));
            });
        }
    });
}

#[test]
fn what_cannot_be_done_is_refused() {
    let cases = [
        (&["fanout", "--url=http://127.0.0.1:1/"][..], "cannot connect to 127.0.0.1:1"),
        (&["fanout", "--url=nothing"], "cannot use --url"),
        (&["echo", "--url=http://127.0.0.1:1/", "--size=9"], "raise --size"),
        (&["idle", "--url=http://127.0.0.1:1/", "--sessions=100000000"], "open files"),
        (&["fanout", "--url=http://127.0.0.1:1/", "--pid=4294967295"], "4294967295"),
    ];
    for (arguments, reason) in cases {
        let output = benchmark(arguments).output().expect("the program starts");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(error(&output).contains(reason), "{arguments:?}: {}", error(&output));
    }
}
