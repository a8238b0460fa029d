// Stepwell: a task in C. Define stepwell_task, and the module runs as the Task state of a workflow.
//
// An instance serves one call, so nothing here needs to be freed: all memory goes when the call ends. Memory that
// cannot be had ends the call (Sandbox.OutOfMemory or Sandbox.Trap), so no pointer returned here is NULL unless said.

#ifndef STEPWELL_H
#define STEPWELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stepwell_json.h"

#if defined(__GNUC__)
#define STEPWELL_FORMATS(text, values) __attribute__((format(printf, text, values)))
#else
#define STEPWELL_FORMATS(text, values)
#endif

// How a task ended. Make one with stepwell_ok, stepwell_fail or stepwell_invalid_input.
typedef struct {
    const char *output; // The result, a JSON text; NULL if the task failed.
    const char *error;  // The error name that ErrorEquals in a Retrier or Catcher matches; NULL if it succeeded.
    const char *cause;  // What happened, for people; NULL if it succeeded.
} stepwell_result;

// The module's task. You define it. The input has been checked to be JSON (otherwise the task fails as InvalidInput
// and this function is not called).
stepwell_result stepwell_task(json_value input);

// The names that this SDK raises or suggests.
#define STEPWELL_INVALID_INPUT "InvalidInput" // The input does not fit.
#define STEPWELL_TASK_FAILED "TaskFailed"     // A failure without a name of its own, for instance that of a library.

// Ends the task with what was written. A text that is not one whole JSON value makes it fail as Sandbox.InvalidResult.
stepwell_result stepwell_ok(const json_writer *output);

// Ends the task with a failure by name. The cause is formatted as by printf.
stepwell_result stepwell_fail(const char *error, const char *format, ...) STEPWELL_FORMATS(2, 3);

// Ends the task as InvalidInput. The cause is what the last json_get_... function that returned false missed.
stepwell_result stepwell_invalid_input(void);

// Which execution, state and attempt a call belongs to.
typedef struct {
    const char *execution_arn;   // ARN of the execution.
    const char *state_name;      // Name of the Task state in the definition.
    uint32_t attempt;            // 0 for the first attempt, 1 for the first retry, and so on.
    const char *idempotency_key; // The same when this attempt is run again after a crash of the host, different for
                                 // every other attempt. Hand it to outside systems, so that they do the work once.
    const char *task_token;      // Set when the state waits for a callback (.waitForTaskToken), otherwise NULL.
} stepwell_context;

// Returns the context of this call. In a native build: a fixed one, first attempt, no token.
stepwell_context stepwell_current_context(void);

// Returns how long this call may still run before the host stops it. In a native build: a minute.
uint64_t stepwell_remaining_milliseconds(void);

// Tells the host that the task is alive, for states with HeartbeatSeconds. In a native build: does nothing.
void stepwell_heartbeat(void);

// How important a line of the log is, from the least to the most.
typedef enum {
    STEPWELL_TRACE, // Every step.
    STEPWELL_DEBUG, // For whoever debugs the module.
    STEPWELL_INFO,  // What happened.
    STEPWELL_WARN,  // Something to look at.
    STEPWELL_ERROR, // Something that failed.
} stepwell_level;

// Writes a line, formatted as by printf, for the execution's log. The host keeps a bounded amount per call and drops
// the rest. Keep secrets out: whoever may read the execution's log reads these lines. A native build writes to
// standard error.
void stepwell_log(stepwell_level level, const char *format, ...) STEPWELL_FORMATS(2, 3);

// Returns a text formatted as by printf.
char *stepwell_format(const char *format, ...) STEPWELL_FORMATS(1, 2);

#endif
