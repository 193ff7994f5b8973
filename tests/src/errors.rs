//! What is logged, for tests that ask whether it is.

use std::{
    fmt::{self, Write as _},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use tracing::{
    Dispatch, Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::{DefaultGuard, NoSubscriber},
};

/// What this thread has logged, which is the whole runtime of a test that has no other
/// threads, for as long as this lives.
#[derive(Debug)]
pub struct Errors {
    lines: Arc<Mutex<Vec<String>>>,
    _guard: DefaultGuard,
}

impl Errors {
    /// Starts to listen to errors.
    #[must_use]
    pub fn watch() -> Self {
        Self::of(Level::ERROR)
    }

    /// Starts to listen to errors and warnings.
    #[must_use]
    pub fn and_warnings() -> Self {
        Self::of(Level::WARN)
    }

    /// Starts to listen to errors, and to all that is told of decisions.
    #[must_use]
    pub fn and_decisions() -> Self {
        Self::of(Level::DEBUG)
    }

    fn of(least: Level) -> Self {
        // While a process has one listener, tracing decides once for each line whether it is ever wanted, by
        // asking the thread that comes to it first, and that may be one without. A second makes it ask each.
        static OTHER: OnceLock<Dispatch> = OnceLock::new();
        OTHER.get_or_init(|| Dispatch::new(NoSubscriber::new()));
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let guard = tracing::subscriber::set_default(Listener(lines.clone(), least));
        Self { lines, _guard: guard }
    }

    /// Takes what was logged, as lines of `name=value`.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Listener(Arc<Mutex<Vec<String>>>, Level);

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.1
    }

    fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.0);
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }
}
