//! What happens in a run, as lines to read.

use std::{
    cell::RefCell,
    fmt::{Arguments, Write as _},
    rc::Rc,
    time::Duration,
};

/// The lines of a run, or nothing at all, which is what tens of thousands of runs have time for. Cheap to
/// clone; what was written is there though the run has panicked.
#[derive(Clone, Debug, Default)]
pub struct Trace(Option<Rc<RefCell<String>>>);

impl Trace {
    /// Makes a trace that keeps nothing.
    pub fn silent() -> Self {
        Self(None)
    }

    /// Makes a trace that keeps all.
    pub fn recording() -> Self {
        Self(Some(Rc::default()))
    }

    /// Writes a line, at a time since the beginning. Nothing is formatted unless the trace is kept.
    pub fn note(&self, at: Duration, line: Arguments<'_>) {
        if let Some(text) = &self.0 {
            let mut text = text.borrow_mut();
            let (seconds, millis) = (at.as_secs(), at.subsec_millis());
            // A string takes all that is written to it.
            let _ = writeln!(text, "{seconds:>4}.{millis:03} {line}");
        }
    }

    /// Returns what was written.
    pub fn text(&self) -> String {
        self.0.as_ref().map(|text| text.borrow().clone()).unwrap_or_default()
    }
}
