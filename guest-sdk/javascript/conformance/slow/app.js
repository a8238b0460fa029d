// Takes its time, and shows with heartbeats that it is alive.

import { heartbeat, sleep, task } from "stepwell";

export const handler = task(({ beats, pauseMilliseconds }) => {
  for (let beat = 0; beat < beats; beat += 1) {
    heartbeat();
    sleep(pauseMilliseconds);
  }
  return { beats };
});
