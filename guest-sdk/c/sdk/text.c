#include "text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *text_resize(void *memory, size_t bytes)
{
    void *resized = realloc(memory, bytes > 0 ? bytes : 1);
    if (resized == NULL)
        __builtin_trap();
    return resized;
}

size_t text_character(const char *text, size_t bytes)
{
    const unsigned char *at = (const unsigned char *)text;
    if (bytes == 0)
        return 0;
    if (at[0] < 0x80)
        return 1;
    // The table of RFC 3629: the second byte's bounds keep out overlong forms, surrogates and what is past U+10FFFF.
    size_t length = at[0] >= 0xC2 && at[0] <= 0xDF ? 2 : at[0] >= 0xE0 && at[0] <= 0xEF ? 3 : at[0] >= 0xF0 && at[0] <= 0xF4 ? 4 : 0;
    if (length == 0 || length > bytes)
        return 0;
    unsigned char low = at[0] == 0xE0 ? 0xA0 : at[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = at[0] == 0xED ? 0x9F : at[0] == 0xF4 ? 0x8F : 0xBF;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (at[i] < 0x80 || at[i] > 0xBF)
            return 0;
    return length;
}

const char *text_utf8(const char *text)
{
    size_t bytes = strlen(text);
    size_t good = 0, step;
    while (good < bytes && (step = text_character(text + good, bytes - good)) > 0)
        good += step;
    if (good == bytes)
        return text;

    char *copy = text_resize(NULL, bytes * 3 + 1);
    size_t length = 0;
    for (size_t i = 0; i < bytes;) {
        step = text_character(text + i, bytes - i);
        memcpy(copy + length, step > 0 ? text + i : "\xEF\xBF\xBD", step > 0 ? step : 3);
        length += step > 0 ? step : 3;
        i += step > 0 ? step : 1;
    }
    copy[length] = '\0';
    return copy;
}
