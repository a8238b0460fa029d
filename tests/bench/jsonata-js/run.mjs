// Measures the JavaScript reference of JSONata for the benchmark: a line of JSON in, a line of JSON out.
//
// In:  {"expression": text, "states": what $states holds, "milliseconds": n}
// Out: {"evaluations": n, "seconds": n, "cpuSeconds": n, "allCpuSeconds": n, "result": JSON} or {"error": text}
//
// An expression is parsed once and evaluated many times, on input that is parsed already. Results are not written as
// JSON, but for the last one, after the clock has stopped.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import jsonata from "jsonata";

// Evaluations between two looks at the clock.
const BATCH = 16;
const expressions = new Map();

function parsed(text) {
  if (!expressions.has(text)) {
    expressions.set(text, jsonata(text));
  }
  return expressions.get(text);
}

// Processor time of all threads of this process, those of the garbage collector and the compiler included.
function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function measure({ expression, states, milliseconds }) {
  const program = parsed(expression);
  const bindings = { states };
  let evaluations = 0;
  let result;
  const [cpu, started] = [cpuSeconds(), performance.now()];
  do {
    for (let n = 0; n < BATCH; n++) {
      result = await program.evaluate(undefined, bindings);
    }
    evaluations += BATCH;
  } while (performance.now() - started < milliseconds);
  const seconds = (performance.now() - started) / 1e3;
  const allCpuSeconds = cpuSeconds();
  return { evaluations, seconds, cpuSeconds: allCpuSeconds - cpu, allCpuSeconds, result };
}

function answer(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}

const about = new URL("node_modules/jsonata/package.json", import.meta.url);
answer({ node: process.version, jsonata: JSON.parse(readFileSync(about, "utf8")).version });
for await (const line of createInterface({ input: process.stdin })) {
  try {
    answer(await measure(JSON.parse(line)));
  } catch (error) {
    answer({ error: String(error?.message ?? error) });
  }
}
