//! Many runs, one for each seed.

use std::{
    any::Any,
    env, fmt,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use crate::Trace;

/// Seeds to play. Which ones can be said when the tests are run, by the variable `SEEDS`: a count, as in
/// `SEEDS=10000`, or those from one up to another, as in `SEEDS=17..18`.
#[derive(Clone, Debug)]
pub struct Seeds(Range<u64>);

/// A seed whose run failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What is wrong.
    pub message: String,
}

impl Seeds {
    /// Takes the seeds that the environment says, or else the first `count`.
    ///
    /// # Panics
    ///
    /// When what the environment says is neither a count nor a range.
    pub fn first(count: u64) -> Self {
        let Ok(text) = env::var("SEEDS") else { return Self(0..count) };
        match read(&text) {
            Some(range) => Self(range),
            None => panic!("SEEDS is neither a count nor a range as in 17..18: {text}"),
        }
    }

    /// Takes the seeds from one up to another, whatever the environment says.
    pub fn exactly(range: Range<u64>) -> Self {
        Self(range)
    }

    /// Plays all, and returns the first that fails. A panic is a failure.
    pub fn find(&self, play: impl Fn(u64, &Trace) -> Result<(), String>) -> Option<Failure> {
        self.0.clone().find_map(|seed| {
            let message = once(&play, seed, &Trace::silent()).err()?;
            Some(Failure { seed, message })
        })
    }

    /// Plays each twice, and returns the traces of all.
    ///
    /// # Panics
    ///
    /// When one fails, or is not the same again.
    pub fn repeat(&self, play: impl Fn(u64, &Trace) -> Result<(), String>) -> String {
        let run = |seed| {
            let trace = Trace::recording();
            let played = play(seed, &trace);
            played.unwrap_or_else(|message| panic!("{}", Failure { seed, message }));
            trace.text()
        };
        let mut all = String::new();
        for seed in self.0.clone() {
            let (once, again) = (run(seed), run(seed));
            let differs = once.lines().zip(again.lines()).find(|(one, other)| one != other);
            assert!(once == again, "seed {seed} differs: {differs:#?}");
            all += &once;
        }
        all
    }

    /// Plays all, and returns how many these were.
    ///
    /// # Panics
    ///
    /// When one fails, with its trace and how to play it again.
    pub fn check(&self, play: impl Fn(u64, &Trace) -> Result<(), String>) -> u64 {
        let Some(failure) = self.find(&play) else { return self.0.end - self.0.start };
        let trace = Trace::recording();
        let again = once(&play, failure.seed, &trace).err();
        let is_same = again.as_ref() == Some(&failure.message);
        let differs = if is_same { String::new() } else { format!("\nbut not again: {again:?}") };
        let (seed, next, trace) = (failure.seed, failure.seed + 1, trace.text());
        let package = env::var("CARGO_PKG_NAME").unwrap_or_default();
        let test = thread::current().name().unwrap_or_default().to_owned();
        panic!(
            "{}\n{failure}{differs}\nto play it again, with its whole trace: SEEDS={seed}..{next} TRACE=all \
             cargo test -p {package} --all-features {test}",
            tail(&trace),
        );
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {}", self.seed, self.message)
    }
}

fn read(text: &str) -> Option<Range<u64>> {
    match text.split_once("..") {
        Some((from, to)) => Some(from.parse().ok()?..to.parse().ok()?),
        None => Some(0..text.parse().ok()?),
    }
}

fn once(
    play: impl Fn(u64, &Trace) -> Result<(), String>,
    seed: u64,
    trace: &Trace,
) -> Result<(), String> {
    let played = catch_unwind(AssertUnwindSafe(|| play(seed, trace)));
    played.unwrap_or_else(|panic| Err(format!("a panic: {}", words(&*panic))))
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("of something else than words")
}

/// Returns the last lines of a trace, unless all are asked for.
fn tail(trace: &str) -> &str {
    const LINES: usize = 150;
    if env::var("TRACE").is_ok_and(|value| value == "all") {
        return trace;
    }
    trace.rmatch_indices('\n').nth(LINES).map_or(trace, |(at, _)| &trace[at + 1..])
}
