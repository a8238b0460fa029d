// The JavaScript SDK v3, unmodified, against the real server.
//
// STEPWELL_ENDPOINT is a server with the module `echo`; STEPWELL_LIMITED one that lets a key make few requests, with
// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of that key. Nothing here may know how the server works inside.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import * as sfn from "@aws-sdk/client-sfn";

const ROLE_ARN = "arn:aws:iam::123456789012:role/stepwell";
const LIMIT_MILLISECONDS = 60_000;
const settings = { region: "us-east-1", credentials: { accessKeyId: "test", secretAccessKey: "test" } };
const client = new sfn.SFNClient({ ...settings, endpoint: process.env.STEPWELL_ENDPOINT, disableHostPrefix: true });
const functions = new LambdaClient({ ...settings, endpoint: process.env.STEPWELL_ENDPOINT });

const one = (state) => JSON.stringify({ StartAt: "Only", States: { Only: { End: true, ...state } } });
const name = () => `js-${randomUUID()}`;

async function machine(state, options = {}) {
  const made = await client.send(
    new sfn.CreateStateMachineCommand({ name: name(), definition: one(state), roleArn: ROLE_ARN, ...options }),
  );
  return made.stateMachineArn;
}

async function ended(executionArn) {
  const deadline = Date.now() + LIMIT_MILLISECONDS;
  while (Date.now() < deadline) {
    const execution = await client.send(new sfn.DescribeExecutionCommand({ executionArn }));
    if (execution.status !== "RUNNING") return execution;
    await pause(50);
  }
  throw new Error(`${executionArn} still runs`);
}

/** Skips the test when the server says that it does not know the operation yet. */
async function orSkip(context, work) {
  try {
    return await work();
  } catch (error) {
    if (error.name !== "UnknownOperationException" && !/later release/.test(error.message)) throw error;
    context.skip(error.message);
    return undefined;
  }
}

test("an execution of a module is started, described and its history paged", async () => {
  const before = Date.now() - 1_000;
  const stateMachineArn = await machine({
    Type: "Task",
    Resource: "arn:aws:lambda:us-east-1:123456789012:function:echo",
  });
  const { executionArn, startDate } = await client.send(
    new sfn.StartExecutionCommand({ stateMachineArn, input: '{"n": 1}' }),
  );
  assert(startDate instanceof Date && startDate.getTime() > before, "times arrive as dates, in seconds");
  const execution = await ended(executionArn);
  assert.equal(execution.status, "SUCCEEDED");
  assert.deepEqual(JSON.parse(execution.output), { n: 1 });
  assert(execution.stopDate >= execution.startDate);

  const events = [];
  for await (const page of sfn.paginateGetExecutionHistory({ client, pageSize: 2 }, { executionArn })) {
    assert(page.events.length <= 2);
    events.push(...page.events);
  }
  assert.deepEqual(
    events.map((event) => event.type),
    ["ExecutionStarted", "TaskStateEntered", "LambdaFunctionScheduled", "LambdaFunctionStarted"].concat([
      "LambdaFunctionSucceeded",
      "TaskStateExited",
      "ExecutionSucceeded",
    ]),
  );
  assert(events.every((event) => event.timestamp instanceof Date));
});

test("errors are the SDK's own classes with their messages", async () => {
  const stateMachineArn = "arn:aws:states:us-east-1:123456789012:stateMachine:missing";
  await assert.rejects(client.send(new sfn.DescribeStateMachineCommand({ stateMachineArn })), (error) => {
    assert(error instanceof sfn.StateMachineDoesNotExist);
    assert.equal(error.message, `State Machine Does Not Exist: '${stateMachineArn}'`);
    assert.equal(error.$metadata.httpStatusCode, 400);
    assert.equal(error.$metadata.attempts, 1);
    assert(error.$metadata.requestId);
    return true;
  });
  // This SDK checks nothing itself: the server does.
  await assert.rejects(client.send(new sfn.DescribeStateMachineCommand({})), sfn.ValidationException);
  await assert.rejects(
    client.send(new sfn.CreateStateMachineCommand({ name: name(), definition: "{}", roleArn: ROLE_ARN })),
    sfn.InvalidDefinition,
  );
});

test("an express machine answers at once", async (context) => {
  const stateMachineArn = await orSkip(context, () => machine({ Type: "Pass" }, { type: "EXPRESS" }));
  if (!stateMachineArn) return;
  const answer = await orSkip(context, () =>
    client.send(new sfn.StartSyncExecutionCommand({ stateMachineArn, input: '{"n": 1}' })),
  );
  if (!answer) return;
  assert.equal(answer.status, "SUCCEEDED");
  assert.deepEqual(JSON.parse(answer.output), { n: 1 });
  assert(answer.stopDate >= answer.startDate);
  assert(answer.billingDetails.billedDurationInMilliseconds > 0);
});

test("a worker polls an activity and answers", async (context) => {
  const made = await orSkip(context, () => client.send(new sfn.CreateActivityCommand({ name: name() })));
  if (!made) return;
  const { activityArn } = made;
  const stateMachineArn = await machine({ Type: "Task", Resource: activityArn, TimeoutSeconds: 60 });
  const polled = client.send(new sfn.GetActivityTaskCommand({ activityArn, workerName: "js" }));
  const { executionArn } = await client.send(new sfn.StartExecutionCommand({ stateMachineArn, input: '{"n": 2}' }));
  const task = await polled;
  assert.deepEqual(JSON.parse(task.input), { n: 2 });
  await client.send(new sfn.SendTaskHeartbeatCommand({ taskToken: task.taskToken }));
  await client.send(new sfn.SendTaskSuccessCommand({ taskToken: task.taskToken, output: '"done"' }));
  assert.equal((await ended(executionArn)).output, '"done"');
  await assert.rejects(client.send(new sfn.SendTaskHeartbeatCommand({ taskToken: "forged" })), sfn.InvalidToken);
});

test("names and payloads in any language survive", async () => {
  const stateMachineArn = await machine({ Type: "Pass" });
  const input = JSON.stringify({ text: "\u00fc \u4f60\u597d \u{1f600}" });
  const { executionArn } = await client.send(
    new sfn.StartExecutionCommand({ stateMachineArn, input, name: "\u4f60\u597d" }),
  );
  assert(executionArn.endsWith(":\u4f60\u597d"));
  assert.equal((await ended(executionArn)).output, input);
});

test("the same module answers through the Lambda client", async () => {
  const reply = await functions.send(new InvokeCommand({ FunctionName: "echo", Payload: '{"n": 3}' }));
  assert.equal(reply.StatusCode, 200);
  assert.deepEqual(JSON.parse(reply.Payload.transformToString()), { n: 3 });
});

test("requests that are refused for their number are tried again", async () => {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = process.env;
  const limited = new sfn.SFNClient({
    region: settings.region,
    endpoint: process.env.STEPWELL_LIMITED,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 10,
  });
  const attempts = [];
  for (let request = 0; request < 3; request += 1) {
    attempts.push((await limited.send(new sfn.ListStateMachinesCommand({}))).$metadata.attempts);
  }
  assert.equal(attempts[0], 1);
  assert(Math.max(...attempts) > 1, `no request was refused: ${attempts}`);
});

test("every version of the SDK that is tested is the one that is locked", async () => {
  const lock = JSON.parse(await readFile(new URL("package-lock.json", import.meta.url)));
  const wanted = JSON.parse(await readFile(new URL("package.json", import.meta.url))).devDependencies;
  for (const [dependency, version] of Object.entries(wanted)) {
    assert.equal(lock.packages[`node_modules/${dependency}`].version, version);
  }
});
