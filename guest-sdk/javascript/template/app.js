// @ts-check
// The task of {{name}}: adds up an order.

import { InvalidInput, TaskError, log, task } from "stepwell";

/** @typedef {{ sku: string, quantity: number, cents: number }} Line */
/** @typedef {{ id: string, lines: Line[] }} Order */

/** Returns what an order costs. @param {Order} order */
export function addUp(order) {
  if (order.lines.length === 0) {
    throw new TaskError("EmptyOrder", `order ${order.id} has no lines`);
  }
  const cents = order.lines.reduce((sum, line) => sum + line.quantity * line.cents, 0);
  log.info(`order ${order.id} costs ${cents} cents`);
  return { id: order.id, cents };
}

/** Refuses what is not an order; the task fails as `InvalidInput`. @param {any} json @returns {Order} */
export function parseOrder(json) {
  if (typeof json?.id !== "string" || !Array.isArray(json.lines)) {
    throw new InvalidInput("an order has an id and lines");
  }
  for (const { sku, quantity, cents } of json.lines) {
    if (typeof sku !== "string" || !Number.isInteger(quantity) || !Number.isInteger(cents)) {
      throw new InvalidInput("a line has a sku, a quantity and cents");
    }
  }
  return json;
}

export const handler = task(addUp, parseOrder);
