// Stand-ins for the sandbox's host under Node.js, for tests. They must need nothing and refuse nothing.

export const host = {
  start() {},
  context: () => ({
    executionArn: "arn:aws:states:us-east-1:123456789012:execution:native:test",
    stateName: "Native",
    attempt: 0,
    idempotencyKey: "native",
    taskToken: null,
  }),
  remainingMilliseconds: () => 60_000,
  beat() {},
  log: (level, message) => console.error(`${level}: ${message}`),
  sleep(milliseconds) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
  },
};
