import assert from "node:assert/strict";
import { test } from "node:test";
import { addUp, handler, parseOrder } from "./app.js";

const order = { id: "7", lines: [{ sku: "CUP", quantity: 2, cents: 950 }, { sku: "TEA", quantity: 1, cents: 400 }] };

test("an order costs what its lines cost", () => {
  assert.deepEqual(addUp(order), { id: "7", cents: 2300 });
});

test("an empty order fails by name", () => {
  assert.throws(() => addUp({ id: "8", lines: [] }), { error: "EmptyOrder", cause: "order 8 has no lines" });
});

test("what is not an order is refused", () => {
  assert.throws(() => parseOrder({ id: "9", lines: [{ sku: "CUP" }] }), { error: "InvalidInput" });
});

test("the host sees JSON texts", () => {
  assert.equal(handler.run(JSON.stringify(order)), '{"id":"7","cents":2300}');
});
