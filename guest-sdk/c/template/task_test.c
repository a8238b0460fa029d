// Tests that run natively: `bash build.sh test`.

#include <stdio.h>
#include <string.h>

#include "stepwell.h"

static int failures;

// Compares texts; NULL is equal to NULL only.
static void check(const char *what, const char *found, const char *wanted)
{
    if (found == wanted || (found != NULL && wanted != NULL && strcmp(found, wanted) == 0))
        return;
    printf("FAILED %s: found %s, wanted %s\n", what, found != NULL ? found : "(nothing)", wanted != NULL ? wanted : "(nothing)");
    failures++;
}

static stepwell_result run(const char *input)
{
    json_value value;
    if (!json_parse(input, &value))
        return stepwell_invalid_input();
    return stepwell_task(value);
}

int main(void)
{
    check("small sums are charged", run("{\"order\": \"7\", \"cents\": 1999}").output, "{\"id\":\"charge-7\",\"cents\":1999}");
    check("large sums are declined", run("{\"order\": \"7\", \"cents\": 100001}").error, "CardDeclined");
    check("an order is wanted", run("{\"cents\": 1}").cause, "the member \"order\" is missing");
    printf("%s\n", failures == 0 ? "all tests passed" : "some tests failed");
    return failures != 0;
}
