/* A call in memory: the index over a journal's packets, sorted and without duplicates. Payloads
 * stay in the mapped files. A track is split in parts at a change of SSRC or a jump of its
 * timestamps; within a part sequence numbers and timestamps are unwrapped and comparable. */
#ifndef TR_RENDER_LOAD_H
#define TR_RENDER_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"
#include "payload/codec.h"
#include "record/meta.h"
#include "record/reader.h"
#include "rtp/rtp.h"

enum rn_limits {
    RN_PARTS_MAX = 64, /* of one track; packets of more are dropped and counted */
    RN_PACKETS_MAX = 20000000,
    RN_SRS_MAX = 100000, /* of one part */
    RN_MUTES_MAX = 1024, /* of one track */
    RN_PIECES_MAX = 16,  /* of one part's time line */
    RN_HOURS_MAX = 24
};

struct rn_packet {
    int64_t seq, ts; /* unwrapped */
    tr_usec recv_us;
    const uint8_t *p; /* payload, without header and padding */
    uint16_t len;
    uint8_t pt;
    bool marker;
};

struct rn_sr {
    int64_t ts;     /* unwrapped like the packets' */
    int64_t ntp_us; /* sender's wall clock */
    tr_usec recv_us;
};

struct rn_piece { /* from_ts .. next piece: time = t0_us + (ts - ts0) * us_per_tick */
    int64_t from_ts, ts0;
    double t0_us, us_per_tick;
    bool sr;
};

struct rn_part {
    uint32_t ssrc;
    struct rn_packet *packets;
    uint32_t count, size;
    struct rn_sr *srs;
    uint32_t sr_count, sr_size;
    struct rn_piece pieces[RN_PIECES_MAX]; /* set by rn_timeline_solve */
    uint32_t piece_count;
    struct tr_unwrap seq_unwrap, ts_unwrap; /* while loading */
    int64_t newest_seq, newest_ts;
    tr_usec newest_recv;
};

struct rn_mute {
    tr_usec at_us; /* recv time */
    bool muted;
};

struct rn_track {
    uint16_t id;
    struct tr_meta meta;
    enum tr_codec codec;
    struct rn_part *parts[RN_PARTS_MAX];
    uint32_t part_count;
    struct rn_mute *mutes;
    uint32_t mute_count;
    uint64_t packets, lost, duplicates, dropped;
    double drift_ppm;
    bool sync_sr;
};

struct rn_call {
    struct tr_reader *reader;
    struct tr_segment segment; /* the first header, zero when all are damaged */
    struct rn_track *tracks[TR_JOURNAL_TRACKS_MAX];
    uint32_t track_count;
    tr_usec start_us, end_us; /* first and last record */
    int64_t start_wall_us;
    uint64_t packets;
};

/* Errors as tr_reader_open(); UNSUPPORTED: end-to-end encrypted; NOTFOUND: no record at all;
 * LIMIT: longer than RN_HOURS_MAX or too many packets. */
TR_MUST_USE enum tr_err rn_load(struct rn_call **out, const char *const *paths, uint32_t count);
void rn_call_free(struct rn_call *call); /* NULL is fine */

#endif
