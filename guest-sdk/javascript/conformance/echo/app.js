// Answers with everything that a task gets: its input, its context and whether time is left.

import { context, log, remainingMilliseconds, task } from "stepwell";

export const handler = task((input) => {
  log.info("echo in javascript");
  return { input, context: context(), timeLeft: remainingMilliseconds() > 0 };
});
