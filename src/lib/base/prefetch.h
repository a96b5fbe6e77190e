/* Asks for memory that will be read soon, so that it has come when it is needed. Never faults. */
#ifndef TR_PREFETCH_H
#define TR_PREFETCH_H

enum { TR_CACHE_LINE = 64 };

static inline void tr_prefetch(const void *p, int lines)
{
    for (int i = 0; i < lines; i++)
        __builtin_prefetch((const char *)p + i * TR_CACHE_LINE, 1);
}

#endif
