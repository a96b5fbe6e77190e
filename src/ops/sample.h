/* From the statistics of a peer to a sample: a few numbers at one moment. Pure. */
#ifndef TR_OPS_SAMPLE_H
#define TR_OPS_SAMPLE_H

#include <jansson.h>
#include <stdint.h>

#include "peer/stats.h"

/* in: what the client sends; out: what it receives. */
enum ops_metric {
    OPS_RTT_US,
    OPS_JITTER_IN_US,
    OPS_JITTER_OUT_US, /* as the client reports it */
    OPS_LOSS_IN_PPM,   /* since the sample before, of all streams; what was repaired is not lost */
    OPS_LOSS_OUT_PPM,
    OPS_AUDIO_IN_BPS,
    OPS_VIDEO_IN_BPS,
    OPS_AUDIO_OUT_BPS,
    OPS_VIDEO_OUT_BPS,
    OPS_ESTIMATE_BPS,
    OPS_GAUGES,                /* from here on: counts since the sample before */
    OPS_NACKS_IN = OPS_GAUGES, /* packets that the client asked for again */
    OPS_NACKS_OUT,
    OPS_PLIS_IN, /* key frames that the client asked for */
    OPS_PLIS_OUT,
    OPS_RTX_OUT,
    OPS_METRICS
};

#define OPS_UNKNOWN UINT32_MAX

extern const char *const ops_metric_names[OPS_METRICS]; /* as in JSON, with the unit */

struct ops_sample {
    int64_t at_ms; /* Unix */
    uint32_t v[OPS_METRICS];
};

struct ops_totals {                                        /* since the PeerConnection began */
    uint64_t packets_in, bytes_in, packets_out, bytes_out; /* datagrams of all kinds */
    uint64_t rtp_in, lost_in, rtp_out, lost_out;
    uint64_t count[OPS_METRICS - OPS_GAUGES];
    uint64_t drops[TR_DROP_COUNT];
};

/* before: as the sample before left it; zeroed at first. It becomes what is now. */
void ops_measure(const struct tr_media_peer_stats *stats, int64_t at_ms, struct ops_totals *before,
                 struct ops_sample *out);

struct ops_mean { /* of the samples where it was known */
    uint64_t sum;
    uint32_t count, max;
};

void ops_mean_add(struct ops_mean means[OPS_GAUGES], const struct ops_sample *sample);
/* {"rtt_us":{"mean","max"},...}; what was never known is left out. New reference. */
json_t *ops_means_json(const struct ops_mean means[OPS_GAUGES]);
json_t *ops_totals_json(const struct ops_totals *totals);
/* {"rtt_us":12000,...}; unknown is null. */
json_t *ops_sample_json(const struct ops_sample *sample);

#endif
