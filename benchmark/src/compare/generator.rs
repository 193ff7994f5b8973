//! A load generator that runs as a program of its own, on its core, and says what it measured.

use std::{
    io::Read,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::Result;

/// Runs this program with arguments, and returns the JSON that it prints.
///
/// # Errors
///
/// When it fails, says something else, or is not done in time.
pub(crate) fn run(
    program: &Path,
    arguments: &[String],
    core: usize,
    patience: Duration,
) -> Result<Value> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "taskset", "-c", &core.to_string()]).arg(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cannot start taskset: {error}"))?;
    let (said, complaint) = (read(child.stdout.take()), read(child.stderr.take()));
    let status = wait(&mut child, patience)?;
    let (said, complaint) = (text(said), text(complaint));
    let Some(status) = status else {
        let seconds = patience.as_secs();
        return Err(format!("not done after {seconds} s{}", reason(&complaint)).into());
    };
    if !status.success() {
        return Err(format!("{status}{}", reason(&complaint)).into());
    }
    let start = said.find('{').unwrap_or_default();
    serde_json::from_str(&said[start..])
        .map_err(|error| format!("what it said is not JSON ({error}): {said}").into())
}

/// Waits for the end; kills it and returns none when that takes too long.
fn wait(child: &mut Child, patience: Duration) -> Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() > patience {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn read(output: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut output) = output {
            let _ = output.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn text(reader: JoinHandle<String>) -> String {
    reader.join().unwrap_or_default()
}

/// Returns the line that says what is wrong, after a colon, or else the last.
pub(crate) fn reason(complaint: &str) -> String {
    let mut lines = complaint.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let last = lines.clone().next();
    let line = lines.find(|line| line.starts_with("error:")).or(last);
    line.map(|line| format!(": {line}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_with_the_error_is_the_reason() {
        assert_eq!(reason("connected\nerror: lost\n\nTry --help\n"), ": error: lost");
        assert_eq!(reason("Killed\n"), ": Killed");
        assert_eq!(reason(""), "");
    }

    #[test]
    fn what_takes_too_long_is_ended_and_what_is_no_json_is_told() {
        let run = |program: &str, argument: &str, patience| {
            run(Path::new(program), &[argument.to_owned()], 0, patience).unwrap_err().to_string()
        };
        assert!(run("sleep", "30", Duration::from_millis(100)).starts_with("not done"));
        assert!(run("echo", "nothing", Duration::from_secs(10)).contains("is not JSON"));
        assert!(run("false", "", Duration::from_secs(10)).starts_with("exit status: 1"));
    }
}
