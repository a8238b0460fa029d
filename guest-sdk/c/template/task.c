// {{name}}: charges a card, and declines large sums.

#include <inttypes.h>

#include "stepwell.h"

// The input is {"order": "7", "cents": 1999}, the result {"id": "charge-7", "cents": 1999}.
stepwell_result stepwell_task(json_value input)
{
    const char *order;
    int64_t cents;
    if (!json_get_string(input, "order", &order) || !json_get_integer(input, "cents", &cents))
        return stepwell_invalid_input();
    if (cents < 0)
        return stepwell_fail(STEPWELL_INVALID_INPUT, "a sum below zero");
    if (cents > 100000)
        return stepwell_fail("CardDeclined", "%" PRId64 " cents is too much", cents);

    stepwell_context context = stepwell_current_context();
    stepwell_log(STEPWELL_INFO, "attempt %" PRIu32 " charges %" PRId64 " cents", context.attempt, cents);

    json_writer out = {0};
    json_begin_object(&out);
    json_name(&out, "id");
    json_put_string(&out, stepwell_format("charge-%s", order));
    json_name(&out, "cents");
    json_put_integer(&out, cents);
    json_end_object(&out);
    return stepwell_ok(&out);
}
