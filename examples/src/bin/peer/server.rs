//! The server of somebody else: started, killed, started again on its port, ended.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::Result;

/// How long a start may take; a first one may build the server.
const START: Duration = Duration::from_secs(180);

/// How long the server may take to end by itself.
const END: Duration = Duration::from_secs(5);

/// A server, which is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    command: Vec<String>,
    process: Option<Process>,
    port: u16,
}

/// Its process. The output stays open, so that what it writes there cannot end it.
#[derive(Debug)]
struct Process {
    child: Child,
    _output: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts the server on a free port and waits until it listens.
    pub(crate) async fn start(command: &[String]) -> Result<Self> {
        let mut server = Self { command: command.to_vec(), process: None, port: 0 };
        server.start_again().await?;
        Ok(server)
    }

    /// Starts it on the port that it had, if any.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        let (program, arguments) = self.command.split_first().ok_or("no command")?;
        let mut child = Command::new(program)
            .args(arguments)
            .args(["--port", &self.port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("cannot start {program}: {error}"))?;
        let output = child.stdout.take().ok_or("the server has no output")?;
        let mut output = BufReader::new(output).lines();
        self.port = timeout(START, listening(&mut output))
            .await
            .map_err(|_| format!("{program} did not say LISTENING within {START:?}"))??;
        self.process = Some(Process { child, _output: output });
        Ok(())
    }

    /// Kills it, so that it has no time for any farewell.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.child.kill().await?;
        }
        Ok(())
    }

    /// Lets it end, which it does when its standard input does.
    pub(crate) async fn end(mut self) {
        let Some(mut process) = self.process.take() else { return };
        drop(process.child.stdin.take());
        if timeout(END, process.child.wait()).await.is_err() {
            let _ = process.child.kill().await;
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/cometd", self.port)
    }
}

/// Waits for the line that tells the port.
async fn listening(output: &mut Lines<BufReader<ChildStdout>>) -> Result<u16> {
    while let Some(line) = output.next_line().await? {
        if let Some(port) = line.strip_prefix("LISTENING ") {
            return Ok(port.trim().parse()?);
        }
    }
    Err("the server ended before it said LISTENING".into())
}
