// The conformance guest echo: shows the input, the context and the time left, and logs one line.

#include "stepwell.h"

stepwell_result stepwell_task(json_value input)
{
    stepwell_log(STEPWELL_INFO, "echo in %s", "c");
    stepwell_context context = stepwell_current_context();
    json_writer out = {0};
    json_begin_object(&out);
    json_name(&out, "input");
    json_put_value(&out, input);
    json_name(&out, "context");
    json_begin_object(&out);
    json_name(&out, "executionArn");
    json_put_string(&out, context.execution_arn);
    json_name(&out, "stateName");
    json_put_string(&out, context.state_name);
    json_name(&out, "attempt");
    json_put_integer(&out, context.attempt);
    json_name(&out, "idempotencyKey");
    json_put_string(&out, context.idempotency_key);
    json_name(&out, "taskToken");
    if (context.task_token != NULL)
        json_put_string(&out, context.task_token);
    else
        json_put_null(&out);
    json_end_object(&out);
    json_name(&out, "timeLeft");
    json_put_boolean(&out, stepwell_remaining_milliseconds() > 0);
    json_end_object(&out);
    return stepwell_ok(&out);
}
