/* Any text parses or is refused with a reason. What parses can be answered and relayed, and what we
 * write parses again: unless it grew above the parser's own limits. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/assert.h"
#include "sdp/negotiate.h"
#include "sdp/offer.h"
#include "sdp/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct tr_sdp_local_media streams[] = { { 1, 2 }, { 3, 4 }, { 5, 0 } };
static const char *const cands[] = { "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host" };
static const struct tr_sdp_local us = {
    .id = 1,
    .version = 1,
    .name = "Tring",
    .stream = "janus",
    .ufrag = "abcd",
    .pwd = "0123456789012345678901",
    .fingerprint = { .hash = TR_SDP_SHA256, .len = 32 },
    .setup = TR_SDP_PASSIVE,
    .ice_lite = true,
    .trickle = true,
    .end_of_cands = true,
    .cand_count = 1,
    .cands = cands,
    .media_count = 3,
    .media = streams,
};

static struct tr_sdp *again(struct tr_arena *arena, const struct tr_sdp *sdp)
{
    char *text;
    struct tr_sdp *out;
    const char *reason;
    if (tr_sdp_text(arena, sdp, &text))
        abort();
    enum tr_err err = tr_sdp_parse(arena, tr_slice_str(text), &out, &reason);
    if (err && err != TR_ERR_LIMIT && tr_sdp_tag(sdp) >= 0)
        abort();
    return out;
}

static void params(const struct tr_sdp *local, const struct tr_sdp *remote)
{
    struct tr_sdp_media_params p;
    for (unsigned i = 0; i < local->media_count; i++)
        tr_sdp_media_params(local, remote, i, i & 1, &p);
}

/* The same text as the answer to an offer of our own, whatever m-lines it has. */
static void as_answer(struct tr_arena *arena, const struct tr_sdp *answer)
{
    static const enum tr_codec codecs[] = { TR_CODEC_VP8, TR_CODEC_H264, TR_CODEC_VP9 };
    struct tr_sdp_offer_line lines[TR_SDP_MEDIA_MAX];
    struct tr_sdp *offer, *next;
    const char *reason;
    for (unsigned i = 0; i < answer->media_count; i++) {
        enum tr_sdp_kind kind = answer->media[i].kind;
        lines[i] = kind == TR_SDP_AUDIO ? tr_sdp_offer_line(kind, TR_CODEC_OPUS)
                                        : tr_sdp_offer_line(kind, codecs[i % 3]);
        lines[i].mid = answer->media[i].mid[0] ? answer->media[i].mid : NULL;
    }
    enum tr_err err = tr_sdp_offer(arena, lines, answer->media_count, NULL, &us, &offer);
    TR_ASSERT(!err || err == TR_ERR_INVAL);
    if (err)
        return;
    (void)again(arena, offer);
    if (tr_sdp_check_answer(offer, answer, &reason) == TR_OK)
        params(offer, answer);
    TR_ASSERT(!tr_sdp_offer(arena, lines, answer->media_count, offer, &us, &next));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tr_arena *arena = tr_arena_create(16 * TR_SDP_ARENA_MAX);
    struct tr_sdp_policy policy = tr_sdp_policy_default();
    struct tr_sdp *offer, *answer, *relay, *back;
    const char *reason = NULL;
    enum tr_err err = tr_sdp_parse(arena, tr_slice(data, size), &offer, &reason);
    TR_ASSERT((err != TR_OK) == (reason != NULL) && (err != TR_OK) == (offer == NULL));
    if (!err) {
        (void)again(arena, offer);
        as_answer(arena, offer);
        TR_ASSERT(!tr_sdp_answer(arena, offer, &policy, &us, &answer));
        params(answer, offer);
        TR_ASSERT(!tr_sdp_relay_offer(arena, offer, NULL, &policy, &us, &relay));
        (void)again(arena, answer);
        struct tr_sdp *b_offer = again(arena, relay);
        if (b_offer) {
            TR_ASSERT(!tr_sdp_answer(arena, b_offer, &policy, &us, &answer));
            params(relay, answer);
            TR_ASSERT(!tr_sdp_relay_answer(arena, offer, answer, &policy, &us, &back));
            params(back, offer);
            (void)again(arena, back);
            /* B offers anew: the m-lines are in step by construction, so this continues the call */
            TR_ASSERT(!tr_sdp_relay_offer(arena, answer, back, &policy, &us, &relay));
            (void)again(arena, relay);
        }
    }
    tr_arena_destroy(arena);
    return 0;
}
