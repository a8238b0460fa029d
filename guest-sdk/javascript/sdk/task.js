// The way from JSON text to the author's function and back: `handler.run` of wit/task.wit without its glue.
//
// It is ordinary JavaScript, so native tests cover it. Nothing but `{ error, cause }` may leave `run` as an exception:
// anything else would stop the sandbox as a trap and lose its name.

import { host } from "#host";
import { log } from "./log.js";
import { InvalidInput, TaskError, describe, toTaskError } from "./task-error.js";

/** Declares the module's task: `export const handler = task(function)`. See index.d.ts. */
export function task(run, parse) {
  if (typeof run !== "function" || (parse !== undefined && typeof parse !== "function")) {
    throw new TypeError("task(run, parse) takes the function that does the work, and maybe one that checks its input");
  }
  return {
    run(input) {
      try {
        host.start();
        return encode(run(decode(input, parse)));
      } catch (thrown) {
        throw failure(thrown);
      }
    },
  };
}

/** Reads the input. Throws InvalidInput for a text that is not JSON and for a value that `parse` refuses. */
function decode(input, parse) {
  try {
    const value = JSON.parse(input);
    return parse === undefined ? value : parse(value);
  } catch (thrown) {
    throw thrown instanceof TaskError ? thrown : new InvalidInput(describe(thrown));
  }
}

/** Writes the result as JSON text; a function that returns nothing has the result `null`. */
function encode(result) {
  if (typeof result?.then === "function") {
    throw new TypeError("the task function returned a promise, but a task runs synchronously: drop its `async`");
  }
  const text = JSON.stringify(result === undefined ? null : result);
  if (text === undefined) {
    throw new TypeError(`the task function returned a ${typeof result}, which is not JSON`);
  }
  return text;
}

/** Returns what the contract wants thrown: a plain record whose texts are valid Unicode. */
function failure(thrown) {
  // Where an error came from that nobody named is for the log; the definition's Catch gets the text alone.
  if (thrown instanceof Error && !(thrown instanceof TaskError)) {
    log.error(thrown);
  }
  const { error, cause } = toTaskError(thrown);
  return { error: `${error}`.toWellFormed(), cause: `${cause}`.toWellFormed() };
}
