//! Runs a program under ptrace and writes down, in one total order, what it does to the files below a directory.
//!
//! The kernel stops the program at each call that could matter ([`crate::filter`]), whether it comes from libc or
//! not. Nothing escapes unseen: unknown calls are refused, and [`run`] compares the directory in the end with what
//! the trace says. It needs no root and leaves no process behind.

mod recorder;
mod tracee;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    path::Path,
    process::Command,
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use nix::{
    sys::{
        ptrace,
        signal::{Signal, raise},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

use self::{
    recorder::{Intent, Recorder},
    tracee::Tracee,
};
use crate::{
    image::Image,
    trace::{End, Trace},
    volatile,
};

/// What a program does first if it is to be traced: it asks for it, waits for the tracer, and filters its calls.
/// It must not have started a thread yet.
pub fn submit() -> Result<()> {
    ptrace::traceme().context("asking to be traced")?;
    raise(Signal::SIGSTOP)?;
    crate::filter::install()
}

/// Runs a program that calls [`submit`], traces it to its end and returns what it did below `root`. What it writes
/// to `journal`, which must lie elsewhere, are notes. After `limit` it is killed.
pub fn run(command: &mut Command, root: &Path, journal: &Path, limit: Duration) -> Result<Trace> {
    let (root, journal) = (root.canonicalize()?, journal.canonicalize()?);
    let mut trace = Trace { initial: Image::read(&root)?, events: Vec::new(), end: End::TimedOut };
    let recorder = Recorder::new(&root, &journal, &trace)?;
    let child = command.spawn().with_context(|| format!("starting {}", command.get_program().display()))?;
    let child = Pid::from_raw(child.id().cast_signed());
    let (finished, watched) = mpsc::channel::<()>();
    // A descriptor, not a number: the watchdog can never hit a process that came later.
    let process = rustix::process::Pid::from_raw(child.as_raw()).context("a process without a number")?;
    let process = pidfd_open(process, PidfdFlags::empty())?;
    let watchdog = thread::spawn(move || {
        let late = watched.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout);
        if late {
            // It fails if the program has just ended.
            let _ = pidfd_send_signal(&process, rustix::process::Signal::KILL);
        }
        late
    });
    let mut tracer = Tracer::new(recorder);
    let end = tracer.drive(child);
    if end.is_err() {
        // The program is stopped in the middle of a call; it dies with its tracer otherwise, but not yet.
        let _ = nix::sys::signal::kill(child, Signal::SIGKILL);
        while waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)).is_ok() {}
    }
    drop(finished);
    let late = watchdog.join().map_err(|_| anyhow!("the watchdog panicked"))?;
    trace.end = if late { End::TimedOut } else { end? };
    trace.events = tracer.recorder.events;
    compare(&trace, tracer.intents.into_values(), &root)?;
    Ok(trace)
}

/// Proves that no change escaped the tracer: the trace, replayed in full, gives what really lies there. A thread that
/// died within a call may or may not have done it; such calls end the trace, like a cut before them.
fn compare(trace: &Trace, unfinished: impl Iterator<Item = Intent>, root: &Path) -> Result<()> {
    let (mut replayed, real) = (volatile::everything(trace)?, Image::read(root)?);
    let files = volatile::names(trace)?;
    for intent in unfinished {
        match intent {
            Intent::Write(file, offset, data) => {
                let Some(name) = files.get(&file) else { continue };
                let (start, end) = (usize::try_from(offset)?, usize::try_from(offset)? + data.len());
                if let (Some(replayed), Some(real)) = (replayed.files.get_mut(name), real.files.get(name))
                    // A long write may have been broken off in the middle.
                    && let Some(there) = real.get(start..end.min(real.len()))
                {
                    replayed.resize(replayed.len().max(start + there.len()), 0);
                    replayed[start..start + there.len()].copy_from_slice(there);
                }
            }
            // Rare enough to give up the comparison of this one trace.
            Intent::Open { .. } | Intent::Resize(..) | Intent::Name(_) => return Ok(()),
            Intent::Sync(_) | Intent::Nothing | Intent::Exit => {}
        }
    }
    match replayed.difference(&real) {
        None => Ok(()),
        Some(difference) => bail!("a change escaped the tracer; trace and directory differ: {difference}"),
    }
}

struct Tracer {
    recorder: Recorder,
    /// Threads that have been seen.
    known: HashSet<Pid>,
    /// What the threads that are within a call will have done.
    intents: HashMap<Pid, Intent>,
    /// The thread that is changing something. There is one at a time: which of two calls came first could not be
    /// told from the order in which they return.
    changing: Option<Pid>,
    /// Threads that are held until they may.
    held: VecDeque<Pid>,
    /// Whether the program has asked for its own end.
    exiting: bool,
}

impl Tracer {
    fn new(recorder: Recorder) -> Self {
        let (known, intents, held) = (HashSet::new(), HashMap::new(), VecDeque::new());
        Self { recorder, known, intents, changing: None, held, exiting: false }
    }

    /// Lets the program run from stop to stop until none of its threads is left.
    fn drive(&mut self, child: Pid) -> Result<End> {
        let mut end = None;
        // Each turn is one event of the program, which the watchdog ends.
        loop {
            // The children of this thread only: other threads may run programs of their own.
            let status = match waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)) {
                Ok(status) => status,
                Err(nix::Error::ECHILD) => return end.context("the traced program ended unseen"),
                Err(nix::Error::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            match status {
                WaitStatus::Exited(thread, _) | WaitStatus::Signaled(thread, ..) if thread != child => {
                    self.release(thread)?;
                }
                WaitStatus::Exited(_, code) => end = Some(End::Exited(code)),
                WaitStatus::Signaled(_, signal, _) => {
                    end = Some(End::Signalled(signal as i32));
                }
                WaitStatus::Continued(_) | WaitStatus::StillAlive => {}
                WaitStatus::Stopped(thread, signal) => self.stopped(thread, child, signal)?,
                WaitStatus::PtraceEvent(thread, _, libc::PTRACE_EVENT_SECCOMP) => self.entered(thread)?,
                WaitStatus::PtraceEvent(thread, _, _) => resume(ptrace::cont(thread, None))?,
                WaitStatus::PtraceSyscall(thread) => self.left(thread)?,
            }
        }
    }

    fn stopped(&mut self, thread: Pid, child: Pid, signal: Signal) -> Result<()> {
        let first = self.known.insert(thread);
        if first && thread == child {
            use ptrace::Options;
            ptrace::setoptions(
                child,
                Options::PTRACE_O_TRACESECCOMP
                    | Options::PTRACE_O_TRACESYSGOOD
                    | Options::PTRACE_O_TRACECLONE
                    | Options::PTRACE_O_TRACEFORK
                    | Options::PTRACE_O_TRACEVFORK
                    | Options::PTRACE_O_EXITKILL,
            )?;
        }
        // A thread begins with a stop that is ours.
        let passed_on = (!(first && signal == Signal::SIGSTOP)).then_some(signal);
        resume(ptrace::cont(thread, passed_on))
    }

    fn entered(&mut self, thread: Pid) -> Result<()> {
        let tracee = Tracee(thread);
        let call = match tracee.call() {
            Ok(call) => call,
            Err(_) if self.exiting => return resume(ptrace::cont(thread, None)),
            Err(error) => return Err(error),
        };
        let intent = match self.recorder.begin(tracee, call) {
            Ok(intent) => intent,
            // Killed at this stop, so the call is never done. How the program ended is told by its end.
            Err(_) if self.exiting || !tracee.is_stopped() => Intent::Nothing,
            Err(error) => return Err(error.context(format!("system call {}", call.number))),
        };
        self.exiting |= matches!(intent, Intent::Exit);
        if matches!(intent, Intent::Nothing | Intent::Exit) {
            return resume(ptrace::cont(thread, None));
        }
        if !matches!(intent, Intent::Sync(_)) {
            if self.changing.is_some() {
                // It is looked at once more when it may go on: what it meets may be another by then.
                self.held.push_back(thread);
                return Ok(());
            }
            self.changing = Some(thread);
        }
        self.intents.insert(thread, intent);
        resume(ptrace::syscall(thread, None))
    }

    fn left(&mut self, thread: Pid) -> Result<()> {
        let tracee = Tracee(thread);
        let intent = self.intents.remove(&thread).context("a call that never began has returned")?;
        match tracee.returned() {
            Ok(Some(value)) => self.recorder.end(tracee, intent, value)?,
            Ok(None) => {}
            // Killed at this stop: the call may have been done.
            Err(_) if self.exiting => drop(self.intents.insert(thread, intent)),
            Err(error) => return Err(error),
        }
        self.release(thread)?;
        resume(ptrace::cont(thread, None))
    }

    /// A thread has done its change, or is gone: the next one may do its own.
    fn release(&mut self, thread: Pid) -> Result<()> {
        self.held.retain(|held| *held != thread);
        if self.changing != Some(thread) {
            return Ok(());
        }
        self.changing = None;
        // Each thread is held once at most, so this ends.
        while self.changing.is_none() {
            let Some(next) = self.held.pop_front() else { break };
            self.entered(next)?;
        }
        Ok(())
    }
}

/// A thread may die while it is stopped; its end is reported by itself.
fn resume(outcome: nix::Result<()>) -> Result<()> {
    match outcome {
        Ok(()) | Err(nix::Error::ESRCH) => Ok(()),
        Err(error) => Err(error).context("letting the traced program go on"),
    }
}
