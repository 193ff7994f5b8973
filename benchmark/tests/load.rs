//! The load server and the load client together, as their user starts them.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_benchmark");

/// A load server, which is killed if the client did not end it.
struct LoadServer {
    child: Child,
    port: String,
}

impl LoadServer {
    fn start(options: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["load_server", "--auto", "--port=0"])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped"))
            .read_line(&mut line)
            .expect("it says where it listens");
        let address = line.split('/').nth(2).expect("a URL");
        let port = address.rsplit(':').next().expect("an address").to_owned();
        Self { child, port }
    }

    /// Runs a client of this server, which tells it to end.
    fn load(&self, name: &str, options: &[&str]) -> Output {
        Command::new(PROGRAM)
            .args(["load_client", "--auto", "--json", "--iterations=2", "--clients=10"])
            .args(["--rooms=5", "--roomsPerClient=2", "--batches=20", "--batchPause=2000"])
            .args([format!("--port={}", self.port), format!("--file={}", file(name).display())])
            .args(options)
            .output()
            .expect("the program starts")
    }
}

impl Drop for LoadServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The result file of the test of this name.
fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("bayeux-load-{name}-{}.json", std::process::id()))
}

fn all_arrives(name: &str, server: &[&str], client: &[&str]) {
    let mut load_server = LoadServer::start(server);
    let output = load_server.load(name, client);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let expected = 2 * 2 * 20 * 10;
    for part in ["All messages arrived", "^99.9%", "samples | min/avg/50th%/99th%/max"] {
        assert_eq!(told.matches(part).count(), 2, "{part} in {told}");
    }
    let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let in_file = std::fs::read(file(name)).expect("the file of the result");
    let _ = std::fs::remove_file(file(name));
    assert_eq!(serde_json::from_slice::<Value>(&in_file).expect("JSON"), result);
    let results = &result["results"];
    // Each message has as many receivers as its room has members: four on average.
    let messages = results["messages"].as_u64().expect("a number");
    assert!((expected / 2..expected * 2).contains(&messages), "{messages}");
    assert_eq!(results["messages"], results["expected"]);
    assert_eq!(results["server"]["counters"]["messagesPublished"], 200 + 1);
    assert!(results["serverProcessorTime"]["value"].as_f64() > Some(0.0));
    // The client told it so.
    assert!(load_server.child.wait().expect("it ends").success());
}

#[test]
fn all_arrives_over_long_polling() {
    all_arrives("long-polling", &[], &[]);
}

#[test]
fn all_arrives_over_websocket() {
    all_arrives("websocket", &[], &["--transport=WEBSOCKET"]);
}

#[test]
fn all_arrives_with_acknowledgements() {
    all_arrives("ack", &[], &["--transport=JAKARTA_WEBSOCKET", "--ackExtension"]);
}

#[test]
fn all_arrives_over_tls_and_http2() {
    all_arrives("tls", &["--tls", "--latencies=false"], &["--tls", "--http2"]);
}

#[test]
fn asked_by_hand_it_runs_until_there_are_no_clients() {
    let server = LoadServer::start(&[]);
    let mut client = Command::new(PROGRAM)
        .args(["load_client", "--batchPause=1000"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let site = format!("127.0.0.1\n{}\nWEBSOCKET\n\n\n\n\n", server.port);
    let rooms = "/test\n4\n2\n";
    let runs = "5\n10\n1\n\n\n\n3\n5\nmany\n2\n\n\n\n0\n";
    client.stdin.take().unwrap().write_all(format!("{site}{rooms}{runs}").as_bytes()).unwrap();
    let output = client.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("Testing 5 clients in 4 rooms, 2 rooms/client"), "{told}");
    assert!(told.contains("Testing 3 clients in 4 rooms, 2 rooms/client"), "{told}");
    assert!(told.contains("\"many\" cannot be used"), "{told}");
    assert_eq!(told.matches("All messages arrived").count(), 2, "{told}");
}

#[test]
fn a_server_that_is_not_there_is_told_of() {
    let client =
        Command::new(PROGRAM).args(["load_client", "--auto", "--port=1"]).output().unwrap();
    assert!(!client.status.success());
    let told = String::from_utf8_lossy(&client.stderr);
    assert!(told.contains("http://localhost:1/cometd") && told.contains("refused"), "{told}");
}
