// The canonical ABI of wit/task.wit, written by hand: four imports, one export and the export through which the host
// takes memory. Text passes as address and length, records that do not fit into one value pass through memory.

#include "host.h"

#ifdef __wasm__

#include <stdlib.h>
#include <string.h>

#include "text.h"

#define IMPORT(interface, function) __attribute__((import_module("stepwell:task/" interface "@0.1.0"), import_name(function)))
#define EXPORT(name) __attribute__((export_name(name)))

// A string: where it begins and how many bytes it has. No NUL character follows.
typedef struct {
    const char *text;
    size_t bytes;
} area;

// The record task-context as the host writes it.
typedef struct {
    area execution_arn;
    area state_name;
    uint32_t attempt;
    area idempotency_key;
    uint8_t has_task_token;
    area task_token;
} context_area;

// result<string, task-error> as the host reads it.
typedef struct {
    uint8_t is_error; // 0: `first` is the result. 1: `first` is the error's name and `second` its cause.
    area first;
    area second;
} result_area;

_Static_assert(sizeof(context_area) == 40 && sizeof(result_area) == 20, "the canonical ABI's layouts, in wasm32");

IMPORT("context", "current") void import_context(context_area *);
IMPORT("context", "remaining-milliseconds") uint64_t import_remaining_milliseconds(void);
IMPORT("log", "write") void import_log(uint32_t level, const char *text, size_t bytes);
IMPORT("heartbeat", "beat") void import_beat(void);

// Memory for what the host passes in.
EXPORT("cabi_realloc") void *stepwell_realloc(void *old, size_t old_bytes, size_t alignment, size_t bytes)
{
    (void)old_bytes;
    // malloc aligns to at least 8 bytes, and nothing in this contract needs more.
    return bytes > 0 ? text_resize(old, bytes) : (void *)alignment;
}

// Copies a string that the host wrote, and ends it with a NUL character.
static char *copy(area from)
{
    char *text = text_resize(NULL, from.bytes + 1);
    if (from.bytes > 0)
        memcpy(text, from.text, from.bytes);
    text[from.bytes] = '\0';
    return text;
}

static area area_of(const char *text) { return (area){text, strlen(text)}; }

// One call. A text with a NUL character in it is not JSON, so that nothing can hide behind one.
static stepwell_result call(area input)
{
    if (memchr(input.text, '\0', input.bytes) != NULL)
        return stepwell_fail(STEPWELL_INVALID_INPUT, "not JSON: a NUL character");
    json_value value;
    return json_parse(copy(input), &value) ? stepwell_task(value) : stepwell_invalid_input();
}

EXPORT("stepwell:task/handler@0.1.0#run") result_area *stepwell_run(const char *text, size_t bytes)
{
    static result_area result; // Read by the host after this function has returned.
    stepwell_result ended = call((area){text, bytes});
    if (ended.error != NULL)
        result = (result_area){1, area_of(ended.error), area_of(ended.cause != NULL ? ended.cause : "")};
    else
        result = (result_area){0, area_of(ended.output != NULL ? ended.output : "null"), {NULL, 0}};
    return &result;
}

stepwell_context stepwell_current_context(void)
{
    context_area area;
    import_context(&area);
    return (stepwell_context){
        .execution_arn = copy(area.execution_arn),
        .state_name = copy(area.state_name),
        .attempt = area.attempt,
        .idempotency_key = copy(area.idempotency_key),
        .task_token = area.has_task_token ? copy(area.task_token) : NULL,
    };
}

uint64_t stepwell_remaining_milliseconds(void) { return import_remaining_milliseconds(); }

void stepwell_heartbeat(void) { import_beat(); }

void host_log(stepwell_level level, const char *line) { import_log((uint32_t)level, line, strlen(line)); }

#endif
