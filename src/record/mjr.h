/* Journals to .mjr files, one a track, for tools that were made for Janus' recordings
 * (janus-pp-rec, mjr2pcap). Made of a journal that has ended, so recording costs nothing more.
 *   "MJR00002"  u16 length, JSON {"t","c","s","u"}  then frames: "MEET" u32 ms since the first,
 *   u16 length, RTP packet. All integers in network byte order. */
#ifndef TR_MJR_H
#define TR_MJR_H

#include <stdint.h>

#include "base/err.h"

struct tr_reader;

/* Each track whose META has a name in `mjr` (meta.h) becomes that file; its folder is made when
 * only the last part is missing. Files that exist are replaced, whole or not at all. dir not NULL:
 * every track becomes dir/<label>-<kind>-<track>.mjr instead. *files: how many were made.
 * IO: one at least could not be written, *failed says which (static until the next call). */
TR_MUST_USE enum tr_err tr_mjr_export(struct tr_reader *reader, const char *dir, uint32_t *files,
                                      const char **failed);

#endif
