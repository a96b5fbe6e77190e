/* The input is a script: time passes, packets are sent, feedback arrives. The feedback is raw FCI
 * bytes, so that the reader of transport-cc is part of what is fuzzed. */
#include "base/assert.h"
#include "bwe/bwe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum op { WAIT, SEND, FEEDBACK, WANT, REMB, REPORT, OPS };

static struct tr_twcc_item items[TR_BWE_HISTORY_MAX];

static void feedback(struct tr_bwe *b, tr_usec now, struct tr_rd *rd)
{
    struct tr_rtcp_fb fb = { .fci = tr_rd_take(rd, tr_rd_u8(rd)) };
    struct tr_twcc_fb twcc;
    if (!rd->bad && tr_twcc_read(&fb, &twcc, items, TR_BWE_HISTORY_MAX) == TR_OK)
        tr_bwe_feedback(b, now, &twcc, items);
}

static void check(const struct tr_bwe *b)
{
    struct tr_bwe_stats stats;
    tr_bwe_stats(b, &stats);
    TR_ASSERT(stats.target_bps >= TR_BWE_MIN_BPS && stats.target_bps <= 100000000);
    TR_ASSERT(stats.probes_good <= stats.probes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tr_rd rd = tr_rd(tr_slice(data, size));
    uint8_t first = tr_rd_u8(&rd);
    struct tr_bwe_conf conf = { .transport_cc = (first & 1) == 0, .can_probe = (first & 2) == 0 };
    tr_usec now = TR_SECOND;
    struct tr_bwe_history history;
    struct tr_bwe *b = tr_bwe_create(&conf, &history, now);
    struct tr_bwe_history *h = history.ring ? &history : NULL;
    while (b && !rd.bad && tr_rd_left(&rd) > 0) {
        uint8_t what = tr_rd_u8(&rd);
        uint32_t n = what / OPS;
        switch ((enum op)(what % OPS)) {
        case WAIT: now += (tr_usec)n * n * 331; break;
        case SEND:
            for (uint32_t i = 0; h && i < n; i++)
                (void)tr_bwe_sent(h, now += 10, (uint16_t)(40 * n));
            break;
        case FEEDBACK: feedback(b, now, &rd); break;
        case WANT: tr_bwe_want(b, now, n * n * n * 1000); break;
        case REMB: tr_bwe_remb(b, now, tr_rd_u32(&rd)); break;
        case REPORT:
            tr_bwe_report(b, now, tr_rd_u16(&rd), tr_rd_u16(&rd));
            tr_bwe_send_rate(b, n * 100000);
            break;
        case OPS: break;
        }
        if (now >= tr_bwe_next_timeout(b))
            tr_bwe_timeout(b, now);
        for (int i = 0; h && tr_bwe_probe(b, now) > 0 && i < 10000; i++)
            (void)tr_bwe_sent(h, now, 280);
        TR_ASSERT(tr_bwe_next_timeout(b) > now);
        check(b);
    }
    tr_bwe_destroy(b);
    return 0;
}
