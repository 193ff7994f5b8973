//! Processes and what they use: the server's, which is measured, and this one's limits and core.

use std::{fs, io, time::Duration};

use nix::{
    errno::Errno,
    time::{clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};
use rustix::{
    param::clock_ticks_per_second,
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::{CpuSet, sched_setaffinity},
};

use crate::{Result, say};

/// A process whose use of the machine can be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    pid: u32,
}

impl Process {
    pub(crate) fn new(pid: u32) -> Self {
        Self { pid }
    }

    /// Returns the processor time that its threads have had, to the nanosecond; those that have ended
    /// count, too.
    pub(crate) fn cpu(self) -> Result<Duration> {
        let gone = |error: nix::Error| self.unreadable(&error.into());
        // Zero and less would be this process itself.
        let pid = i32::try_from(self.pid).ok().filter(|pid| *pid > 0);
        let pid = pid.ok_or(Errno::ESRCH).map_err(gone)?;
        let clock = clock_getcpuclockid(Pid::from_raw(pid)).map_err(gone)?;
        Ok(clock_gettime(clock).map_err(gone)?.into())
    }

    /// Returns the processor time that its threads have had for its own code, not the kernel's: the kernel
    /// tells it by looking who runs some hundred times a second, so that it takes a while to be exact.
    pub(crate) fn user(self) -> Result<Duration> {
        let path = format!("/proc/{}/stat", self.pid);
        let stat = fs::read_to_string(&path).map_err(|error| self.unreadable(&error))?;
        // The name, which is the second field, may have spaces, and parentheses around it.
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
        let ticks = fields.split_whitespace().nth(11).and_then(|ticks| ticks.parse::<u64>().ok());
        let ticks = ticks.ok_or_else(|| format!("{path} has no user time"))?;
        Ok(Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64))
    }

    /// Returns the bytes of memory that it has resident.
    pub(crate) fn resident(self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.pid);
        let status = fs::read_to_string(&path).map_err(|error| self.unreadable(&error))?;
        let kilobytes: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok())
            .ok_or_else(|| format!("{path} has no VmRSS"))?;
        Ok(kilobytes * 1024)
    }

    fn unreadable(self, error: &io::Error) -> String {
        format!("the server's process {} cannot be looked at: has it ended? {error}", self.pid)
    }
}

/// Allows as many open files as the system lets this process have; what it starts inherits that.
pub(crate) fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        say::note(format!("cannot raise the limit of open files: {error}"));
    }
}

/// Fails clearly when so many sockets cannot be open at once.
pub(crate) fn check_file_limit(sockets: usize) -> Result<()> {
    const OTHERS: u64 = 50;
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < sockets as u64 + OTHERS => {
            let advice = "raise the hard limit (ulimit -Hn) first";
            Err(format!("{sockets} sockets are more than the {limit} open files allowed: {advice}")
                .into())
        }
        Some(_) | None => Ok(()),
    }
}

/// Binds the calling thread to a core.
pub(crate) fn bind_to_core(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores)
        .map_err(|error| format!("cannot run on core {core}: {error}"))?;
    Ok(())
}
