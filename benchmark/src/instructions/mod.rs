//! Instruction counts: what single operations cost, to the same number on every run, so that a change
//! that makes one dearer is noticed.

mod case;
mod peer;
mod record;
mod valgrind;
mod wire;

use std::{
    path::PathBuf,
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use clap::{Args, ValueEnum as _};

use crate::{
    Result,
    histogram::grouped,
    instructions::{
        case::Case,
        record::{Record, Verdict},
        valgrind::per_operation,
    },
    load_server::processors,
    say,
};

/// Counts the instructions of single operations by valgrind, in user space: decoding and encoding,
/// fan-out, one cycle of each transport.
///
/// Each case runs with so many and with twice as many operations, so that what it takes to begin is
/// not in the difference. Processors that copy memory by other instructions count a little
/// differently. Prints the counts beside those on record, and judges nothing unless told
/// to `--check`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// Fails if a count has grown by more than 5 %.
    #[arg(long, conflicts_with_all = ["record", "operations"])]
    check: bool,

    /// Writes the counts into the record, in place of those that it has.
    #[arg(long, conflicts_with = "operations")]
    record: bool,

    /// The record.
    #[arg(long, value_name = "FILE", default_value = "benchmark/instructions.txt")]
    file: PathBuf,

    /// Does so many operations of one case, in this process and without counting: what valgrind
    /// runs.
    #[arg(long, value_name = "N", requires = "cases")]
    operations: Option<u64>,

    /// Which; all unless given.
    #[arg(value_enum, value_name = "CASE")]
    cases: Vec<Case>,
}

pub(crate) fn start(arguments: &Arguments) -> Result<()> {
    if let Some(operations) = arguments.operations {
        return arguments.cases.iter().try_for_each(|case| case.run(operations));
    }
    let mut record = Record::read(&arguments.file)?;
    let rustc = rustc()?;
    let cases = match arguments.cases.as_slice() {
        [] => Case::value_variants(),
        cases => cases,
    };
    let counts = count(cases)?;
    let mut judged = Vec::new();
    for (case, count) in cases.iter().zip(&counts) {
        let verdict = record.judge(*case, *count);
        let line = format!("{:<20} {:>12}  {verdict}", case.name(), grouped(*count as f64));
        say::result(&line);
        judged.push((line, verdict));
    }
    if arguments.record {
        cases.iter().zip(counts).for_each(|(case, count)| record.set(*case, count));
        return record.write(&arguments.file, &rustc);
    }
    if arguments.check { conclude(&judged, &record, &rustc) } else { Ok(()) }
}

/// Fails if a count has grown too much, and says how to go on.
fn conclude(judged: &[(String, Verdict)], record: &Record, rustc: &str) -> Result<()> {
    const AGAIN: &str = "benchmark instructions --record";
    let faults = judged.iter().filter(|(_, verdict)| verdict.is_fault());
    let faults: Vec<_> = faults.map(|(line, _)| line.as_str()).collect();
    if !faults.is_empty() {
        let compiler = match record.rustc() {
            Some(other) if other != rustc => {
                format!("\nThe record is of {other}, and this is {rustc}, which may be all.")
            }
            Some(_) | None => String::new(),
        };
        return Err(format!(
            "instruction counts that are not what they may be:\n{}{compiler}\nMake them smaller, or \
             accept them by `{AGAIN}` and say in the commit why.",
            faults.join("\n")
        )
        .into());
    }
    if judged.iter().any(|(_, verdict)| matches!(verdict, Verdict::Shrunk { .. })) {
        say::note(format!("Some counts have shrunk: keep that by `{AGAIN}`."));
    }
    Ok(())
}

/// Counts all cases, as many at a time as there are processors.
fn count(cases: &[Case]) -> Result<Vec<u64>> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let progress = Mutex::new(say::Progress::new("cases counted", cases.len() as u64));
    let worker = || {
        while let Some(index) = Some(next.fetch_add(1, Relaxed)).filter(|next| *next < cases.len())
        {
            // A boxed error cannot leave its thread.
            let counted = per_operation(cases[index]).map_err(|error| error.to_string());
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push((index, counted));
            progress.lock().unwrap_or_else(PoisonError::into_inner).at(done.len() as u64);
        }
    };
    thread::scope(|scope| {
        for _ in 0..processors() {
            scope.spawn(worker);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    let counts: Result<Vec<_>, _> = done.into_iter().map(|(_, counted)| counted).collect();
    Ok(counts?)
}

fn rustc() -> Result<String> {
    let output = Command::new("rustc").arg("--version").output();
    let output = output.map_err(|error| format!("cannot ask rustc for its version: {error}"))?;
    let version = String::from_utf8_lossy(&output.stdout);
    Ok(version.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}
