//! Host failures of the executor. None of them is ever an error of a workflow.

use stepwell_asl::Status;
use stepwell_store::StoreError;

/// The executor could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The threads that take steps could not be started.
    #[error("cannot start a thread: {0}; raise the limit on processes")]
    Threads(#[from] std::io::Error),
}

/// StartExecution was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The name is in use: by a closed execution, or by a running one with another input.
    #[error("Execution Already Exists: '{arn}'")]
    AlreadyExists {
        /// ARN of the execution that has the name.
        arn: String,
    },
    /// The stored definition cannot be read by this release.
    #[error("the stored definition of the state machine cannot be read by this release: {detail}")]
    Definition {
        /// The first problem.
        detail: String,
    },
    /// The owning shard has too much to do.
    #[error("too many requests are waiting; try again")]
    Busy,
    /// As many Express executions run as may, or hold as much.
    #[error("as many Express executions run as may at the same time, or hold as much; try again")]
    Full,
    /// The account has as many open executions as it may have in this region.
    #[error("as many executions are open as may be ({most}); some must end or be stopped first")]
    TooManyOpen {
        /// So many may be.
        most: u64,
    },
    /// A step of the execution panicked.
    #[error("the execution broke off")]
    Broken,
    /// The server is shutting down.
    #[error("the server is shutting down; try again")]
    ShuttingDown,
    /// The start could not be made durable.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// StopExecution was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StopError {
    /// There is no such execution.
    #[error("Execution Does Not Exist: '{arn}'")]
    DoesNotExist {
        /// The ARN asked for.
        arn: String,
    },
    /// The owning shard has too much to do.
    #[error("too many requests are waiting; try again")]
    Busy,
    /// The server is shutting down.
    #[error("the server is shutting down; try again")]
    ShuttingDown,
    /// The stop could not be made durable.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// RedriveExecution was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedriveError {
    /// There is no such execution.
    #[error("Execution Does Not Exist: '{arn}'")]
    DoesNotExist {
        /// The ARN asked for.
        arn: String,
    },
    /// It runs, or has succeeded.
    #[error("Execution is {} and cannot be redriven", status.as_str())]
    NotRedrivable {
        /// Its status.
        status: Status,
    },
    /// Its machine is gone, or about to be.
    #[error("State machine is in DELETING status")]
    MachineDeleting,
    /// The account has as many open executions as it may have in this region.
    #[error("as many executions are open as may be ({most}); some must end or be stopped first")]
    TooManyOpen {
        /// So many may be.
        most: u64,
    },
    /// Its history has no room for a redrive and an end after it.
    #[error("Execution history event limit exceeded")]
    HistoryFull,
    /// Taking its recorded events again leads to another history than the recorded one.
    #[error(
        "Execution cannot be continued: taking its recorded events again leads to another history, because another \
         version of the server has recorded it or a record is damaged"
    )]
    Diverged,
    /// The owning shard has too much to do.
    #[error("too many requests are waiting; try again")]
    Busy,
    /// The server is shutting down.
    #[error("the server is shutting down; try again")]
    ShuttingDown,
    /// The redrive could not be made durable.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Waiting for the end of an execution was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// Too many wait already.
    #[error("too many requests are waiting; try again")]
    Busy,
    /// The server is shutting down.
    #[error("the server is shutting down; try again")]
    ShuttingDown,
    /// The execution could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The answer to a task was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Its execution is being removed.
    #[error("Task does not exist anymore")]
    DoesNotExist,
    /// No execution that is there has issued this token.
    #[error("Invalid token")]
    Forged,
    /// The task has ended: by another answer, by time, or with its execution.
    #[error("Provided task does not exist anymore")]
    Closed,
    /// The owning shard has too much to do.
    #[error("too many requests are waiting; try again")]
    Busy,
    /// The server is shutting down.
    #[error("the server is shutting down; try again")]
    ShuttingDown,
    /// The answer could not be made durable.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Waiting for the task of an activity was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PollError {
    /// Too many wait for the tasks of this activity.
    #[error("too many workers wait for tasks of this activity")]
    WorkerLimitExceeded,
    /// Too many wait for tasks.
    #[error("too many requests are waiting; try again")]
    Busy,
    /// The server is shutting down.
    #[error("the server is shutting down; try again")]
    ShuttingDown,
    /// The task could not be handed out durably.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Virtual time was not skipped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkipError {
    /// Time is real.
    #[error("time is real here; start the server with --virtual-clock")]
    Real,
    /// A task runs, or something else is under way.
    #[error("tasks run, or other work is under way, and has been for {} s; time is not skipped meanwhile",
        crate::limits::SKIP_PATIENCE.as_secs())]
    AtWork,
    /// The server is shutting down.
    #[error("the server is shutting down; try again")]
    ShuttingDown,
    /// The times of waiting executions could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
