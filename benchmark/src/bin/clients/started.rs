//! A server that is started for the run.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::Result;

/// A server that was started, and is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Started {
    child: Child,
    /// Where it listens.
    pub(crate) address: String,
}

impl Started {
    /// Starts a program that says in its first line at which `http://` address it is.
    pub(crate) fn new(program: &Path, arguments: &[String]) -> Result<Self> {
        let named =
            |error: &dyn std::fmt::Display| format!("cannot start {}: {error}", program.display());
        if !program.is_file() {
            return Err(named(&"there is no such file; build it, or give its path").into());
        }
        let mut child = Command::new(program)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| named(&error))?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line.split_once("http://").and_then(|(_, rest)| rest.split('/').next());
        let Some(address) = address.map(str::to_owned) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(named(&"it did not say where it listens").into());
        };
        Ok(Self { child, address })
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
