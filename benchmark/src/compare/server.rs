//! A server that runs while this lives: bound to its cores, and ended with all that it started.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::TcpStream,
    os::unix::process::CommandExt as _,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::{
    Result,
    compare::{generator, peer::Launch},
};

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Some end when this does.
    _stdin: Option<ChildStdin>,
    pub(crate) url: String,
}

impl Server {
    /// Starts a server, and returns when it listens.
    pub(crate) fn start(launch: &Launch, cores: &[usize]) -> Result<Self> {
        let named = |error: &dyn std::fmt::Display| {
            format!("cannot start {}: {error}", launch.program.display())
        };
        let mut child = bound(launch, cores).spawn().map_err(|error| named(&error))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let complaint = complaint(child.stderr.take());
        let mut server = Self { child, _stdin: stdin, url: String::new() };
        server.find_url(launch, stdout).map_err(|error| {
            let complaint = complaint.lock().unwrap_or_else(PoisonError::into_inner);
            named(&format!("{error}{}", generator::reason(&complaint)))
        })?;
        Ok(server)
    }

    /// Waits until it says where it listens, and does.
    fn find_url(&mut self, launch: &Launch, stdout: Option<ChildStdout>) -> Result<()> {
        self.url = match &launch.url {
            Some(url) => url.clone(),
            None => {
                let line = first_line(stdout).ok_or("it said nothing")?;
                let at = line.find("http://");
                let url = at.and_then(|at| line[at..].split_whitespace().next());
                url.ok_or("it did not say where it listens")?.to_owned()
            }
        };
        self.wait_until_it_listens()
    }

    /// Returns the number of its process: what binds it to its cores is replaced by it.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets it use no time until [`Self::resume`].
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn wait_until_it_listens(&mut self) -> Result<()> {
        let address = self.url.split('/').nth(2).unwrap_or_default();
        let start = Instant::now();
        while let Err(error) = TcpStream::connect(address) {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("it ended with {status}").into());
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("{address}: {error}").into());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes the command: a process group of its own, which ends with this program however that ends.
fn bound(launch: &Launch, cores: &[usize]) -> Command {
    let list: Vec<_> = cores.iter().map(usize::to_string).collect();
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "taskset", "-c", &list.join(",")]);
    command.arg(&launch.program).args(&launch.arguments);
    command.envs(launch.environment.iter().map(|(name, value)| (name, value)));
    command.env("TOKIO_WORKER_THREADS", cores.len().to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0);
    command
}

/// Keeps what it complains of at first, and reads the rest so that it need not wait.
fn complaint(errors: Option<ChildStderr>) -> Arc<Mutex<String>> {
    const ENOUGH: usize = 64 * 1024;
    let complaint = Arc::new(Mutex::default());
    let Some(errors) = errors else { return complaint };
    let kept: Arc<Mutex<String>> = complaint.clone();
    thread::spawn(move || {
        for line in BufReader::new(errors).lines().map_while(std::io::Result::ok) {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < ENOUGH {
                kept.push_str(&line);
                kept.push('\n');
            }
        }
    });
    complaint
}

/// Waits for the first line; goes on reading what follows, which is of no interest.
fn first_line(output: Option<ChildStdout>) -> Option<String> {
    let mut output = BufReader::new(output?);
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        if output.read_line(&mut line).is_ok() {
            let _ = send.send(line);
        }
        let mut ignored = [0; 4096];
        while output.read(&mut ignored).is_ok_and(|count| count > 0) {}
    });
    receive.recv_timeout(PATIENCE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Launch {
        let arguments = vec!["-c".to_owned(), script.to_owned()];
        Launch { program: "sh".into(), arguments, environment: Vec::new(), url: None }
    }

    #[test]
    fn a_server_is_known_by_its_first_line_and_ended_with_its_children() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/cometd", listener.local_addr().unwrap());
        let server = Server::start(&shell(&format!("echo at {url}; sleep 60 & wait")), &[0]);
        let server = server.unwrap();
        assert_eq!(server.url, url);
        let group = Pid::from_raw(server.pid().cast_signed()).unwrap();
        drop(server);
        // Its sleep may be dying still.
        let end = Instant::now() + Duration::from_secs(5);
        while kill_process_group(group, Signal::CONT).is_ok() && Instant::now() < end {
            thread::sleep(Duration::from_millis(10));
        }
        assert!(kill_process_group(group, Signal::CONT).is_err());
    }

    #[test]
    fn a_server_that_does_not_start_says_why() {
        let error = Server::start(&shell("echo error: no room >&2; sleep 0.1"), &[0]);
        let error = error.unwrap_err().to_string();
        assert!(error.ends_with("it did not say where it listens: error: no room"), "{error}");
    }
}
