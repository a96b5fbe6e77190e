/* Sums over the m-lines of a peer. Loss is told as a part of what should have come since the sample
 * before; the other side's reports are seconds old, so that may be a little late. */
#include "ops/sample.h"

const char *const ops_metric_names[OPS_METRICS] = {
    [OPS_RTT_US] = "rtt_us",
    [OPS_JITTER_IN_US] = "jitter_in_us",
    [OPS_JITTER_OUT_US] = "jitter_out_us",
    [OPS_LOSS_IN_PPM] = "loss_in_ppm",
    [OPS_LOSS_OUT_PPM] = "loss_out_ppm",
    [OPS_AUDIO_IN_BPS] = "audio_in_bps",
    [OPS_VIDEO_IN_BPS] = "video_in_bps",
    [OPS_AUDIO_OUT_BPS] = "audio_out_bps",
    [OPS_VIDEO_OUT_BPS] = "video_out_bps",
    [OPS_ESTIMATE_BPS] = "estimate_bps",
    [OPS_NACKS_IN] = "nacks_in",
    [OPS_NACKS_OUT] = "nacks_out",
    [OPS_PLIS_IN] = "plis_in",
    [OPS_PLIS_OUT] = "plis_out",
    [OPS_RTX_OUT] = "retransmitted",
};

static uint32_t known(uint64_t value)
{
    return value < OPS_UNKNOWN ? (uint32_t)value : OPS_UNKNOWN - 1;
}

static void at_least(uint32_t *to, uint64_t value)
{
    if (*to == OPS_UNKNOWN || value > *to)
        *to = known(value);
}

static void add(uint32_t *to, uint64_t value)
{
    *to = known((*to == OPS_UNKNOWN ? 0 : *to) + value);
}

static uint64_t ticks_us(uint32_t ticks, uint32_t clock_rate)
{
    return clock_rate ? (uint64_t)ticks * 1000000 / clock_rate : 0;
}

static void measure_in(const struct tr_stats_track *t, struct ops_totals *sums,
                       struct ops_sample *out)
{
    for (int i = 0; i < t->layers_count && i < TR_STATS_LAYERS_MAX; i++) {
        const struct tr_stats_layer *l = &t->layers[i];
        sums->rtp_in += l->packets;
        sums->lost_in += l->lost;
        sums->count[OPS_NACKS_OUT - OPS_GAUGES] += l->nacks;
        sums->count[OPS_PLIS_OUT - OPS_GAUGES] += l->plis;
        add(&out->v[t->video ? OPS_VIDEO_IN_BPS : OPS_AUDIO_IN_BPS], l->bitrate_bps);
        if (l->packets > 0)
            at_least(&out->v[OPS_JITTER_IN_US], ticks_us(l->jitter_rtp, t->clock_rate));
    }
}

static void measure_out(const struct tr_stats_track *t, struct ops_totals *sums,
                        struct ops_sample *out)
{
    if (!t->sending)
        return;
    sums->rtp_out += t->out_packets;
    sums->lost_out += t->remote_lost;
    sums->count[OPS_NACKS_IN - OPS_GAUGES] += t->out_nacks;
    sums->count[OPS_PLIS_IN - OPS_GAUGES] += t->out_plis;
    sums->count[OPS_RTX_OUT - OPS_GAUGES] += t->out_rtx_packets;
    add(&out->v[t->video ? OPS_VIDEO_OUT_BPS : OPS_AUDIO_OUT_BPS], t->out_bitrate_bps);
    if (t->rtt_us > 0) {
        at_least(&out->v[OPS_RTT_US], (uint64_t)t->rtt_us);
        at_least(&out->v[OPS_JITTER_OUT_US], ticks_us(t->remote_jitter_rtp, t->clock_rate));
    }
}

/* A count that has become less is of streams that are new: it began anew. */
static uint64_t since(uint64_t now, uint64_t before)
{
    return now >= before ? now - before : now;
}

static uint32_t lost_ppm(uint64_t lost, uint64_t packets)
{
    uint64_t all = lost + packets;
    return all > 0 ? (uint32_t)(lost * 1000000 / all) : OPS_UNKNOWN;
}

/* Repairs take back what was counted as lost. */
static uint64_t newly_lost(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

static void compare(const struct ops_totals *now, const struct ops_totals *before,
                    struct ops_sample *out)
{
    uint64_t out_packets = since(now->rtp_out, before->rtp_out);
    uint64_t out_lost = newly_lost(now->lost_out, before->lost_out);
    out->v[OPS_LOSS_IN_PPM] =
        lost_ppm(newly_lost(now->lost_in, before->lost_in), since(now->rtp_in, before->rtp_in));
    out->v[OPS_LOSS_OUT_PPM] =
        out->v[OPS_RTT_US] == OPS_UNKNOWN /* no report came yet */
            ? OPS_UNKNOWN
            : lost_ppm(out_lost, out_packets > out_lost ? out_packets - out_lost : 0);
    for (int i = OPS_GAUGES; i < OPS_METRICS; i++)
        out->v[i] = known(since(now->count[i - OPS_GAUGES], before->count[i - OPS_GAUGES]));
}

void ops_measure(const struct tr_media_peer_stats *stats, int64_t at_ms, struct ops_totals *before,
                 struct ops_sample *out)
{
    struct ops_totals now = {
        .packets_in = stats->packets_in,
        .bytes_in = stats->bytes_in,
        .packets_out = stats->packets_out,
        .bytes_out = stats->bytes_out,
    };
    out->at_ms = at_ms;
    for (int i = 0; i < OPS_METRICS; i++)
        out->v[i] = OPS_UNKNOWN;
    for (int i = 0; i < TR_DROP_COUNT; i++)
        now.drops[i] = stats->drops[i];
    for (int i = 0; i < stats->tracks_count && i < TR_STATS_TRACKS_MAX; i++) {
        if (!stats->tracks[i].used)
            continue;
        measure_in(&stats->tracks[i], &now, out);
        measure_out(&stats->tracks[i], &now, out);
    }
    if (stats->bandwidth.known)
        out->v[OPS_ESTIMATE_BPS] = known(stats->bandwidth.estimate_bps);
    compare(&now, before, out);
    *before = now;
}

void ops_mean_add(struct ops_mean means[OPS_GAUGES], const struct ops_sample *sample)
{
    for (int i = 0; i < OPS_GAUGES; i++) {
        if (sample->v[i] == OPS_UNKNOWN)
            continue;
        means[i].sum += sample->v[i];
        means[i].count++;
        if (sample->v[i] > means[i].max)
            means[i].max = sample->v[i];
    }
}

json_t *ops_means_json(const struct ops_mean means[OPS_GAUGES])
{
    json_t *o = json_object();
    for (int i = 0; i < OPS_GAUGES; i++) {
        if (means[i].count > 0)
            json_object_set_new(o, ops_metric_names[i],
                                json_pack("{s:I, s:I}", "mean",
                                          (json_int_t)(means[i].sum / means[i].count), "max",
                                          (json_int_t)means[i].max));
    }
    return o;
}

json_t *ops_totals_json(const struct ops_totals *t)
{
    json_t *drops = json_object();
    json_t *o =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "packets_in",
                  (json_int_t)t->packets_in, "bytes_in", (json_int_t)t->bytes_in, "packets_out",
                  (json_int_t)t->packets_out, "bytes_out", (json_int_t)t->bytes_out, "rtp_in",
                  (json_int_t)t->rtp_in, "lost_in", (json_int_t)t->lost_in, "rtp_out",
                  (json_int_t)t->rtp_out, "lost_out", (json_int_t)t->lost_out, "drops", drops);
    for (int i = OPS_GAUGES; i < OPS_METRICS; i++)
        json_object_set_new(o, ops_metric_names[i],
                            json_integer((json_int_t)t->count[i - OPS_GAUGES]));
    for (int i = 0; i < TR_DROP_COUNT; i++) {
        if (t->drops[i] > 0)
            json_object_set_new(drops, tr_drop_name((enum tr_drop)i),
                                json_integer((json_int_t)t->drops[i]));
    }
    return o;
}

json_t *ops_sample_json(const struct ops_sample *sample)
{
    json_t *o = json_object();
    for (int i = 0; i < OPS_METRICS; i++)
        json_object_set_new(o, ops_metric_names[i],
                            sample->v[i] == OPS_UNKNOWN ? json_null() : json_integer(sample->v[i]));
    return o;
}
