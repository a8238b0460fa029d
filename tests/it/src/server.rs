//! The server as a child process: started on a free port, killed, stopped, started again on the same data.
//!
//! Its output goes to a file, so that nothing is lost with the process, and is printed when a test fails. A child never
//! outlives its [`Server`].

use crate::binary::server_binary;
use crate::client::Client;
use crate::poll::eventually;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Longest time from the start of the process until it answers: recovery included, in a debug build.
const START_LIMIT: Duration = Duration::from_mins(1);
/// Longest time from SIGTERM until the process has ended.
const STOP_LIMIT: Duration = Duration::from_mins(1);
/// What stands before the port in the server's first lines.
const ADDRESS: &str = "http://127.0.0.1:";
/// How much of its output is printed when a test fails, in bytes.
const SHOWN_OUTPUT_BYTES: usize = 32 << 10;

/// The store of a server that is not told otherwise; see [`Setup::store`].
const DEFAULT_STORE: &str = "sled:{data}";

/// How to start a server.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Data directory; a temporary one if none is given.
    pub data: Option<PathBuf>,
    /// Flags of `serve` besides the address and the store.
    pub flags: Vec<String>,
    /// What `--store` is given, `{data}` standing for the data directory; sled in that directory if empty.
    pub store: String,
    /// Program and arguments that execute the server, such as `prlimit --nofile=64`. It must not fork: signals go to
    /// the process that was started.
    pub wrapper: Vec<String>,
    /// Environment variables of the server.
    pub environment: Vec<(String, String)>,
}

/// What every start of one server has in common.
#[derive(Debug)]
struct Launch {
    data: PathBuf,
    setup: Setup,
    output: PathBuf,
}

/// A child process that is killed when dropped, on whatever way.
#[derive(Debug)]
struct Process(Child);

/// A server process and the directory that it works on.
#[derive(Debug)]
pub struct Server {
    process: Process,
    client: Client,
    launch: Launch,
    /// Holds the output, and the data if no directory was given.
    _temporary: TempDir,
}

impl Setup {
    /// The set-up with further flags.
    #[must_use]
    pub fn flags(mut self, flags: &[&str]) -> Setup {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Panics
    /// If it does not; the message holds its output.
    pub fn start(self) -> Server {
        self.try_start().unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// [`Setup::start`] where the server may refuse to start: the error holds its exit status and what it said.
    pub fn try_start(self) -> Result<Server, String> {
        let temporary = tempfile::tempdir().expect("a temporary directory");
        let data = self.data.clone().unwrap_or_else(|| temporary.path().join("data"));
        let launch = Launch { data, setup: self, output: temporary.path().join("output") };
        let (process, client) = launch.start()?;
        Ok(Server { process, client, launch, _temporary: temporary })
    }
}

impl Server {
    /// Starts a server with default settings on a temporary directory.
    pub fn start() -> Server {
        Setup::default().start()
    }

    /// A client of it. After a restart the old clients point nowhere: ask again.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.launch.data
    }

    /// Process id.
    pub fn process(&self) -> u32 {
        self.process.0.id()
    }

    /// Everything that it wrote so far, standard output and standard error, over all its starts.
    pub fn output(&self) -> String {
        read(&self.launch.output)
    }

    /// Kills it as `kill -9` does: it gets no chance to do anything.
    ///
    /// # Panics
    /// If it had already ended by itself.
    pub fn kill9(&mut self) {
        if let Some(status) = self.process.ended() {
            panic!("the server ended by itself ({status}), before it was killed");
        }
        self.process.0.kill().expect("the kill");
        self.process.0.wait().expect("the end of the child");
    }

    /// Starts it again on the same data; it must have ended. Returns its new client.
    pub fn restart(&mut self) -> Client {
        self.try_restart().unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// [`Server::restart`] where the server may refuse to start: the error holds its exit status and what it said.
    pub fn try_restart(&mut self) -> Result<Client, String> {
        assert!(!self.runs(), "the server still runs");
        (self.process, self.client) = self.launch.start()?;
        Ok(self.client())
    }

    /// Starts it again and kills it after `life`, wherever its start has got by then; it must have ended before.
    pub fn stumble(&mut self, life: Duration) {
        assert!(!self.runs(), "the server still runs");
        self.process = self.launch.spawn();
        // The moment of the kill itself; nothing is synchronised by it.
        std::thread::sleep(life);
        self.kill9();
    }

    /// Asks it to stop (SIGTERM) and waits for its end.
    ///
    /// # Panics
    /// If it does not end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.ask_to_stop();
        self.wait_for_end()
    }

    /// Sends SIGTERM and does not wait.
    pub fn ask_to_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits for the end that something else has brought about.
    ///
    /// # Panics
    /// If it does not end.
    pub fn wait_for_end(&mut self) -> ExitStatus {
        eventually(STOP_LIMIT, "the server's end", || self.process.ended())
    }

    /// Stops its clocks, as SIGSTOP does: it neither runs nor ends until [`Server::resume`].
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`Server::pause`].
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let process = i32::try_from(self.process.0.id()).ok().and_then(Pid::from_raw);
        kill_process(process.expect("the child's process id"), signal).expect("the signal");
    }

    /// Whether the process still runs.
    pub fn runs(&mut self) -> bool {
        self.process.ended().is_none()
    }

    /// Processor time that it has used so far, in ticks of 10 ms (`/proc/PID/stat`, fields utime and stime).
    pub fn processor_ticks(&self) -> u64 {
        let stat = read(Path::new(&format!("/proc/{}/stat", self.process.0.id())));
        // The name of the program may hold spaces; it ends with the last parenthesis.
        let (_, fields) = stat.rsplit_once(')').expect("a process that runs");
        let times = fields.split_whitespace().skip(11).take(2);
        times.map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
    }

    /// Runs a second server process with the same data and waits for its end: for tests of what it refuses.
    pub fn rival(&self) -> std::process::Output {
        self.launch.command().output().expect("the second server")
    }

    /// Runs a client command of the binary against this server.
    pub fn command_line(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = Command::new(server_binary());
        clean_environment(&mut command);
        command.args(["--endpoint", self.client.endpoint()]).args(arguments);
        command.output().expect("the command line")
    }
}

impl Process {
    /// How it ended, if it has.
    fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("the state of the child")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a child that has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let output = self.output();
            let from = output.ceil_char_boundary(output.len().saturating_sub(SHOWN_OUTPUT_BYTES));
            eprintln!("---- what the server wrote ----\n{}---- end ----", &output[from..]);
        }
    }
}

impl Launch {
    /// The `serve` command on a free port.
    fn command(&self) -> Command {
        let setup = &self.setup;
        let words = setup.wrapper.iter().map(PathBuf::from).chain([server_binary()]);
        let words: Vec<PathBuf> = words.collect();
        let mut command = Command::new(&words[0]);
        clean_environment(&mut command);
        command.envs(setup.environment.iter().map(|(name, value)| (name, value))).args(&words[1..]);
        let store = if setup.store.is_empty() { DEFAULT_STORE } else { &setup.store };
        command.args(["serve", "--listen", "127.0.0.1:0", "--store"]);
        command.arg(store.replace("{data}", &self.data.to_string_lossy())).args(&setup.flags);
        command
    }

    fn spawn(&self) -> Process {
        let file = OpenOptions::new().create(true).append(true).open(&self.output).expect("the output file");
        let mut command = self.command();
        command.stdout(file.try_clone().expect("a second handle")).stderr(file);
        Process(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// Starts a server and waits until it answers. The error is what it said if it ended instead.
    fn start(&self) -> Result<(Process, Client), String> {
        let before = read(&self.output).len();
        let mut process = self.spawn();
        let client = eventually(START_LIMIT, "the server's first answer", || {
            if let Some(status) = process.ended() {
                let said = &read(&self.output)[before..];
                return Some(Err(format!("the server ended with {status} instead of answering:\n{said}")));
            }
            let client = Client::new(&address(&read(&self.output)[before..])?);
            let healthy = client.send("GET", "/healthz", &[], b"").is_ok_and(|reply| reply.status == 200);
            healthy.then_some(Ok(client))
        })?;
        Ok((process, client))
    }
}

/// Settings of whoever runs the tests must not reach the server.
fn clean_environment(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("STEPWELL_") {
            command.env_remove(name);
        }
    }
    command.env("NO_COLOR", "1").stdin(Stdio::null());
}

/// The address in the server's first lines, once the line with it is complete.
fn address(output: &str) -> Option<String> {
    let (_, rest) = output.split_once(ADDRESS)?;
    let end = rest.find(|character: char| !character.is_ascii_digit())?;
    (end > 0).then(|| format!("{ADDRESS}{}", &rest[..end]))
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn the_address_is_taken_from_a_complete_line_only() {
        assert_eq!(address("listening on http://127.0.0.1:4567\n").unwrap(), "http://127.0.0.1:4567");
        assert_eq!(address("api: http://127.0.0.1:4567/ (x)").unwrap(), "http://127.0.0.1:4567");
        for incomplete in ["", "http://127.0.0.1:", "http://127.0.0.1:45", "http://127.0.0.1:\n"] {
            assert_eq!(address(incomplete), None, "{incomplete:?}");
        }
    }
}
