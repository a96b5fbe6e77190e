/* Goal: what the server offers on its own account is a description that clients take: numbers
 * that mean one thing, m-lines that stay where they were, nothing that a client has put into it.
 * Method: offers are written, parsed again, looked at; a client is played by our own answerer. */
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/mem.h"
#include "sdp/choose.h"
#include "sdp/offer.h"
#include "sdp/write.h"
#include "unit.h"

static struct tr_arena *arena;

static struct tr_sdp_local local_side(void)
{
    static struct tr_sdp_local_media streams[TR_SDP_MEDIA_MAX];
    for (unsigned i = 0; i < TR_SDP_MEDIA_MAX; i++)
        streams[i] = (struct tr_sdp_local_media){ 1000 + i, 2000 + i };
    return (struct tr_sdp_local){
        .id = 77,
        .version = 3,
        .name = "Tring",
        .stream = "janus",
        .ufrag = "usfr",
        .pwd = "0123456789012345678901",
        .fingerprint = { .hash = TR_SDP_SHA256, .len = 32, .bytes = { 0xab, 0xcd } },
        .setup = TR_SDP_PASSIVE,
        .ice_lite = true,
        .trickle = true,
        .end_of_cands = true,
        .media_count = TR_SDP_MEDIA_MAX,
        .media = streams,
    };
}

static enum tr_err try_offer(const struct tr_sdp_offer_line *lines, unsigned count,
                             const struct tr_sdp *prev, struct tr_sdp **out)
{
    struct tr_sdp_local us = local_side();
    if (!arena)
        arena = tr_arena_create(16 * TR_SDP_ARENA_MAX);
    return tr_sdp_offer(arena, lines, count, prev, &us, out);
}

/* The offer as the other side reads it. */
static struct tr_sdp *read_by_client(const struct tr_sdp *sdp)
{
    struct tr_sdp *out = NULL;
    const char *reason;
    char *text = NULL;
    CHECK_INT(tr_sdp_text(arena, sdp, &text), TR_OK);
    if (text && !CHECK(tr_sdp_parse(arena, tr_slice_str(text), &out, &reason) == TR_OK))
        unit_note("    %s\n%s", reason, text);
    return out;
}

static struct tr_sdp *offer_after(const struct tr_sdp *prev, const struct tr_sdp_offer_line *lines,
                                  unsigned count)
{
    struct tr_sdp *out;
    CHECK_INT(try_offer(lines, count, prev, &out), TR_OK);
    return out;
}

static struct tr_sdp *offer(const struct tr_sdp_offer_line *lines, unsigned count)
{
    return offer_after(NULL, lines, count);
}

static struct tr_sdp *answered(const struct tr_sdp *offer)
{
    struct tr_sdp *out;
    struct tr_sdp_policy policy = tr_sdp_policy_default();
    struct tr_sdp_local them = local_side();
    CHECK_INT(tr_sdp_answer(arena, offer, &policy, &them, &out), TR_OK);
    return read_by_client(out);
}

static struct tr_sdp_offer_line audio(void)
{
    struct tr_sdp_offer_line line = tr_sdp_offer_line(TR_SDP_AUDIO, TR_CODEC_OPUS);
    line.pt = 111;
    line.fmtp = "useinbandfec=1";
    return line;
}

static struct tr_sdp_offer_line video(enum tr_codec codec, uint8_t pt, const char *fmtp)
{
    struct tr_sdp_offer_line line = tr_sdp_offer_line(TR_SDP_VIDEO, codec);
    line.pt = pt;
    line.fmtp = fmtp;
    return line;
}

static void end(void)
{
    tr_arena_destroy(arena);
    arena = NULL;
}

TEST(offer_of_one_publisher)
{
    struct tr_sdp_offer_line lines[] = { audio(), video(TR_CODEC_VP8, 96, NULL),
                                         tr_sdp_offer_line(TR_SDP_DATA, TR_CODEC_NONE) };
    struct tr_sdp *s = read_by_client(offer(lines, 3));
    const struct tr_sdp_media *a = &s->media[0], *v = &s->media[1], *d = &s->media[2];
    CHECK_INT(s->media_count, 3);
    CHECK(s->ice_lite);
    CHECK_INT(a->dir, TR_SDP_SEND);
    CHECK_STR(a->mid, "0");
    CHECK_STR(a->msid, "janus janus0");
    CHECK_INT(a->codec_count, 1);
    CHECK_INT(a->codecs[0].pt, 111);
    CHECK_INT(a->codecs[0].codec, TR_CODEC_OPUS);
    CHECK_STR(a->codecs[0].fmtp, "useinbandfec=1");
    CHECK_INT(a->codecs[0].feedback, TR_SDP_FB_TWCC);
    CHECK_INT(a->transport.setup, TR_SDP_ACTPASS);
    CHECK_STR(v->mid, "1");
    CHECK_INT(v->codec_count, 2);
    CHECK_INT(v->codecs[0].pt, 96);
    CHECK_INT(v->codecs[1].codec, TR_CODEC_RTX);
    CHECK_INT(v->codecs[1].apt, 96);
    CHECK(v->codecs[0].feedback & TR_SDP_FB_PLI);
    CHECK_INT(v->ssrcs[0].ssrc, 1001);
    CHECK_INT(v->groups[0].ssrc[1], 2001);
    CHECK_INT(d->kind, TR_SDP_DATA);
    CHECK_INT(d->sctp_port, 5000);
    end();
}

TEST(offer_numbers_mean_one_thing)
{
    /* four publishers who all call their video 96 */
    struct tr_sdp_offer_line lines[] = { video(TR_CODEC_VP8, 96, NULL),
                                         video(TR_CODEC_VP9, 96, "profile-id=0"),
                                         video(TR_CODEC_VP9, 96, "profile-id=2"),
                                         video(TR_CODEC_VP8, 120, NULL) };
    struct tr_sdp *s = read_by_client(offer(lines, 4));
    CHECK_INT(s->media[0].codecs[0].pt, 96);
    CHECK_INT(s->media[3].codecs[0].pt, 96);
    CHECK_INT(s->media[3].codecs[1].pt, s->media[0].codecs[1].pt);
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < 4; k++)
            for (unsigned n = 0; n < s->media[k].codec_count; n++) {
                const struct tr_sdp_codec *c = &s->media[k].codecs[n];
                const struct tr_sdp_codec *same = tr_sdp_codec_by_pt(&s->media[i], c->pt);
                CHECK(!same || (same->codec == c->codec && same->profile == c->profile &&
                                same->apt == c->apt));
            }
    end();
}

TEST(offer_static_and_odd_numbers)
{
    struct tr_sdp_offer_line lines[] = { tr_sdp_offer_line(TR_SDP_AUDIO, TR_CODEC_PCMU),
                                         tr_sdp_offer_line(TR_SDP_AUDIO, TR_CODEC_OPUS),
                                         video(TR_CODEC_H264, 72, "profile-level-id=42e01f") };
    lines[1].pt = 0;
    struct tr_sdp *s = read_by_client(offer(lines, 3));
    CHECK_INT(s->media[0].codecs[0].pt, 0);
    CHECK(s->media[1].codecs[0].pt >= 96);
    CHECK(s->media[2].codecs[0].pt >= 96); /* 72 with a marker bit would be an RTCP packet */
    CHECK_INT(s->media[2].codecs[0].profile, 0x42e01f);
    end();
}

TEST(offer_goes_on)
{
    struct tr_sdp_offer_line lines[] = { audio(), video(TR_CODEC_VP8, 96, NULL),
                                         video(TR_CODEC_VP9, 98, "profile-id=0") };
    struct tr_sdp *first = offer(lines, 2);
    uint8_t mid_id = first->media[0].exts[0].id;
    lines[1].send = false;
    struct tr_sdp *second = offer_after(first, lines, 3);
    CHECK_INT(second->media[1].dir, TR_SDP_INACTIVE);
    CHECK(second->media[1].bundled && !second->media[1].rejected && !second->media[1].msid);
    CHECK_INT(second->media[1].codecs[0].pt, 96);
    CHECK_INT(second->media[2].codecs[0].pt, 98);
    CHECK_INT(second->media[2].exts[0].id, mid_id);
    CHECK_INT(second->media[0].ssrcs[0].ssrc, first->media[0].ssrcs[0].ssrc);
    /* the line is used again, by a publisher of another codec whose number is taken here */
    lines[1] = video(TR_CODEC_H264, 98, "profile-level-id=42e01f;packetization-mode=1");
    struct tr_sdp *third = read_by_client(offer_after(second, lines, 3));
    CHECK_INT(third->media[1].codecs[0].codec, TR_CODEC_H264);
    CHECK_INT(third->media[2].codecs[0].pt, 98);
    CHECK(third->media[1].codecs[0].pt != 98 && third->media[1].codecs[0].pt != 96);
    CHECK_STR(third->media[1].mid, "1");
    /* fewer lines, or a line of another kind, do not go on */
    CHECK_INT(try_offer(lines, 2, second, &third), TR_ERR_PROTO);
    lines[1] = audio();
    CHECK_INT(try_offer(lines, 3, second, &third), TR_ERR_PROTO);
    CHECK(third == NULL);
    end();
}

TEST(offer_numbers_run_out)
{
    static char fmtps[TR_SDP_MEDIA_MAX][32];
    struct tr_sdp_offer_line lines[TR_SDP_MEDIA_MAX];
    struct tr_sdp *s;
    for (unsigned i = 0; i < TR_SDP_MEDIA_MAX; i++) {
        (void)snprintf(fmtps[i], sizeof fmtps[i], "profile-id=%u", i);
        lines[i] = video(TR_CODEC_VP9, 98, fmtps[i]);
    }
    CHECK_INT(try_offer(lines, 30, NULL, &s), TR_OK); /* two numbers a line, 61 are there */
    CHECK_INT(try_offer(lines, 31, NULL, &s), TR_ERR_LIMIT);
    end();
}

TEST(offer_of_a_meeting)
{
    struct tr_sdp_offer_line lines[TR_SDP_MEDIA_MAX];
    struct tr_sdp *s;
    for (unsigned i = 0; i < TR_SDP_MEDIA_MAX; i++)
        lines[i] = i % 2 ? video(i % 4 == 1 ? TR_CODEC_VP8 : TR_CODEC_VP9, 96, NULL) : audio();
    struct tr_sdp *us = offer(lines, TR_SDP_MEDIA_MAX);
    struct tr_sdp *them = answered(read_by_client(us));
    const char *reason;
    CHECK_INT(tr_sdp_check_answer(us, them, &reason), TR_OK);
    for (unsigned i = 0; i < TR_SDP_MEDIA_MAX; i++) {
        struct tr_sdp_media_params p;
        tr_sdp_media_params(us, them, i, false, &p);
        CHECK(p.active && p.send && !p.recv && p.pt_count == 1);
        CHECK_INT(p.pts[0].codec, lines[i].codec);
        CHECK_INT(p.pts[0].rtx_pt != TR_SDP_PT_NONE, i % 2);
        CHECK(p.ext_send.id[TR_EXT_MID] != 0);
    }
    CHECK_INT(try_offer(lines, TR_SDP_MEDIA_MAX + 1, NULL, &s), TR_ERR_LIMIT);
    CHECK_INT(try_offer(lines, 0, NULL, &s), TR_ERR_INVAL);
    end();
}

/* --- browsers --- */

enum { MEETING = 19, MEETING_LATER = MEETING + 1 };

/* Nine publishers of four kinds of video. */
static void meeting(struct tr_sdp_offer_line lines[MEETING])
{
    static const struct {
        enum tr_codec codec;
        const char *fmtp;
    } videos[] = { { TR_CODEC_VP8, NULL },
                   { TR_CODEC_VP9, "profile-id=0" },
                   { TR_CODEC_H264, "level-asymmetry-allowed=1;packetization-mode=1;"
                                    "profile-level-id=42e01f" },
                   { TR_CODEC_AV1, NULL } };
    for (unsigned i = 0; i < MEETING - 1; i += 2) {
        lines[i] = audio();
        lines[i + 1] = video(videos[i / 2 % 4].codec, 96, videos[i / 2 % 4].fmtp);
    }
    lines[MEETING - 1] = tr_sdp_offer_line(TR_SDP_DATA, TR_CODEC_NONE);
}

/* Later: the first has gone, the second has taken another codec, a tenth has come. */
static void meeting_later(struct tr_sdp_offer_line lines[MEETING_LATER])
{
    meeting(lines);
    lines[0].send = lines[1].send = false;
    lines[3] = video(TR_CODEC_VP8, 96, NULL);
    lines[MEETING] = video(TR_CODEC_VP8, 96, NULL);
}

static char *read_file(const char *name)
{
    char path[512];
    char *text = tr_alloc(TR_SDP_BYTES_MAX + 1);
    (void)snprintf(path, sizeof path, "%s-answers/%s", SDP_CORPUS, name);
    FILE *f = fopen(path, "rb");
    CHECK(text && f && fread(text, 1, TR_SDP_BYTES_MAX, f) > 0);
    if (f)
        (void)fclose(f);
    return text;
}

/* What a browser has said to the offer `us`, line by line as we expect it. */
static void check_browser(const struct tr_sdp *us, const char *name,
                          const struct tr_sdp_offer_line *lines, unsigned count, bool h264)
{
    struct tr_sdp *them;
    const char *reason;
    char *text = read_file(name);
    CHECK(text && tr_sdp_parse(arena, tr_slice_str(text), &them, &reason) == TR_OK);
    CHECK_INT(tr_sdp_check_answer(us, them, &reason), TR_OK);
    for (unsigned i = 0; i < count; i++) {
        struct tr_sdp_media_params p;
        bool taken = h264 || lines[i].codec != TR_CODEC_H264;
        bool video = lines[i].kind == TR_SDP_VIDEO;
        tr_sdp_media_params(us, them, i, false, &p);
        CHECK_INT(p.active, taken);
        if (!p.active || lines[i].kind == TR_SDP_DATA)
            continue;
        CHECK_INT(p.send, lines[i].send);
        CHECK_INT(p.pt_count, 1);
        CHECK_INT(p.pts[0].codec, lines[i].codec);
        CHECK_INT(p.pts[0].pt, us->media[i].codecs[0].pt);
        CHECK_INT(p.pts[0].rtx_pt != TR_SDP_PT_NONE, video);
        CHECK(p.pts[0].feedback & TR_SDP_FB_TWCC);
        CHECK_INT((p.pts[0].feedback & TR_SDP_FB_PLI) != 0, video);
        CHECK(p.ext_send.id[TR_EXT_MID] && p.ext_send.id[TR_EXT_TRANSPORT_CC]);
    }
    tr_free(text);
}

TEST(offer_answered_by_browsers)
{
    struct tr_sdp_offer_line lines[MEETING_LATER];
    meeting(lines);
    struct tr_sdp *us = offer(lines, MEETING);
    check_browser(us, "chrome-answer-meeting.sdp", lines, MEETING, true);
    check_browser(us, "firefox-answer-meeting.sdp", lines, MEETING, false);
    meeting_later(lines);
    us = offer_after(us, lines, MEETING_LATER);
    check_browser(us, "chrome-answer-meeting-later.sdp", lines, MEETING_LATER, true);
    check_browser(us, "firefox-answer-meeting-later.sdp", lines, MEETING_LATER, false);
    end();
}

TEST(offer_answered_with_other_numbers)
{
    struct tr_sdp_offer_line lines[] = { audio(), video(TR_CODEC_VP8, 96, NULL) };
    struct tr_sdp_media_params p;
    struct tr_sdp *us = offer(lines, 2), *them = answered(us);
    struct tr_sdp_media *video_line = &them->media[1];
    video_line->codecs[0].pt = 120;
    video_line->codecs[1].pt = 121;
    video_line->codecs[1].apt = 120;
    tr_sdp_media_params(us, them, 1, false, &p);
    CHECK_INT(p.pt_count, 1);
    CHECK_INT(p.pts[0].pt, 120);
    CHECK_INT(p.pts[0].rtx_pt, 121);
    CHECK_INT(p.pts[0].codec, TR_CODEC_VP8);
    end();
}

TEST(offer_with_red)
{
    struct tr_sdp_offer_line lines[] = { audio(), audio() };
    struct tr_sdp_media_params p;
    lines[1].red = true;
    struct tr_sdp *us = offer(lines, 2), *them = answered(us);
    CHECK_INT(us->media[0].codec_count, 1);
    CHECK_INT(us->media[1].codec_count, 2);
    const struct tr_sdp_codec *red = &read_by_client(us)->media[1].codecs[1];
    CHECK_INT(red->codec, TR_CODEC_RED);
    CHECK_INT(red->channels, 2);
    CHECK(tr_sdp_red_wraps(&us->media[1], red));
    tr_sdp_media_params(us, them, 1, false, &p);
    CHECK_INT(p.pts[0].codec, TR_CODEC_OPUS);
    CHECK(tr_sdp_red(&p) != NULL);
    tr_sdp_media_params(us, them, 0, false, &p);
    CHECK(!tr_sdp_red(&p));
    lines[0].codec = TR_CODEC_PCMU;
    lines[0].red = true;
    CHECK_INT(try_offer(lines, 1, NULL, &us), TR_ERR_INVAL);
    end();
}

/* Names and parameters may come from other clients' requests. */
TEST(offer_of_hostile_texts)
{
    struct tr_sdp *s;
    struct tr_sdp_offer_line line = audio();
    line.fmtp = "useinbandfec=1\r\na=evil";
    CHECK_INT(try_offer(&line, 1, NULL, &s), TR_ERR_INVAL);
    line = audio();
    line.mid = "a b";
    CHECK_INT(try_offer(&line, 1, NULL, &s), TR_ERR_INVAL);
    line.mid = "camera";
    line.stream = "bert";
    line.stream_track = "0";
    s = read_by_client(offer(&line, 1));
    CHECK_STR(s->media[0].msid, "bert 0");
    CHECK_STR(s->media[0].mid, "camera");
    line.stream = "bert\r\na=evil";
    s = read_by_client(offer(&line, 1));
    CHECK_STR(s->media[0].msid, "janus januscamera");
    line.codec = TR_CODEC_VP8;
    CHECK_INT(try_offer(&line, 1, NULL, &s), TR_ERR_INVAL);
    line.codec = TR_CODEC_RTX;
    CHECK_INT(try_offer(&line, 1, NULL, &s), TR_ERR_INVAL);
    line.kind = TR_SDP_OTHER;
    CHECK_INT(try_offer(&line, 1, NULL, &s), TR_ERR_INVAL);
    struct tr_sdp_offer_line twice[] = { audio(), audio() };
    twice[0].mid = "1";
    CHECK_INT(try_offer(twice, 2, NULL, &s), TR_ERR_INVAL);
    end();
}

TEST_OOM(offer_oom)
{
    struct tr_sdp_offer_line lines[] = { audio(), video(TR_CODEC_VP8, 96, NULL) };
    struct tr_sdp_local us = local_side();
    struct tr_sdp *s;
    struct tr_arena *mine = tr_arena_create(TR_SDP_ARENA_MAX);
    enum tr_err err = mine ? tr_sdp_offer(mine, lines, 2, NULL, &us, &s) : TR_ERR_NOMEM;
    tr_arena_destroy(mine);
    return err;
}
