/* UTF-8 text that must fit: a cut in the middle of a character would make it something that JSON
 * cannot carry. */
#ifndef TR_UTF8_H
#define TR_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/slice.h"

/* Copies as many whole characters of `from`, which is UTF-8, as fit with their NUL into `to`.
 * size > 0. */
static inline void tr_utf8_copy(char *to, size_t size, const char *from)
{
    size_t n = strlen(from);
    if (n >= size) {
        n = size - 1;
        while (n > 0 && ((unsigned char)from[n] & 0xc0) == 0x80)
            n--;
    }
    memcpy(to, from, n);
    to[n] = '\0';
}

/* Whether the bytes are UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing cut off. */
bool tr_utf8_valid(struct tr_slice text);

#endif
