// What the two builds do differently: host_wasm.c for the sandbox, host_native.c for tests. No part of the interface
// for tasks.

#ifndef STEPWELL_HOST_H
#define STEPWELL_HOST_H

#include "stepwell.h"

// Writes a line of UTF-8.
void host_log(stepwell_level level, const char *line);

#endif
