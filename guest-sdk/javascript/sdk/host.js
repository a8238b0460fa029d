// The sandbox's host, as the rest of this package sees it: the imports of world `javascript-module` in wit/module.wit.
//
// Nothing outside this file names an import: they follow the contract (whose version task.wit says), this package follows
// JavaScript. Nothing here may call the host while a module is built: the author's top-level code runs then.

import * as contextInterface from "stepwell:task/context";
import * as heartbeatInterface from "stepwell:task/heartbeat";
import * as logInterface from "stepwell:task/log";
import * as clock from "wasi:clocks/monotonic-clock@0.2.0";
import * as random from "wasi:random/random@0.2.0";
import { installConsole, installRandom } from "./globals.js";

/** Whether a call is under way. Module code that runs at build time has no host to talk to. */
let called = false;

function needsCall() {
  if (!called) {
    throw new Error("there is no call yet: top-level code runs when the module is built, the task runs later");
  }
}

export const host = {
  start() {
    called = true;
    installRandom((bytes) => random.getRandomBytes(bytes));
  },
  context() {
    needsCall();
    return contextInterface.current();
  },
  remainingMilliseconds() {
    needsCall();
    return contextInterface.remainingMilliseconds();
  },
  beat() {
    needsCall();
    heartbeatInterface.beat();
  },
  log(level, message) {
    // At build time nobody would read it.
    if (called) {
      logInterface.write(level, message);
    }
  },
  sleep(milliseconds) {
    needsCall();
    // The clock counts nanoseconds in a u64, of which a number holds 104 days exactly: longer than any call.
    const nanoseconds = Math.min(Math.round(milliseconds * 1e6), Number.MAX_SAFE_INTEGER);
    const pollable = clock.subscribeDuration(nanoseconds);
    pollable.block();
    pollable[Symbol.dispose]();
  },
};

installConsole((level, message) => host.log(level, message.toWellFormed()));
