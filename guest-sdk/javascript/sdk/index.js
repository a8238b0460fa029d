// Writes Stepwell task modules in JavaScript: one function, JSON values in and out.
//
// `#host` is the sandbox in a built module, and harmless stand-ins under Node.js, so that `node --test` can call a task
// function natively: package.json chooses. This package must never need anything from a module's author, and never
// depends on another package.

import { host } from "#host";

export { InvalidInput, TaskError } from "./task-error.js";
export { log } from "./log.js";
export { task } from "./task.js";

/** Returns the context of this call. In a native run: a fixed one, first attempt, no token. */
export function context() {
  return host.context();
}

/** Returns how long this call may still run before the host stops it, in milliseconds. In a native run: a minute. */
export function remainingMilliseconds() {
  return host.remainingMilliseconds();
}

/** Tells the host that the task is alive, for states with HeartbeatSeconds. In a native run: does nothing. */
export function heartbeat() {
  host.beat();
}

/**
 * Waits. There are no timers in the sandbox, and this does not burn the call's processor time.
 * Throws a RangeError unless `milliseconds` is a number from 0 on.
 */
export function sleep(milliseconds) {
  if (typeof milliseconds !== "number" || !(milliseconds >= 0)) {
    throw new RangeError(`sleep needs a number of milliseconds from 0 on, not ${milliseconds}`);
  }
  host.sleep(milliseconds);
}
