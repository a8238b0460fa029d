//! A client of the executor: starts, stops and redrives orders until it is answered, and remembers every answer. What it was told
//! once must be true ever after, whatever the lives since.

use crate::shop::{arn, is_stopped, redrives, request};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use stepwell_asl::{Status, Timestamp};
use stepwell_executor::{Executor, RedriveError, StartError, StopError};
use stepwell_store::Store;

/// After so many looks at an order, it is stopped if it is one of those.
const LOOKS_BEFORE_STOP: u64 = 3;

/// What was acknowledged.
#[derive(Default)]
pub(crate) struct Client {
    pub(crate) started: BTreeMap<u64, Timestamp>,
    pub(crate) stopped: BTreeMap<u64, Timestamp>,
    /// When each redrive was.
    pub(crate) redriven: BTreeMap<u64, Vec<Timestamp>>,
    /// Orders that it has asked to be redriven, whatever it heard: a stop may then be one of another life of theirs.
    asked_to_redrive: BTreeSet<u64>,
    /// Orders that have succeeded, and so cannot be redriven.
    succeeded: BTreeSet<u64>,
    /// Orders whose name is taken by an ended execution.
    ended: BTreeSet<u64>,
    looks: u64,
    /// Answers so far.
    pub(crate) acknowledged: u64,
}

impl Client {
    /// Asks for what it has not heard of, and once more for some that it has, all at the same time. How many orders have
    /// ended.
    pub(crate) async fn look(&mut self, orders: u64, executor: &Executor, truth: &Store) -> usize {
        let asked: Vec<u64> = (0..orders).filter(|number| self.asks_for(*number)).collect();
        let answers = join_all(asked.iter().map(|number| executor.start(request(*number)))).await;
        for (number, answer) in asked.into_iter().zip(answers) {
            match answer {
                Ok(started) => self.heard_of_start(number, started.started_at, truth).await,
                Err(StartError::AlreadyExists { .. }) => drop(self.ended.insert(number)),
                Err(
                    StartError::Store(_)
                    | StartError::ShuttingDown
                    | StartError::Busy
                    | StartError::TooManyOpen { .. },
                ) => {}
                Err(failure @ (StartError::Definition { .. } | StartError::Full | StartError::Broken)) => {
                    panic!("{failure}")
                }
            }
        }
        self.looks += 1;
        if self.looks > LOOKS_BEFORE_STOP {
            self.stop_some(orders, executor, truth).await;
        }
        self.redrive_some(executor, truth).await;
        self.ended.iter().filter(|number| self.is_done(**number)).count()
    }

    /// Whether an order that has ended is not to be redriven any more.
    fn is_done(&self, number: u64) -> bool {
        let made = self.redriven.get(&number).map_or(0, Vec::len);
        self.succeeded.contains(&number) || made >= redrives(number)
    }

    /// Redrives those that have ended and are to be redriven once more. Each request is made twice at the same time, as by
    /// a client that is told to try again: it happens once.
    async fn redrive_some(&mut self, executor: &Executor, truth: &Store) {
        let made = |number: &u64| self.redriven.get(number).map_or(0, Vec::len);
        let ended = self.ended.iter().copied();
        let numbers: Vec<u64> = ended.filter(|number| !self.is_done(*number)).collect();
        let asked: Vec<(u64, String)> =
            numbers.iter().map(|number| (*number, format!("redrive-{}", made(number)))).collect();
        self.asked_to_redrive.extend(&numbers);
        let answers = join_all(asked.iter().map(|(number, token)| async move {
            let (arn, token) = (arn(*number), || Some(token.clone()));
            futures_util::future::join(executor.redrive(&arn, token()), executor.redrive(&arn, token())).await
        }));
        for (number, (one, other)) in numbers.into_iter().zip(answers.await) {
            if let (Ok(one), Ok(other)) = (&one, &other) {
                assert_eq!(one, other, "order {number} was redriven twice for one request");
            }
            match one.or(other) {
                Ok(at) => self.heard_of_redrive(number, at, truth).await,
                Err(RedriveError::NotRedrivable { status: Status::Succeeded }) => {
                    self.succeeded.insert(number);
                }
                Err(
                    RedriveError::Store(_)
                    | RedriveError::ShuttingDown
                    | RedriveError::Busy
                    | RedriveError::TooManyOpen { .. },
                ) => {}
                Err(failure) => panic!("order {number}: {failure}"),
            }
        }
    }

    async fn heard_of_redrive(&mut self, number: u64, at: Timestamp, truth: &Store) {
        self.acknowledged += 1;
        self.ended.remove(&number);
        let times = self.redriven.entry(number).or_default();
        times.push(at);
        let id = truth.execution_id(&arn(number)).await.unwrap().unwrap();
        let stored = truth.standing(id).await.unwrap().unwrap().redrive.map(|redrive| redrive.count as usize);
        assert_eq!(stored, Some(times.len()), "redrives of order {number} are acknowledged and not stored");
    }

    fn asks_for(&self, number: u64) -> bool {
        let every = match (self.started.contains_key(&number), self.ended.contains(&number)) {
            (_, true) => 16,
            (true, false) => 4,
            (false, false) => 1,
        };
        (self.looks + number).is_multiple_of(every)
    }

    async fn stop_some(&mut self, orders: u64, executor: &Executor, truth: &Store) {
        // Also some of those that it has stopped already: they must say so again.
        let asks = |number: &u64| {
            is_stopped(*number)
                && !self.asked_to_redrive.contains(number)
                && (!self.stopped.contains_key(number) || (self.looks + number).is_multiple_of(16))
        };
        let numbers: Vec<u64> = (0..orders).filter(asks).collect();
        let stops = numbers.iter().map(|number| async move {
            let (error, cause) = (Some("Cancelled".to_owned()), Some("by the client".to_owned()));
            executor.stop(&arn(*number), error, cause).await
        });
        for (number, answer) in numbers.iter().zip(join_all(stops).await) {
            match answer {
                Ok(stopped_at) => self.heard_of_stop(*number, stopped_at, truth).await,
                Err(StopError::DoesNotExist { .. }) => {
                    assert!(!self.started.contains_key(number), "order {number} was started, and is lost");
                }
                Err(StopError::Store(_) | StopError::ShuttingDown | StopError::Busy) => {}
            }
        }
    }

    async fn heard_of_start(&mut self, number: u64, at: Timestamp, truth: &Store) {
        self.acknowledged += 1;
        assert!(!self.ended.contains(&number), "order {number} had ended, and runs again");
        let first = *self.started.entry(number).or_insert(at);
        assert_eq!(first, at, "order {number} was lost, and started again");
        let id = truth.execution_id(&arn(number)).await.unwrap();
        assert!(id.is_some(), "the start of order {number} was acknowledged and is not stored");
    }

    async fn heard_of_stop(&mut self, number: u64, at: Timestamp, truth: &Store) {
        self.acknowledged += 1;
        let first = *self.stopped.entry(number).or_insert(at);
        assert_eq!(first, at, "order {number} ended twice");
        let id = truth.execution_id(&arn(number)).await.unwrap().unwrap();
        let stored = truth.standing(id).await.unwrap().unwrap().stopped_at;
        assert_eq!(stored, Some(at), "the end of order {number} was acknowledged and is not stored");
    }
}
