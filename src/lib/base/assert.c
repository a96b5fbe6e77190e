/* A broken invariant ends the process: carrying on would corrupt calls in silence. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void tr_assert_fail(const char *expr, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
    abort();
}
