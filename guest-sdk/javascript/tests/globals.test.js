// What globals.js puts in place, kept away from Node's own globals.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { webcrypto } from "node:crypto";
import { installConsole, installRandom } from "../sdk/globals.js";

const kept = { console: globalThis.console, random: Math.random, crypto: Object.getOwnPropertyDescriptor(globalThis, "crypto") };
const randomBytes = (count) => webcrypto.getRandomValues(new Uint8Array(count));
const lines = [];

before(() => {
  Object.defineProperty(globalThis, "crypto", { value: undefined, writable: true, configurable: true });
  installRandom(randomBytes);
  installConsole((level, message) => lines.push(`${level} ${message}`));
});

after(() => {
  globalThis.console = kept.console;
  Math.random = kept.random;
  Object.defineProperty(globalThis, "crypto", kept.crypto);
});

test("the console writes every kind of value", () => {
  const circle = {};
  circle.self = circle;
  console.log("a", { b: 1 }, [2], null, undefined, 3n);
  console.warn(circle);
  console.debug(Symbol("s"));
  const expected = ['info a {"b":1} [2] null undefined 3', "warn an object that cannot be written as JSON", "debug Symbol(s)"];
  assert.deepEqual(lines, expected);
});

test("Math.random is even between 0 and 1", () => {
  const draws = Array.from({ length: 20_000 }, () => Math.random());
  assert.ok(draws.every((draw) => draw >= 0 && draw < 1));
  assert.ok(new Set(draws).size > 19_990);
  const tenths = Array(10).fill(0);
  draws.forEach((draw) => (tenths[Math.floor(draw * 10)] += 1));
  // 2,000 each, with a standard deviation of 42.
  assert.ok(tenths.every((count) => count > 1_700 && count < 2_300), `${tenths}`);
});

test("crypto makes UUIDs and fills arrays", () => {
  assert.match(crypto.randomUUID(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const array = new Uint32Array(64);
  assert.equal(crypto.getRandomValues(array), array);
  assert.ok(array.some((value) => value > 0xffff));
  assert.throws(() => crypto.getRandomValues(new Uint8Array(65_537)), RangeError);
});
