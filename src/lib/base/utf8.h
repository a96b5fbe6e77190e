/* UTF-8 text that must fit: a cut in the middle of a character would make it something that JSON
 * cannot carry. */
#ifndef TR_UTF8_H
#define TR_UTF8_H

#include <stddef.h>
#include <string.h>

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

#endif
