// Fails with the name and the cause that its input asks for.

import { TaskError, task } from "stepwell";

export const handler = task(({ error, cause }) => {
  throw new TaskError(error, cause);
});
