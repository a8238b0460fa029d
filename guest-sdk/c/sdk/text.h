// What the SDK's files share: memory and UTF-8. No part of the interface for tasks.

#ifndef STEPWELL_TEXT_H
#define STEPWELL_TEXT_H

#include <stddef.h>

// As realloc, but ends the call if there is no memory.
void *text_resize(void *memory, size_t bytes);

// Returns the number of bytes (1 to 4) of the UTF-8 character that begins at `text`, or 0 if none does. Reads `bytes`
// bytes at most.
size_t text_character(const char *text, size_t bytes);

// Returns the text if it is UTF-8, otherwise a copy with U+FFFD for every byte that belongs to no character. The host
// traps at anything else.
const char *text_utf8(const char *text);

#endif
