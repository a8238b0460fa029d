// Writing JSON (RFC 8259): appends to a growing text.

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stepwell_json.h"
#include "text.h"

static void append(json_writer *out, const char *bytes, size_t length)
{
    if (out->length + length + 1 > out->capacity) {
        out->capacity = (out->length + length + 1) * 2;
        out->text = text_resize(out->text, out->capacity);
    }
    memcpy(out->text + out->length, bytes, length);
    out->length += length;
    out->text[out->length] = '\0';
}

// Appends a whole value, after a comma if one is due.
static void value(json_writer *out, const char *bytes, size_t length)
{
    if (out->comma)
        append(out, ",", 1);
    append(out, bytes, length);
    out->comma = true;
}

static void begin(json_writer *out, const char *opener)
{
    value(out, opener, 1);
    out->comma = false;
}

static void end(json_writer *out, const char *closer)
{
    append(out, closer, 1);
    out->comma = true;
}

void json_begin_object(json_writer *out) { begin(out, "{"); }
void json_end_object(json_writer *out) { end(out, "}"); }
void json_begin_array(json_writer *out) { begin(out, "["); }
void json_end_array(json_writer *out) { end(out, "]"); }

void json_name(json_writer *out, const char *name)
{
    json_put_string(out, name);
    append(out, ":", 1);
    out->comma = false;
}

void json_put_null(json_writer *out) { value(out, "null", 4); }

void json_put_boolean(json_writer *out, bool boolean) { value(out, boolean ? "true" : "false", boolean ? 4 : 5); }

void json_put_integer(json_writer *out, int64_t integer)
{
    char digits[24];
    value(out, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, integer));
}

void json_put_number(json_writer *out, double number)
{
    if (!isfinite(number)) {
        json_put_null(out);
        return;
    }
    // The shorter form if it is exact, otherwise the one that always is.
    char digits[40];
    int length = snprintf(digits, sizeof digits, "%.15g", number);
    if (strtod(digits, NULL) != number)
        length = snprintf(digits, sizeof digits, "%.17g", number);
    value(out, digits, (size_t)length);
}

void json_put_string(json_writer *out, const char *string)
{
    value(out, "\"", 1);
    const char *text = text_utf8(string), *plain = text;
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text >= 0x20 && *text != '"' && *text != '\\')
            continue;
        append(out, plain, (size_t)(text - plain));
        plain = text + 1;
        const char *shorts = "\"\"\\\\\bb\ff\nn\rr\tt";
        const char *found = shorts;
        while (*found != '\0' && *found != *text)
            found += 2;
        char escape[8];
        if (*found != '\0')
            append(out, escape, (size_t)snprintf(escape, sizeof escape, "\\%c", found[1]));
        else
            append(out, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)*text));
    }
    append(out, plain, (size_t)(text - plain));
    append(out, "\"", 1);
}

void json_put_value(json_writer *out, json_value piece) { value(out, piece.text, piece.length); }
