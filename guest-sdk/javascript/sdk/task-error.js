// A failure by name: record `task-error` of wit/task.wit, the ASL's Error and Cause.

import { show } from "./text.js";

/** Why a task failed: the name that `ErrorEquals` in a Retrier or Catcher matches, and a text for people. */
export class TaskError extends Error {
  constructor(error, cause = "") {
    if (typeof error !== "string") {
      throw new TypeError(`a TaskError needs a name, not ${show(error)}`);
    }
    super(cause === "" ? error : `${error}: ${cause}`);
    this.name = "TaskError";
    this.error = error;
    this.cause = `${cause}`;
  }
}

/** Input that the task cannot use. */
export class InvalidInput extends TaskError {
  constructor(cause) {
    super("InvalidInput", cause);
  }
}

/** How many errors of a chain of causes are told: a chain may be a circle. */
const MAX_CAUSES = 10;

/** Turns whatever was thrown into a TaskError: anything that is not one becomes `TaskFailed` with its text as cause. */
export function toTaskError(thrown) {
  return thrown instanceof TaskError ? thrown : new TaskError("TaskFailed", describe(thrown));
}

/** Returns the text of what was thrown and of its causes, joined with `: `, outermost first. */
export function describe(thrown) {
  const texts = [];
  let error = thrown;
  while (error instanceof Error && texts.length < MAX_CAUSES) {
    texts.push(error.name === "Error" || error instanceof TaskError ? error.message : `${error}`);
    error = error instanceof TaskError ? undefined : error.cause;
  }
  if (texts.length === 0 || (error !== undefined && !(error instanceof Error))) {
    texts.push(show(error));
  }
  return texts.join(": ");
}
