// Stand-ins for the host, so that a task can be tested natively.

#include "host.h"

#ifndef __wasm__

#include <stdio.h>

void host_log(stepwell_level level, const char *line)
{
    static const char *const names[] = {"trace", "debug", "info", "warn", "error"};
    fprintf(stderr, "%s: %s\n", names[level], line);
}

stepwell_context stepwell_current_context(void)
{
    return (stepwell_context){
        .execution_arn = "arn:aws:states:us-east-1:123456789012:execution:native:test",
        .state_name = "Native",
        .idempotency_key = "native",
    };
}

uint64_t stepwell_remaining_milliseconds(void) { return 60000; }

void stepwell_heartbeat(void) {}

#endif
