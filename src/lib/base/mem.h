/* The heap, counted. All our own allocations go through here so that tests can see leaks and fail
 * the Nth allocation; libraries (OpenSSL, jansson ...) keep their own.
 * Thread safe. Counters are process wide. */
#ifndef TR_MEM_H
#define TR_MEM_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed memory, or NULL. n > 0. */
void *tr_alloc(size_t n) __attribute__((malloc, alloc_size(1)));
/* NULL is fine. */
void tr_free(void *p);
/* A copy of a NUL-terminated string, or NULL. */
char *tr_strdup(const char *s) __attribute__((malloc));
/* Grows or shrinks a block of tr_alloc; new bytes are zero; NULL leaves the old block as it was. */
void *tr_realloc(void *p, size_t n);

size_t tr_mem_in_use(void);   /* bytes handed out and not freed */
uint64_t tr_mem_allocs(void); /* allocations since the start */
/* Tests: let n more allocations succeed and fail all after them; UINT64_MAX turns it off. */
void tr_mem_fail_after(uint64_t n);

#endif
