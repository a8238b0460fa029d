// Lines for the execution's log: interface `log` of wit/task.wit.
//
// The host keeps a bounded amount per call and drops the rest. Keep secrets out: whoever may read the execution's log
// reads these lines.

import { host } from "#host";
import { show } from "./text.js";

const write = (level) => (message) => host.log(level, show(message).toWellFormed());

/** Writes one message, from the least to the most important. A native run writes to standard error. */
export const log = Object.freeze({
  trace: write("trace"),
  debug: write("debug"),
  info: write("info"),
  warn: write("warn"),
  error: write("error"),
});
