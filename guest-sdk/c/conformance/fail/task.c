// The conformance guest fail: fails with the name and cause that its input asks for.

#include "stepwell.h"

stepwell_result stepwell_task(json_value input)
{
    const char *error, *cause;
    if (!json_get_string(input, "error", &error) || !json_get_string(input, "cause", &cause))
        return stepwell_invalid_input();
    return stepwell_fail(error, "%s", cause);
}
