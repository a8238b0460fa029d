// Tests of the SDK's JSON: `bash ../sdk/build-module.sh . test`.

#include <stdio.h>
#include <string.h>

#include "stepwell.h"

static int checks, failures;

static void check(bool right, const char *what)
{
    checks++;
    if (!right) {
        printf("FAILED %s (%s)\n", what, json_problem());
        failures++;
    }
}

static json_value parsed(const char *text)
{
    json_value value = {"null", 4};
    check(json_parse(text, &value), text);
    return value;
}

static void refuses_what_is_not_json(void)
{
    static const char *const texts[] = {
        "", " ", "{", "[", "]", "nul", "truex", "[1,]", "{\"a\":1,}", "{\"a\"}", "{\"a\":}", "{a:1}", "{,}", "[1 2]", "[1}", "1 2",
        "01", "-", "+1", "1.", ".5", "1e", "1e+", "0x1", "NaN", "\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"a\nb\"", "\"\xff\"",
        "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"", "'a'", "\xc2\xa0 1",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_value value;
        check(!json_parse(texts[i], &value), texts[i]);
    }
    char deep[2 * JSON_MAX_DEPTH + 4];
    json_value value;
    for (int depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 1; depth++) {
        memset(deep, '[', (size_t)depth);
        memset(deep + depth, ']', (size_t)depth);
        deep[2 * depth] = '\0';
        check(json_parse(deep, &value) == (depth <= JSON_MAX_DEPTH), "depth");
    }
}

static void reads_values(void)
{
    int64_t integer = -1;
    double number = -1;
    bool boolean = false;
    const char *string = NULL;
    json_value value = parsed(" {\"i\": -9223372036854775808, \"w\":3.0e2,\"n\":-0.25,\"b\":true,\"\\u0061b\" :\"\\u00fc\\ud83d\\ude00\\ud800\\n\\/\","
                              "\"z\":\"\\u0000\",\"a\":[1,[2,{}],\"]\",{\"x\":3}],\"i2\":9223372036854775808,\"h\":0.5,\"i\":7} ");
    check(json_get_integer(value, "i", &integer) && integer == 7, "the last of two members");
    check(json_get_integer(value, "w", &integer) && integer == 300, "whole with an exponent");
    check(!json_get_integer(value, "h", &integer) && integer == 300, "not whole");
    check(!json_get_integer(value, "i2", &integer), "past 64 bits");
    check(json_get_number(value, "n", &number) && number == -0.25, "number");
    check(json_get_boolean(value, "b", &boolean) && boolean, "boolean");
    check(json_get_string(value, "ab", &string) && strcmp(string, "\u00fc\U0001F600\uFFFD\n/") == 0, "string, escaped name");
    check(!json_get_string(value, "z", &string), "U+0000");
    check(!json_get_string(value, "none", &string) && strcmp(json_problem(), "the member \"none\" is missing") == 0, "missing");
    check(!json_get_number(parsed("3"), "n", &number), "no object");
    check(json_integer(parsed("-9223372036854775808"), &integer) && integer == INT64_MIN, "the least integer");
    check(!json_number(parsed("1e999"), &number), "past a double");

    json_value list, item, name;
    check(json_get_array(value, "a", &list), "array");
    json_iterator each = json_each(list);
    static const char *const items[] = {"1", "[2,{}]", "\"]\"", "{\"x\":3}"};
    for (int i = 0; i < 4; i++)
        check(json_next(&each, NULL, &item) && item.length == strlen(items[i]) && memcmp(item.text, items[i], item.length) == 0, items[i]);
    check(!json_next(&each, NULL, &item), "end of the array");
    each = json_each(parsed("{ \"k\" : [ ] }"));
    check(json_next(&each, &name, &item) && name.length == 3 && item.length == 3, "member");
    check(!json_next(&each, &name, &item), "end of the object");
    each = json_each(parsed("[ ]"));
    check(!json_next(&each, NULL, &item), "empty array");
    each = json_each(parsed("\"text\""));
    check(!json_next(&each, NULL, &item), "no container");
}

static void writes_values(void)
{
    json_writer out = {0};
    json_begin_array(&out);
    json_put_null(&out);
    json_put_boolean(&out, true);
    json_put_integer(&out, INT64_MIN);
    json_put_number(&out, 0.1);
    json_put_number(&out, 1.0 / 3);
    json_put_number(&out, 1e300 * 1e300);
    json_put_string(&out, "\"\\\b\f\n\r\t\x01/\u00fc\xff");
    json_begin_object(&out);
    json_name(&out, "a");
    json_begin_array(&out);
    json_end_array(&out);
    json_name(&out, "b");
    json_put_value(&out, parsed("{\"x\": 1}"));
    json_end_object(&out);
    json_end_array(&out);
    check(strcmp(out.text, "[null,true,-9223372036854775808,0.1,0.33333333333333331,null,"
                           "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001/\u00fc\uFFFD\",{\"a\":[],\"b\":{\"x\": 1}}]") == 0, out.text);
    parsed(out.text);
}

static void results(void)
{
    json_writer out = {0};
    json_put_integer(&out, 3);
    check(strcmp(stepwell_ok(&out).output, "3") == 0, "a result");
    stepwell_result failed = stepwell_fail("Bad\xff", "%d of %s", 3, "x");
    check(failed.output == NULL && strcmp(failed.error, "Bad\uFFFD") == 0 && strcmp(failed.cause, "3 of x") == 0, "a failure");
}

int main(void)
{
    refuses_what_is_not_json();
    reads_values();
    writes_values();
    results();
    printf("%d passed, %d failed\n", checks - failures, failures);
    return failures != 0;
}
