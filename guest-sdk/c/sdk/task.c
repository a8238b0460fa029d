// How a task ends, and texts: the part of the SDK that is the same for the sandbox and for native tests.

#include <stdarg.h>
#include <stdio.h>

#include "host.h"
#include "stepwell.h"
#include "text.h"

static char *format_list(const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0)
        length = 0;
    char *text = text_resize(NULL, (size_t)length + 1);
    text[0] = '\0';
    vsnprintf(text, (size_t)length + 1, format, arguments);
    return text;
}

char *stepwell_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = format_list(format, arguments);
    va_end(arguments);
    return text;
}

void stepwell_log(stepwell_level level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    host_log(level, text_utf8(format_list(format, arguments)));
    va_end(arguments);
}

stepwell_result stepwell_ok(const json_writer *output)
{
    return (stepwell_result){.output = output->text != NULL ? output->text : ""};
}

stepwell_result stepwell_fail(const char *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *cause = text_utf8(format_list(format, arguments));
    va_end(arguments);
    return (stepwell_result){.error = text_utf8(error), .cause = cause};
}

stepwell_result stepwell_invalid_input(void) { return stepwell_fail(STEPWELL_INVALID_INPUT, "%s", json_problem()); }
