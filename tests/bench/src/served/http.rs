//! Durable WebAssembly steps, starts and looks through the HTTP API, against what no server can do without: the disk's own
//! syncs, bare calls of the module, and a bare axum server that echoes its requests to the same clients.

use super::api::{Api, Ends};
use super::child::{Programs, Running, Setup};
use super::connection::Connection;
use super::load::{Client, Load, keep_busy};
use super::machines::{Machines, STEPS, check_end, check_history};
use super::process::Usage;
use crate::baseline::BareLoop;
use crate::disk::{APPEND_BYTES, DiskLoop};
use crate::guest::{self, INPUT};
use crate::quiet::QuietWatch;
use crate::sample::{Plan, Sample};
use crate::store_kind::StoreKind;
use anyhow::{Context as _, ensure};
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::runtime::Handle;

/// The rows.
pub const ROWS: [(Workload, u32); 6] = [
    (Workload::Steps, 16),
    (Workload::Steps, 64),
    (Workload::OneStep, 1),
    (Workload::OneStep, 16),
    (Workload::Starts, 64),
    (Workload::Looks, 64),
];
/// The rows of Express workflows.
pub const EXPRESS_ROWS: [(Workload, u32); 5] = [
    (Workload::SyncPass, 1),
    (Workload::SyncPass, 64),
    (Workload::SyncStep, 1),
    (Workload::SyncStep, 64),
    (Workload::ExpressStarts, 64),
];
/// Of so many answers of StartSyncExecution one is read as a whole.
const READ_WHOLE: u64 = 64;
/// Executions that each client looks at in turn.
const LOOKED_AT: usize = 16;

/// What each client does again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Starts a workflow of ten Tasks on the stub module and waits for its end.
    Steps,
    /// Starts a workflow of one such Task and waits for its end.
    OneStep,
    /// Starts a workflow of one Pass state and does not wait.
    Starts,
    /// Describes an execution that has ended.
    Looks,
    /// Runs an Express workflow of one Pass state.
    SyncPass,
    /// Runs an Express workflow of one Task.
    SyncStep,
    /// Starts an Express workflow of one Pass state and does not wait.
    ExpressStarts,
}

/// One workload with one number of clients.
#[derive(Clone, Debug)]
pub struct Level {
    /// What the clients do.
    pub workload: Workload,
    /// How many there are.
    pub clients: u32,
    /// The rounds.
    pub rounds: Vec<Round>,
    /// Share of the processors that others used meanwhile; none when unknown.
    pub others: Option<f64>,
}

/// The baselines, then the server.
#[derive(Clone, Debug)]
pub struct Round {
    /// The bare loop of append and fdatasync.
    pub disk: Sample,
    /// The bare wasmtime loop.
    pub wasmtime: Sample,
    /// The bare echo server: one request each.
    pub echo: Load,
    /// The server: one thing each.
    pub server: Load,
}

/// All levels on one server.
#[derive(Clone, Debug)]
pub struct Served {
    /// What keeps the bytes.
    pub store: StoreKind,
    /// How the clients learnt of ends.
    pub ends: Ends,
    /// The server with its module and machines, before the first execution but one.
    pub idle: Usage,
    /// After everything.
    pub after: Usage,
    /// The levels.
    pub levels: Vec<Level>,
    /// Requests that the server asked to repeat later.
    pub throttled: u64,
}

impl Workload {
    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Workload::Steps => "10-step workflows, steps",
            Workload::OneStep => "1-step workflows",
            Workload::Starts => "StartExecution (Pass)",
            Workload::Looks => "DescribeExecution",
            Workload::SyncPass => "StartSyncExecution (Pass)",
            Workload::SyncStep => "StartSyncExecution (1 step)",
            Workload::ExpressStarts => "StartExecution (Express)",
        }
    }

    /// Things that one turn counts for.
    pub fn things(self) -> u64 {
        match self {
            Workload::Steps => STEPS,
            Workload::OneStep
            | Workload::Starts
            | Workload::Looks
            | Workload::SyncPass
            | Workload::SyncStep
            | Workload::ExpressStarts => 1,
        }
    }

    /// Whether modules are called.
    pub fn calls(self) -> bool {
        match self {
            Workload::Steps | Workload::OneStep | Workload::SyncStep => true,
            Workload::Starts | Workload::Looks | Workload::SyncPass | Workload::ExpressStarts => false,
        }
    }

    /// Whether there is a history to look at.
    fn has_history(self) -> bool {
        matches!(self, Workload::Steps | Workload::OneStep)
    }

    /// Whether anything is made durable.
    pub fn commits(self) -> bool {
        match self {
            Workload::Steps | Workload::OneStep | Workload::Starts | Workload::ExpressStarts => true,
            Workload::Looks | Workload::SyncPass | Workload::SyncStep => false,
        }
    }
}

/// Measures all rows on one server. Must be called on a thread that may block.
pub fn measure(
    runtime: &Handle,
    programs: &Programs,
    store: StoreKind,
    directory: &Path,
    rows: &[(Workload, u32)],
    plan: Plan,
) -> anyhow::Result<Served> {
    let mut rig = Rig::open(runtime, programs, store, directory)?;
    let mut levels = Vec::new();
    for (workload, clients) in rows {
        eprintln!("measuring the API over {}, {}, {clients} clients ...", store.name(), workload.name());
        levels.push(rig.measure(runtime, *workload, *clients, plan)?);
    }
    let after = rig.server.usage()?;
    let throttled = rig.throttled;
    Ok(Served { store, ends: rig.ends, idle: rig.idle, after, levels, throttled })
}

struct Rig {
    server: Running,
    echo: Running,
    disk: DiskLoop,
    wasmtime: BareLoop,
    machines: Arc<Machines>,
    ends: Ends,
    idle: Usage,
    next_number: Arc<AtomicU64>,
    throttled: u64,
}

impl Rig {
    fn open(
        runtime: &Handle,
        programs: &Programs,
        store: StoreKind,
        directory: &Path,
    ) -> anyhow::Result<Rig> {
        let (disk, wasmtime) = (DiskLoop::create(directory)?, BareLoop::new(&guest::stub()?)?);
        let echo = programs.start_echo(directory).context("the echo server does not start")?;
        let setup = Setup { stepwell: programs.stepwell.clone(), store, directory: directory.join("server") };
        let server = setup.start().context("the server does not start")?;
        let (machines, ends) = runtime.block_on(prepare(&server))?;
        let (idle, machines) = (server.usage()?, Arc::new(machines));
        let next_number = Arc::new(AtomicU64::new(0));
        Ok(Rig { server, echo, disk, wasmtime, machines, ends, idle, next_number, throttled: 0 })
    }

    fn measure(
        &mut self,
        runtime: &Handle,
        workload: Workload,
        clients: u32,
        plan: Plan,
    ) -> anyhow::Result<Level> {
        let mut users = runtime.block_on(self.users(workload, clients))?;
        let mut echoed = runtime.block_on(self.echoed(clients))?;
        let children = || Ok::<_, anyhow::Error>(self.server.usage()?.cpu + self.echo.usage()?.cpu);
        let (quiet, before) = (QuietWatch::start(), children()?);
        let mut rounds = Vec::new();
        for _ in 0..plan.rounds.max(1) {
            let disk = self.disk.run(plan.window, APPEND_BYTES)?;
            let wasmtime = self.wasmtime.run(clients, plan.window)?;
            let (echo, server);
            (echoed, echo) = runtime.block_on(keep_busy(echoed, plan, || self.echo.usage()))?;
            (users, server) = runtime.block_on(keep_busy(users, plan, || self.server.usage()))?;
            rounds.push(Round { disk, wasmtime, echo, server: server.times(workload.things()) });
        }
        let others = quiet.others_beside(children()?.saturating_sub(before));
        self.throttled += users.iter().map(|user| user.api.throttled).sum::<u64>();
        if workload.has_history() {
            // Of a few clients, each with its last execution.
            for user in users.iter_mut().take(3) {
                let execution = user.last.clone().context("nothing was started")?;
                runtime.block_on(check_history(&mut user.api, &execution, workload.things()))?;
            }
        }
        Ok(Level { workload, clients, rounds, others })
    }

    async fn users(&self, workload: Workload, count: u32) -> anyhow::Result<Vec<User>> {
        let mut users = Vec::new();
        for api in Api::open_many(self.server.address, self.ends, count).await? {
            let mut user = User {
                api,
                workload,
                machines: Arc::clone(&self.machines),
                next_number: Arc::clone(&self.next_number),
                last: None,
                looked_at: Vec::new(),
                body: None,
                runs: 0,
            };
            if workload == Workload::Looks {
                user.make_something_to_look_at().await?;
            }
            users.push(user);
        }
        Ok(users)
    }

    async fn echoed(&self, count: u32) -> anyhow::Result<Vec<Echoed>> {
        let machine = &self.machines.pass;
        let body = serde_json::json!({"stateMachineArn": machine, "name": name(0), "input": INPUT});
        let body = Bytes::from(body.to_string());
        let mut echoed = Vec::new();
        for _ in 0..count {
            let connection = Connection::open(self.echo.address).await?;
            echoed.push(Echoed { connection, body: body.clone() });
        }
        Ok(echoed)
    }
}

/// Installs the machines, runs one step, so that the module is loaded, and finds out how ends can be learnt.
async fn prepare(server: &Running) -> anyhow::Result<(Machines, Ends)> {
    let mut api = Api::open(server.address, Ends::Polling).await?;
    let machines = Machines::install(&mut api).await?;
    let execution = api.start(&machines.step, "the-first", INPUT).await?;
    check_end(&execution, &api.ended(&execution).await?)?;
    let ends = api.choose_ends(&execution).await?;
    Ok((machines, ends))
}

fn name(number: u64) -> String {
    format!("order-{number:012}")
}

/// A client of the server.
struct User {
    api: Api,
    workload: Workload,
    machines: Arc<Machines>,
    next_number: Arc<AtomicU64>,
    /// The execution that was started last.
    last: Option<String>,
    looked_at: Vec<String>,
    /// The request that is sent again and again, where there is one.
    body: Option<Bytes>,
    runs: u64,
}

impl User {
    fn machine(&self) -> &str {
        match self.workload {
            Workload::Steps => &self.machines.steps,
            Workload::OneStep => &self.machines.step,
            Workload::Starts | Workload::Looks => &self.machines.pass,
            Workload::SyncPass | Workload::ExpressStarts => &self.machines.express_pass,
            Workload::SyncStep => &self.machines.express_step,
        }
    }

    async fn start(&mut self) -> anyhow::Result<String> {
        let name = name(self.next_number.fetch_add(1, Ordering::Relaxed));
        let machine = self.machine().to_owned();
        self.api.start(&machine, &name, INPUT).await
    }

    /// Sends what was made beforehand, as the clients of the echo server do, and reads every answer, most of them only as
    /// far as to see that they are right: names of Express executions are used again.
    async fn run(&mut self) -> anyhow::Result<()> {
        let body = match &self.body {
            Some(body) => body.clone(),
            None => Api::start_body(self.machine(), &name(0), INPUT)?,
        };
        let answer = self.api.run(&body).await?;
        self.body = Some(body);
        self.runs += 1;
        if self.runs % READ_WHOLE == 1 {
            return check_end("an Express execution", &serde_json::from_slice(&answer)?);
        }
        let is_right = answer.len() > INPUT.len() && {
            let text = std::str::from_utf8(&answer)?;
            text.contains(r#""status":"SUCCEEDED""#) && text.contains(r#""output":"{\""#)
        };
        ensure!(is_right, "a wrong answer: {}", String::from_utf8_lossy(&answer));
        Ok(())
    }

    async fn make_something_to_look_at(&mut self) -> anyhow::Result<()> {
        for _ in 0..LOOKED_AT {
            let execution = self.start().await?;
            check_end(&execution, &self.api.ended(&execution).await?)?;
            self.looked_at.push(execution);
        }
        Ok(())
    }
}

impl Client for User {
    async fn turn(&mut self) -> anyhow::Result<()> {
        match self.workload {
            Workload::Steps | Workload::OneStep => {
                let execution = self.start().await?;
                check_end(&execution, &self.api.ended(&execution).await?)?;
                self.last = Some(execution);
            }
            Workload::Starts | Workload::ExpressStarts => self.last = Some(self.start().await?),
            Workload::SyncPass | Workload::SyncStep => self.run().await?,
            Workload::Looks => {
                self.looked_at.rotate_left(1);
                let execution = self.looked_at.first().context("nothing to look at")?;
                check_end(execution, &self.api.describe(execution).await?)?;
            }
        }
        Ok(())
    }
}

/// A client of the bare echo server.
struct Echoed {
    connection: Connection,
    body: Bytes,
}

impl Client for Echoed {
    async fn turn(&mut self) -> anyhow::Result<()> {
        let reply = self.connection.post("AWSStepFunctions.StartExecution", self.body.clone()).await?;
        ensure!(reply.body == self.body, "the echo is wrong");
        Ok(())
    }
}
