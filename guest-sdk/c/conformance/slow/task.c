// The conformance guest slow: gives a sign of life before every pause.

#include <time.h>

#include "stepwell.h"

stepwell_result stepwell_task(json_value input)
{
    int64_t beats, pause;
    if (!json_get_integer(input, "beats", &beats) || !json_get_integer(input, "pauseMilliseconds", &pause))
        return stepwell_invalid_input();
    struct timespec time = {.tv_sec = pause / 1000, .tv_nsec = pause % 1000 * 1000000};
    for (int64_t i = 0; i < beats; i++) {
        stepwell_heartbeat();
        nanosleep(&time, NULL);
    }
    json_writer out = {0};
    json_begin_object(&out);
    json_name(&out, "beats");
    json_put_integer(&out, beats);
    json_end_object(&out);
    return stepwell_ok(&out);
}
