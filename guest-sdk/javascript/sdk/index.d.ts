// The types of package `stepwell`: what a task module in JavaScript or TypeScript may use.

/** What a module exports as `handler`. */
export interface Handler {
  run(input: string): string;
}

/** Which execution, state and attempt a call belongs to. */
export interface TaskContext {
  /** ARN of the execution. */
  readonly executionArn: string;
  /** Name of the Task state in the definition. */
  readonly stateName: string;
  /** 0 for the first attempt, 1 for the first retry, and so on. */
  readonly attempt: number;
  /**
   * The same when this attempt is run again after a crash of the host, different for every other attempt. Hand it to
   * outside systems, so that they do the work once.
   */
  readonly idempotencyKey: string;
  /** Set when the state waits for a callback (`.waitForTaskToken`). */
  readonly taskToken: string | null;
}

/** A result that is not a promise: a task runs synchronously. */
export type Synchronous<Result> = Result extends PromiseLike<unknown> ? never : Result;

/**
 * Declares the module's task: `export const handler = task(function)`.
 *
 * `run` gets the input as a value and returns the result as one; whatever JSON can write is fine. `parse`, if given,
 * checks the input first and returns what `run` gets; whatever it throws fails the task as `InvalidInput` (a schema
 * library's `parse` fits as it is).
 */
export function task<Input = any, Result = unknown>(
  run: (input: Input) => Synchronous<Result>,
  parse?: (json: unknown) => Input,
): Handler;

/** Why a task failed. Anything else that is thrown becomes a `TaskFailed` with its text as the cause. */
export class TaskError extends Error {
  constructor(error: string, cause?: string);
  /** The error name that `ErrorEquals` in a Retrier or Catcher matches, for instance `CardDeclined`. */
  readonly error: string;
  /** What happened, for people. */
  readonly cause: string;
}

/** Input that the task cannot use: a TaskError named `InvalidInput`. */
export class InvalidInput extends TaskError {
  constructor(cause: string);
}

/** Returns the context of this call. In a native run: a fixed one, first attempt, no token. */
export function context(): TaskContext;

/** Returns how long this call may still run before the host stops it, in milliseconds. In a native run: a minute. */
export function remainingMilliseconds(): number;

/** Tells the host that the task is alive, for states with HeartbeatSeconds. In a native run: does nothing. */
export function heartbeat(): void;

/** Waits. Throws a RangeError unless `milliseconds` is a number from 0 on. */
export function sleep(milliseconds: number): void;

/** Lines for the execution's log, from the least to the most important. A native run writes to standard error. */
export const log: {
  trace(message: unknown): void;
  debug(message: unknown): void;
  info(message: unknown): void;
  warn(message: unknown): void;
  error(message: unknown): void;
};
