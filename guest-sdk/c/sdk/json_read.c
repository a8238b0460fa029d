// Reading JSON (RFC 8259). json_parse checks the whole text; everything else relies on that and only finds its way.

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stepwell_json.h"
#include "text.h"

static char problem[256] = "the input does not fit";

static bool fails(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool fails(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, sizeof problem, format, arguments);
    va_end(arguments);
    return false;
}

const char *json_problem(void) { return problem; }

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static int hex_digit(char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static const char *after_space(const char *at)
{
    while (is_space(*at))
        at++;
    return at;
}

// The check_... functions return where the thing ends, or NULL if it is not one. The text ends with a NUL character,
// which belongs to nothing, so none of them runs past it.

static const char *check_string(const char *at)
{
    if (*at++ != '"')
        return NULL;
    while (*at != '"') {
        if ((unsigned char)*at < 0x20)
            return NULL;
        if (*at == '\\') {
            at++;
            if (*at == 'u') {
                for (int i = 1; i <= 4; i++)
                    if (hex_digit(at[i]) < 0)
                        return NULL;
                at += 5;
            } else if (*at != '\0' && strchr("\"\\/bfnrt", *at) != NULL) {
                at++;
            } else {
                return NULL;
            }
        } else {
            size_t step = text_character(at, strnlen(at, 4));
            if (step == 0)
                return NULL;
            at += step;
        }
    }
    return at + 1;
}

static const char *check_digits(const char *at)
{
    if (!is_digit(*at))
        return NULL;
    while (is_digit(*at))
        at++;
    return at;
}

static const char *check_number(const char *at)
{
    if (*at == '-')
        at++;
    at = *at == '0' ? at + 1 : check_digits(at);
    if (at != NULL && *at == '.')
        at = check_digits(at + 1);
    if (at != NULL && (*at == 'e' || *at == 'E')) {
        at++;
        at = check_digits(*at == '+' || *at == '-' ? at + 1 : at);
    }
    return at;
}

static const char *check_scalar(const char *at)
{
    if (*at == '"')
        return check_string(at);
    if (strncmp(at, "null", 4) == 0 || strncmp(at, "true", 4) == 0)
        return at + 4;
    if (strncmp(at, "false", 5) == 0)
        return at + 5;
    return check_number(at);
}

// Checks a member's name and its colon.
static const char *check_name(const char *at)
{
    at = check_string(after_space(at));
    if (at == NULL)
        return NULL;
    at = after_space(at);
    return *at == ':' ? at + 1 : NULL;
}

bool json_parse(const char *text, json_value *value)
{
    char closers[JSON_MAX_DEPTH]; // What closes each array and object that is open.
    size_t depth = 0;
    const char *begin = after_space(text), *at = begin, *end = NULL;
    while (end == NULL) {
        // A value begins here.
        at = after_space(at);
        const char *here = at;
        if (*at == '[' || *at == '{') {
            if (depth == JSON_MAX_DEPTH)
                return fails("JSON nested deeper than %d levels", JSON_MAX_DEPTH);
            char closer = *at == '[' ? ']' : '}';
            at = after_space(at + 1);
            if (*at != closer) {
                closers[depth++] = closer;
                if (closer == ']')
                    continue;
                here = at;
                if ((at = check_name(at)) == NULL)
                    return fails("not JSON at byte %zu: a member's name is missing", (size_t)(here - text));
                continue;
            }
            at++;
        } else if ((at = check_scalar(at)) == NULL) {
            return fails("not JSON at byte %zu", (size_t)(here - text));
        }
        // A value has ended here: close what closes, go on after a comma.
        while (end == NULL) {
            if (depth == 0) {
                end = at;
                break;
            }
            at = after_space(at);
            if (*at == closers[depth - 1]) {
                depth--;
                at++;
            } else if (*at == ',') {
                here = ++at;
                if (closers[depth - 1] == '}' && (at = check_name(at)) == NULL)
                    return fails("not JSON at byte %zu: a member's name is missing", (size_t)(here - text));
                break;
            } else {
                return fails("not JSON at byte %zu: ',' or '%c' is missing", (size_t)(at - text), closers[depth - 1]);
            }
        }
    }
    if (*after_space(end) != '\0')
        return fails("not JSON at byte %zu: more text after the value", (size_t)(after_space(end) - text));
    *value = (json_value){begin, (size_t)(end - begin)};
    return true;
}

// Returns where the value that begins here ends. The text has been checked.
static const char *after_value(const char *at)
{
    size_t depth = 0;
    do {
        if (*at == '"') {
            for (at++; *at != '"'; at++)
                at += *at == '\\';
            at++;
        } else if (*at == '[' || *at == '{') {
            depth++;
            at++;
        } else if (*at == ']' || *at == '}') {
            depth--;
            at++;
        } else if (depth > 0) {
            at++;
        } else {
            while (*at != '\0' && !is_space(*at) && strchr(",]}", *at) == NULL)
                at++;
        }
    } while (depth > 0);
    return at;
}

json_kind json_kind_of(json_value value)
{
    switch (value.text[0]) {
    case 'n': return JSON_NULL;
    case 't':
    case 'f': return JSON_BOOLEAN;
    case '"': return JSON_STRING;
    case '[': return JSON_ARRAY;
    case '{': return JSON_OBJECT;
    default: return JSON_NUMBER;
    }
}

json_iterator json_each(json_value container)
{
    json_kind kind = json_kind_of(container);
    if (kind != JSON_ARRAY && kind != JSON_OBJECT)
        return (json_iterator){container.text, container.text, false};
    return (json_iterator){container.text + 1, container.text + container.length - 1, kind == JSON_OBJECT};
}

bool json_next(json_iterator *each, json_value *name, json_value *item)
{
    if (each->next >= each->end)
        return false;
    const char *at = after_space(each->next);
    if (at >= each->end)
        return false;
    if (*at == ',')
        at = after_space(at + 1);
    if (each->named) {
        const char *end = after_value(at);
        if (name != NULL)
            *name = (json_value){at, (size_t)(end - at)};
        at = after_space(after_space(end) + 1);
    }
    each->next = after_value(at);
    *item = (json_value){at, (size_t)(each->next - at)};
    return true;
}

// Appends a character as UTF-8.
static char *encode(char *out, uint32_t character)
{
    if (character < 0x80) {
        *out++ = (char)character;
    } else if (character < 0x800) {
        *out++ = (char)(0xC0 | character >> 6);
        *out++ = (char)(0x80 | (character & 0x3F));
    } else {
        if (character < 0x10000) {
            *out++ = (char)(0xE0 | character >> 12);
        } else {
            *out++ = (char)(0xF0 | character >> 18);
            *out++ = (char)(0x80 | (character >> 12 & 0x3F));
        }
        *out++ = (char)(0x80 | (character >> 6 & 0x3F));
        *out++ = (char)(0x80 | (character & 0x3F));
    }
    return out;
}

static uint32_t four_hex_digits(const char *at)
{
    uint32_t number = 0;
    for (int i = 0; i < 4; i++)
        number = number << 4 | (uint32_t)hex_digit(at[i]);
    return number;
}

// Decodes a \u escape whose first digit is at *at, and the second half of a pair if one follows.
static uint32_t escaped_character(const char **at)
{
    uint32_t first = four_hex_digits(*at);
    *at += 4;
    if (first < 0xD800 || first > 0xDFFF)
        return first;
    if (first <= 0xDBFF && (*at)[0] == '\\' && (*at)[1] == 'u') {
        uint32_t second = four_hex_digits(*at + 2);
        if (second >= 0xDC00 && second <= 0xDFFF) {
            *at += 6;
            return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        }
    }
    return 0xFFFD;
}

bool json_string(json_value value, const char **string)
{
    if (json_kind_of(value) != JSON_STRING)
        return false;
    // Decoding never makes a string longer: the shortest escape of a character of three bytes has six.
    char *decoded = text_resize(NULL, value.length), *out = decoded;
    const char *at = value.text + 1, *end = value.text + value.length - 1;
    while (at < end) {
        if (*at != '\\') {
            *out++ = *at++;
            continue;
        }
        char kind = at[1];
        at += 2;
        uint32_t character = (unsigned char)kind;
        switch (kind) {
        case 'b': character = '\b'; break;
        case 'f': character = '\f'; break;
        case 'n': character = '\n'; break;
        case 'r': character = '\r'; break;
        case 't': character = '\t'; break;
        case 'u': character = escaped_character(&at); break;
        default: break;
        }
        if (character == 0) {
            free(decoded);
            return false;
        }
        out = encode(out, character);
    }
    *out = '\0';
    *string = decoded;
    return true;
}

bool json_number(json_value value, double *number)
{
    if (json_kind_of(value) != JSON_NUMBER)
        return false;
    // strtod reads exactly JSON's numbers here: what follows in the text is never part of one.
    double parsed = strtod(value.text, NULL);
    if (!isfinite(parsed))
        return false;
    *number = parsed;
    return true;
}

bool json_integer(json_value value, int64_t *integer)
{
    if (json_kind_of(value) != JSON_NUMBER)
        return false;
    errno = 0;
    char *end = NULL;
    long long parsed = strtoll(value.text, &end, 10);
    if (end == value.text + value.length) {
        if (errno == ERANGE)
            return false;
        *integer = parsed;
        return true;
    }
    // With a fraction or an exponent. Beyond 2^53 a double no longer tells whole numbers apart.
    double number;
    if (!json_number(value, &number) || number != trunc(number) || fabs(number) > 9007199254740992.0)
        return false;
    *integer = (int64_t)number;
    return true;
}

bool json_boolean(json_value value, bool *boolean)
{
    if (json_kind_of(value) != JSON_BOOLEAN)
        return false;
    *boolean = value.text[0] == 't';
    return true;
}

static bool name_is(json_value name, const char *wanted)
{
    if (memchr(name.text, '\\', name.length) == NULL) {
        size_t length = strlen(wanted);
        return length == name.length - 2 && memcmp(name.text + 1, wanted, length) == 0;
    }
    const char *decoded;
    return json_string(name, &decoded) && strcmp(decoded, wanted) == 0;
}

bool json_member(json_value object, const char *name, json_value *member)
{
    if (json_kind_of(object) != JSON_OBJECT)
        return false;
    json_iterator each = json_each(object);
    json_value found_name, item;
    bool found = false;
    while (json_next(&each, &found_name, &item))
        if (name_is(found_name, name)) {
            *member = item;
            found = true;
        }
    return found;
}

// Finds a member for json_get_..., or notes the problem.
static bool get(json_value object, const char *name, json_value *member)
{
    if (json_kind_of(object) != JSON_OBJECT)
        return fails("an object with the member \"%s\" is wanted", name);
    return json_member(object, name, member) || fails("the member \"%s\" is missing", name);
}

bool json_get_integer(json_value object, const char *name, int64_t *integer)
{
    json_value member;
    return get(object, name, &member)
        && (json_integer(member, integer) || fails("the member \"%s\" is not a whole number of 64 bits", name));
}

bool json_get_number(json_value object, const char *name, double *number)
{
    json_value member;
    return get(object, name, &member) && (json_number(member, number) || fails("the member \"%s\" is not a number", name));
}

bool json_get_boolean(json_value object, const char *name, bool *boolean)
{
    json_value member;
    return get(object, name, &member)
        && (json_boolean(member, boolean) || fails("the member \"%s\" is neither true nor false", name));
}

bool json_get_string(json_value object, const char *name, const char **string)
{
    json_value member;
    return get(object, name, &member)
        && (json_string(member, string) || fails("the member \"%s\" is not a string without U+0000", name));
}

static bool get_container(json_value object, const char *name, json_kind kind, json_value *container)
{
    json_value member;
    if (!get(object, name, &member))
        return false;
    if (json_kind_of(member) != kind)
        return fails("the member \"%s\" is not an %s", name, kind == JSON_ARRAY ? "array" : "object");
    *container = member;
    return true;
}

bool json_get_array(json_value object, const char *name, json_value *array)
{
    return get_container(object, name, JSON_ARRAY, array);
}

bool json_get_object(json_value object, const char *name, json_value *member)
{
    return get_container(object, name, JSON_OBJECT, member);
}
