/* What the process may do while it decodes what strangers sent: no network, no other programs, a
 * bounded heap and bounded CPU time. */
#ifndef TR_RENDER_LIMITS_H
#define TR_RENDER_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

/* At once, for the whole process. */
void rn_limits_start(void);
/* Once the length is known: the CPU time that rendering may take. */
void rn_limits_cpu(int64_t duration_us);

#endif
