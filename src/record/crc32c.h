/* CRC-32C (Castagnoli; RFC 3720 appendix B.4): reflected, start and end inverted.
 * crc32c("123456789") = 0xe3069283. Uses SSE 4.2's instruction where the CPU has it. */
#ifndef TR_RECORD_CRC32C_H
#define TR_RECORD_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Start with crc 0; pass the result back in to go on. */
uint32_t tr_crc32c(uint32_t crc, const void *p, size_t n);
uint32_t tr_crc32c_portable(uint32_t crc, const void *p, size_t n); /* the fallback, for tests */

#endif
