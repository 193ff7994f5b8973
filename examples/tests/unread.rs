//! Nobody may read what a program says: one that was started in a pipe goes on when the other end of that is closed.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails a test")]

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const DEADLINE: Duration = Duration::from_secs(60);

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program, which logs all it can and is not read.
fn start(program: &str, arguments: &[&str]) -> Running {
    let unread = || io::pipe().unwrap().1;
    let child = Command::new(program)
        .args(arguments)
        .env("RUST_LOG", "trace")
        .stdin(Stdio::null())
        .stdout(unread())
        .stderr(unread())
        .spawn();
    Running(child.unwrap())
}

fn answers(address: &str) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

/// Waits until the program answers, and asks it once more: it has logged the first request by then.
fn serves(program: &str) {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
    let address = free.unwrap().to_string();
    let mut running = start(program, &["--listen", &address]);
    let begun = Instant::now();
    while !answers(&address).is_ok_and(|is_answer| is_answer) {
        assert_eq!(running.0.try_wait().unwrap(), None, "{program} has ended");
        assert!(begun.elapsed() < DEADLINE, "{program} does not answer");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(answers(&address).unwrap());
    assert_eq!(running.0.try_wait().unwrap(), None);
}

#[test]
fn the_demo_goes_on() {
    serves(env!("CARGO_BIN_EXE_demo"));
}

#[test]
fn the_cluster_goes_on() {
    serves(env!("CARGO_BIN_EXE_cluster"));
}

#[test]
fn the_auction_goes_on() {
    serves(env!("CARGO_BIN_EXE_auction"));
}

/// The program ends by itself, and not by a panic.
fn ends(program: &str, arguments: &[&str], is_success: bool) {
    let mut running = start(program, arguments);
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = running.0.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < DEADLINE, "{program} does not end");
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(i32::from(!is_success)), "{program}");
}

#[test]
fn the_devices_come_to_their_end() {
    ends(env!("CARGO_BIN_EXE_devices"), &[], true);
}

#[test]
fn the_chat_fails_as_it_does_elsewhere() {
    ends(env!("CARGO_BIN_EXE_chat"), &["--url", "nonsense"], false);
}

#[test]
fn one_that_cannot_listen_fails_as_it_does_elsewhere() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for program in [env!("CARGO_BIN_EXE_demo"), env!("CARGO_BIN_EXE_cluster")] {
        ends(program, &["--listen", &address], false);
    }
}
