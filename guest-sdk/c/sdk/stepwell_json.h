// JSON for tasks in C: reading without copying, writing without a tree.
//
// Reading: a json_value is a piece of a text that has been checked once, in json_parse. Nothing is decoded before it
// is asked for. Writing: a json_writer appends to a text and puts the commas.

#ifndef STEPWELL_JSON_H
#define STEPWELL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Arrays and objects nested deeper than this are refused.
#define JSON_MAX_DEPTH 512

// A value: a piece of a checked JSON text, without the space around it.
typedef struct {
    const char *text;
    size_t length;
} json_value;

typedef enum { JSON_NULL, JSON_BOOLEAN, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } json_kind;

// Checks a text that ends with a NUL character. Returns false if it is not one JSON value; then json_problem says why.
// The value refers to the text, which must stay.
bool json_parse(const char *text, json_value *value);

// Returns what kind of value it is.
json_kind json_kind_of(json_value value);

// Finds an object's member by name; of several with one name, the last. Returns false if there is none, and if the
// value is no object.
bool json_member(json_value object, const char *name, json_value *member);

// Goes through an array or object:
//
//     json_iterator each = json_each(list);
//     json_value item;
//     while (json_next(&each, NULL, &item)) { ... }
//
// For an object, `name` (unless NULL) is each member's name, a JSON string. Other kinds have nothing to go through.
typedef struct {
    const char *next;
    const char *end;
    bool named;
} json_iterator;
json_iterator json_each(json_value container);
bool json_next(json_iterator *each, json_value *name, json_value *item);

// Decode a value. They return false and leave the target alone if the value is of another kind or does not fit:
// an integer may be written as 3, 3.0 or 3e0, but must be whole and within the type; a number must be finite; a string
// must not hold the character U+0000, because C's end with it. A lone half of a surrogate pair becomes U+FFFD.
bool json_integer(json_value value, int64_t *integer);
bool json_number(json_value value, double *number);
bool json_boolean(json_value value, bool *boolean);
bool json_string(json_value value, const char **string);

// The same for an object's member. If they return false, json_problem says what is missing or does not fit.
bool json_get_integer(json_value object, const char *name, int64_t *integer);
bool json_get_number(json_value object, const char *name, double *number);
bool json_get_boolean(json_value object, const char *name, bool *boolean);
bool json_get_string(json_value object, const char *name, const char **string);
bool json_get_array(json_value object, const char *name, json_value *array);
bool json_get_object(json_value object, const char *name, json_value *member);

// Returns what json_parse or the last json_get_... that returned false missed.
const char *json_problem(void);

// A JSON text that is being written. Begin with `json_writer out = {0};`. The text ends with a NUL character.
typedef struct {
    char *text;
    size_t length;
    size_t capacity;
    bool comma; // Whether a comma must stand before the next value.
} json_writer;

void json_begin_object(json_writer *out);
void json_end_object(json_writer *out);
void json_begin_array(json_writer *out);
void json_end_array(json_writer *out);

// Writes the name of the member whose value is written next.
void json_name(json_writer *out, const char *name);

// Write a value. Bytes that are not UTF-8 become U+FFFD; a number that is not finite becomes null, as JSON has none.
void json_put_null(json_writer *out);
void json_put_boolean(json_writer *out, bool boolean);
void json_put_integer(json_writer *out, int64_t integer);
void json_put_number(json_writer *out, double number);
void json_put_string(json_writer *out, const char *string);
void json_put_value(json_writer *out, json_value value);

#endif
