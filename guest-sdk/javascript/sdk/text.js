// How a value of any kind reads as text: in the log, and in the cause of a failure.

/** Writes a value as text: a string as it is, an error with its stack, anything else as JSON if it can be. Never throws. */
export function show(value) {
  if (typeof value === "string") {
    return value;
  }
  if (value instanceof Error) {
    return `${value}\n${value.stack ?? ""}`.trimEnd();
  }
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return typeof value === "object" ? "an object that cannot be written as JSON" : String(value);
  }
}
