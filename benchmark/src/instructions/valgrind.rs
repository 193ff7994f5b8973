//! Counting by valgrind: this program runs itself under it.

use std::{io::ErrorKind, process::Command};

use crate::{Result, instructions::case::Case};

/// Returns how many instructions an operation of this case takes.
pub(super) fn per_operation(case: Case) -> Result<u64> {
    let operations = case.operations();
    let (once, twice) = (count(case, operations)?, count(case, 2 * operations)?);
    let both = twice.checked_sub(once).ok_or("twice the work took fewer instructions")?;
    Ok((both + operations / 2) / operations)
}

/// Counts the instructions of a whole run.
fn count(case: Case, operations: u64) -> Result<u64> {
    let output = Command::new("valgrind")
        // Nothing is asked of callgrind but its total.
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["instructions", &case.name(), "--operations", &operations.to_string()])
        .output();
    let output = output.map_err(|error| {
        let missing = error.kind() == ErrorKind::NotFound;
        let hint = if missing { "; install the package valgrind" } else { "" };
        format!("cannot start valgrind, which counts: {error}{hint}")
    })?;
    let told = String::from_utf8_lossy(&output.stderr);
    let total = total(&told).filter(|_| output.status.success());
    total.ok_or_else(|| format!("valgrind did not count {}:\n{told}", case.name()).into())
}

/// Finds the total in what callgrind tells: `==7== Collected : 1234`.
fn total(told: &str) -> Option<u64> {
    let line = told.lines().find(|line| line.contains("Collected :"))?;
    line.split_whitespace().last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_found() {
        let told = "==7== \n==7== Events    : Ir\n==7== Collected : 215633\n==7== \n";
        assert_eq!(total(told), Some(215_633));
        assert_eq!(total("==7== Command: none"), None);
    }
}
