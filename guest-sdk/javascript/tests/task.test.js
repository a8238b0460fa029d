// The SDK natively: what `handler.run` answers, and what it throws.

import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidInput, TaskError, context, heartbeat, log, remainingMilliseconds, sleep, task } from "../sdk/index.js";

/** Returns the record that a call throws. */
function failure(handler, input = "null") {
  try {
    handler.run(input);
  } catch (thrown) {
    return thrown;
  }
  return assert.fail("the call did not fail");
}

function failing(thrown) {
  return failure(
    task(() => {
      throw thrown;
    }),
  );
}

test("JSON passes through the function", () => {
  assert.equal(task((number) => number * 2).run("21"), "42");
  assert.equal(task((input) => input).run('{"a":[1,null,"é"]}'), '{"a":[1,null,"é"]}');
});

test("a function that returns nothing has the result null", () => {
  assert.equal(task(() => {}).run("1"), "null");
});

test("a failure keeps its name and cause, and is no Error", () => {
  const thrown = failing(new TaskError("CardDeclined", "too much"));
  assert.deepEqual(thrown, { error: "CardDeclined", cause: "too much" });
  assert.equal(thrown instanceof Error, false);
});

test("any other error is a TaskFailed with its text and its causes'", () => {
  assert.deepEqual(failing(new Error("boom")), { error: "TaskFailed", cause: "boom" });
  assert.deepEqual(failing(new TypeError("boom")), { error: "TaskFailed", cause: "TypeError: boom" });
  const chain = new Error("outer", { cause: new RangeError("inner", { cause: "at last" }) });
  assert.deepEqual(failing(chain), { error: "TaskFailed", cause: "outer: RangeError: inner: at last" });
});

test("a circle of causes ends", () => {
  const error = new Error("round");
  error.cause = error;
  assert.equal(failing(error).cause, Array(10).fill("round").join(": "));
});

test("anything may be thrown", () => {
  for (const [thrown, cause] of [["text", "text"], [undefined, "undefined"], [null, "null"], [{ a: 1 }, '{"a":1}'], [7n, "7"]]) {
    assert.deepEqual(failing(thrown), { error: "TaskFailed", cause });
  }
});

test("an input that is not JSON is invalid", () => {
  assert.equal(failure(task(() => 1), "{").error, "InvalidInput");
});

test("what parse refuses is invalid, whatever it throws", () => {
  const refuse = (thrown) =>
    task(
      () => 1,
      () => {
        throw thrown;
      },
    );
  assert.deepEqual(failure(refuse(new Error("no id"))), { error: "InvalidInput", cause: "no id" });
  assert.deepEqual(failure(refuse(new InvalidInput("no id"))), { error: "InvalidInput", cause: "no id" });
  assert.deepEqual(failure(refuse(new TaskError("Other", "x"))), { error: "Other", cause: "x" });
});

test("parse makes what the function gets", () => {
  assert.equal(task((length) => length + 1, (json) => json.length).run('"four"'), "5");
});

test("a result that is not JSON is refused", () => {
  const circle = {};
  circle.self = circle;
  for (const result of [() => 1, Symbol("s"), 5n, circle]) {
    assert.equal(failure(task(() => result)).error, "TaskFailed");
  }
});

test("an async function is refused, with a reason", () => {
  assert.match(failure(task(async () => 1)).cause, /drop its `async`/);
});

test("texts become valid Unicode", () => {
  assert.deepEqual(failing(new TaskError("E\ud800", "c\ud800")), { error: "E\ufffd", cause: "c\ufffd" });
});

test("a failure needs a name", () => {
  assert.throws(() => new TaskError(undefined, "x"), TypeError);
});

test("a task needs a function", () => {
  assert.throws(() => task({}), TypeError);
  assert.throws(() => task(() => 1, "schema"), TypeError);
});

test("native calls are first attempts with time left", () => {
  assert.equal(context().attempt, 0);
  assert.equal(context().taskToken, null);
  assert.equal(remainingMilliseconds(), 60_000);
  heartbeat();
  log.info({ a: 1 });
});

test("sleep waits, and refuses nonsense", () => {
  const start = performance.now();
  sleep(20);
  assert.ok(performance.now() - start >= 19);
  for (const milliseconds of [-1, NaN, "5", undefined]) {
    assert.throws(() => sleep(milliseconds), RangeError);
  }
});
