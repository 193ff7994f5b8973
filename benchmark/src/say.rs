//! What the generator says: results on standard output, progress and errors on standard error.

use std::{
    error::Error,
    fmt::Display,
    io::{IsTerminal as _, Write as _, stderr, stdout},
    time::{Duration, Instant},
};

pub(crate) fn result(line: impl Display) {
    if let Err(error) = writeln!(stdout(), "{line}") {
        failed(&error);
    }
}

pub(crate) fn failed(error: &dyn Error) {
    note(format_args!("error: {error}"));
}

/// If nobody reads it, the program goes on.
pub(crate) fn note(line: impl Display) {
    let _ = writeln!(stderr(), "{line}");
}

/// One line that tells how far the work is: rewritten in a terminal, now and then a new one
/// elsewhere.
pub(crate) struct Progress {
    what: String,
    total: Option<u64>,
    shown: Instant,
    is_terminal: bool,
}

impl Progress {
    pub(crate) fn new(what: impl Into<String>, total: impl Into<Option<u64>>) -> Self {
        let is_terminal = stderr().is_terminal();
        Self { what: what.into(), total: total.into(), shown: Instant::now(), is_terminal }
    }

    pub(crate) fn at(&mut self, done: u64) {
        let pause = Duration::from_millis(if self.is_terminal { 100 } else { 10_000 });
        if self.shown.elapsed() < pause {
            return;
        }
        self.shown = Instant::now();
        let (start, end) = if self.is_terminal { ("\r\x1b[K", "") } else { ("", "\n") };
        let total = self.total.map(|total| format!(" of {total}")).unwrap_or_default();
        let _ = write!(stderr(), "{start}{}: {done}{total}{end}", self.what);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_terminal {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
