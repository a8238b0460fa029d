// What code expects of every JavaScript engine and QuickJS in the sandbox lacks: a console, and random numbers that
// differ from call to call. It must never touch the globals of Node.js: only host.js uses it.

import { show } from "./text.js";

const LEVELS = { trace: "trace", debug: "debug", log: "info", info: "info", warn: "warn", error: "error" };
/** The host's random bytes fetched at a time, for Math.random. A multiple of 8. */
const RANDOM_BYTES = 256;
/** The most bytes that the Web's getRandomValues fills at a time. */
const MAX_RANDOM_VALUES_BYTES = 65_536;

/** Makes `console.log` and its like write to the log. */
export function installConsole(write) {
  globalThis.console = Object.fromEntries(
    Object.entries(LEVELS).map(([method, level]) => [method, (...values) => write(level, values.map(show).join(" "))]),
  );
}

/**
 * Draws Math.random and crypto from the host. A built module is a snapshot, and the engine's own generator is part of it:
 * without this every call would get the same numbers.
 */
export function installRandom(randomBytes) {
  let bytes = new DataView(new ArrayBuffer(0));
  let next = 0;
  Math.random = () => {
    if (next === bytes.byteLength) {
      bytes = new DataView(Uint8Array.from(randomBytes(RANDOM_BYTES)).buffer);
      next = 0;
    }
    // 53 random bits, as many as a number between 0 and 1 holds.
    const value = (bytes.getUint32(next) * 2 ** 21 + (bytes.getUint32(next + 4) >>> 11)) / 2 ** 53;
    next += 8;
    return value;
  };
  globalThis.crypto = {
    getRandomValues(array) {
      if (array.byteLength > MAX_RANDOM_VALUES_BYTES) {
        throw new RangeError(`getRandomValues fills at most ${MAX_RANDOM_VALUES_BYTES} bytes`);
      }
      new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(randomBytes(array.byteLength));
      return array;
    },
    randomUUID: () => uuid(Uint8Array.from(randomBytes(16))),
  };
}

/** Writes 16 random bytes as a version 4 UUID (RFC 9562, section 5.4). */
function uuid(bytes) {
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
