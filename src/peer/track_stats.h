/* What a peer tells of one m-line: what the client sends on it, what it receives, and from where. A
 * part of struct tr_media_peer_stats (stats.h). */
#ifndef TR_TRACK_STATS_H
#define TR_TRACK_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/idtab.h"
#include "base/time.h"

enum { TR_STATS_LAYERS_MAX = 3 };

struct tr_stats_layer { /* one received RTP stream */
    uint32_t ssrc;
    uint32_t rtx_ssrc;
    char rid[17];
    uint64_t packets;
    uint64_t bytes;
    uint64_t lost;
    uint64_t rtx_packets;
    uint32_t jitter_rtp; /* RFC 3550 A.8, in clock units */
    uint32_t bitrate_bps;
    uint32_t nacks; /* packets asked for again, by us */
    uint32_t plis;  /* requests for a key frame, by us; those made as FIR included */
    uint32_t firs;
    tr_usec last_us; /* when the last packet came; 0: none yet */
};

struct tr_stats_route { /* what an m-line is sent, and which layers of it */
    bool routed;
    bool paused;
    bool simulcast; /* layers are streams of their own, */
    bool svc;       /* or spatial ones of one stream; neither: there are none */
    tr_id source_peer;
    int source_mline;
    int layer, layer_target;     /* forwarded, and to be moved to at its next key frame; -1: none */
    int temporal;                /* the highest that was forwarded of late; -1: not known */
    int layer_max, temporal_max; /* as asked for; temporal 3: all */
    int layer_bound, temporal_bound; /* what the bandwidth allows; -1: nothing, 3: all */
};

struct tr_stats_track {
    bool used;
    bool video;
    char mid[33];
    char codec[16];
    uint8_t pt;
    uint8_t rtx_pt;
    uint32_t clock_rate;
    int layers_count;
    struct tr_stats_layer layers[TR_STATS_LAYERS_MAX]; /* what the client sends */
    bool sending;                                      /* what it receives: */
    uint32_t out_ssrc;
    uint32_t out_rtx_ssrc;
    uint64_t out_packets;
    uint64_t out_bytes;
    uint64_t out_rtx_packets;
    uint32_t out_bitrate_bps;
    uint32_t out_nacks; /* received from the client */
    uint32_t out_plis;  /* likewise; FIRs included */
    uint32_t out_firs;
    uint32_t remote_lost; /* from its receiver reports */
    uint8_t remote_fraction_lost;
    uint32_t remote_jitter_rtp;
    tr_usec rtt_us; /* 0: unknown */
    struct tr_stats_route route;
};

#endif
