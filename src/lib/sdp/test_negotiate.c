/* Goal: what we answer and relay is what browsers offered, reduced to what both sides can do.
 * Method: every fixture through all paths and back through the parser; then the fields that matter
 * for a call, one kind of call a test. A browser B is played by our own answerer. */
#include <dirent.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/mem.h"
#include "sdp/negotiate.h"
#include "sdp/write.h"
#include "unit.h"

static struct tr_arena *arena;

static const struct tr_sdp_local_media streams[] = { { 1001, 1002 }, { 2001, 2002 } };
static const char *const cands[] = { "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host" };

static struct tr_sdp_local local_side(void)
{
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
        .max_message_size = 65536,
        .cand_count = 1,
        .cands = cands,
        .media_count = 2,
        .media = streams,
    };
}

static struct tr_sdp *parse(const char *text)
{
    struct tr_sdp *sdp;
    const char *reason;
    if (!arena)
        arena = tr_arena_create(16 * TR_SDP_ARENA_MAX);
    if (!CHECK(tr_sdp_parse(arena, tr_slice_str(text), &sdp, &reason) == TR_OK))
        unit_note("    %s\n%s", reason, text);
    return sdp;
}

static struct tr_sdp *fixture(const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", SDP_CORPUS, name);
    FILE *f = fopen(path, "rb");
    char *text = tr_alloc(TR_SDP_BYTES_MAX + 1);
    CHECK(f && fread(text, 1, TR_SDP_BYTES_MAX, f) > 0);
    if (f)
        (void)fclose(f);
    struct tr_sdp *sdp = parse(text);
    tr_free(text);
    return sdp;
}

static void end(void)
{
    tr_arena_destroy(arena);
    arena = NULL;
}

static struct tr_sdp *answer_with(const struct tr_sdp *offer, const struct tr_sdp_policy *policy)
{
    struct tr_sdp *out;
    struct tr_sdp_local us = local_side();
    CHECK_INT(tr_sdp_answer(arena, offer, policy, &us, &out), TR_OK);
    return out;
}

static struct tr_sdp *answer(const struct tr_sdp *offer)
{
    struct tr_sdp_policy policy = tr_sdp_policy_default();
    return answer_with(offer, &policy);
}

static struct tr_sdp *relay(const struct tr_sdp *offer)
{
    struct tr_sdp *out;
    struct tr_sdp_policy policy = tr_sdp_policy_default();
    struct tr_sdp_local us = local_side();
    CHECK_INT(tr_sdp_relay_offer(arena, offer, NULL, &policy, &us, &out), TR_OK);
    return out;
}

static struct tr_sdp *relay_back(const struct tr_sdp *offer, const struct tr_sdp *theirs)
{
    struct tr_sdp *out;
    struct tr_sdp_policy policy = tr_sdp_policy_default();
    struct tr_sdp_local us = local_side();
    CHECK_INT(tr_sdp_relay_answer(arena, offer, theirs, &policy, &us, &out), TR_OK);
    return out;
}

static char *text_of(const struct tr_sdp *sdp)
{
    char *text;
    CHECK_INT(tr_sdp_text(arena, sdp, &text), TR_OK);
    return text;
}

static struct tr_sdp *wire(const struct tr_sdp *sdp)
{
    return parse(text_of(sdp));
}

/* RFC 3264's duties of any answer. */
static void check_answer(const struct tr_sdp *offer, const struct tr_sdp *a)
{
    const char *reason;
    CHECK_INT(tr_sdp_check_answer(offer, a, &reason), TR_OK);
    for (unsigned i = 0; i < a->media_count; i++) {
        const struct tr_sdp_media *o = &offer->media[i], *m = &a->media[i];
        if (m->rejected)
            continue;
        CHECK_STR(m->proto, o->proto);
        CHECK_INT(m->bundled, o->bundled);
        CHECK(!(m->dir & TR_SDP_SEND) || (o->dir & TR_SDP_RECV) || m->kind == TR_SDP_DATA);
        CHECK(!(m->dir & TR_SDP_RECV) || (o->dir & TR_SDP_SEND) || m->kind == TR_SDP_DATA);
        CHECK(m->transport.setup == TR_SDP_ACTIVE || m->transport.setup == TR_SDP_PASSIVE);
        for (unsigned k = 0; k < m->codec_count; k++) {
            const struct tr_sdp_codec *c = tr_sdp_codec_by_pt(o, m->codecs[k].pt);
            CHECK(c && c->codec == m->codecs[k].codec);
        }
    }
}

TEST(negotiate_every_fixture)
{
    struct dirent *e;
    DIR *dir = opendir(SDP_CORPUS);
    if (!CHECK(dir != NULL))
        return;
    while ((e = readdir(dir))) {
        if (!strstr(e->d_name, ".sdp") || !strncmp(e->d_name, "bad-", 4))
            continue;
        struct tr_sdp *offer = fixture(e->d_name);
        if (!offer)
            continue;
        check_answer(offer, wire(answer(offer)));
        struct tr_sdp *to_b = wire(relay(offer));
        struct tr_sdp *from_b = wire(answer(to_b));
        check_answer(to_b, from_b);
        check_answer(offer, wire(relay_back(offer, from_b)));
        end();
    }
    (void)closedir(dir);
}

TEST(negotiate_answers_simulcast)
{
    struct tr_sdp *offer = fixture("chrome-offer-simulcast.sdp");
    struct tr_sdp *a = answer(offer), *w = wire(a);
    struct tr_sdp_media_params p;
    const struct tr_sdp_media *v = &w->media[1];
    CHECK(w->ice_lite && w->trickle && w->extmap_allow_mixed);
    CHECK_INT(w->id, 77);
    CHECK_INT(w->version, 3);
    CHECK_INT(w->media[0].codec_count, 2); /* Opus, and RED of it */
    CHECK_INT(w->media[0].codecs[1].codec, TR_CODEC_RED);
    CHECK_INT(v->codec_count, 2);
    CHECK_INT(v->recv_count, 3);
    CHECK_STR(v->recv[0].rid, "h");
    CHECK_INT(v->rids[2].dir, TR_SDP_RECV);
    CHECK_STR(v->msid, "janus janus1");
    CHECK_INT(v->groups[0].ssrc[1], 2002);
    CHECK_INT(w->media[0].cand_count, 1);
    CHECK_INT(v->cand_count, 0);

    tr_sdp_media_params(a, offer, 1, false, &p);
    CHECK(p.active && p.send && p.recv);
    CHECK_STR(p.mid, "1");
    CHECK_INT(p.pt_count, 1);
    CHECK_INT(p.pts[0].codec, TR_CODEC_VP8);
    CHECK_INT(p.pts[0].pt, 96);
    CHECK_INT(p.pts[0].rtx_pt, 97);
    CHECK_INT(p.pts[0].clock, 90000);
    CHECK_INT(p.pts[0].feedback, 31);
    CHECK_INT(p.ext_recv.id[TR_EXT_RID], 10);
    CHECK_INT(p.ext_recv.id[TR_EXT_RRID], 11);
    CHECK_INT(p.ext_send.id[TR_EXT_MID], 4);
    CHECK_INT(p.ext_send.id[TR_EXT_TRANSPORT_CC], 3);
    CHECK_INT(p.ext_send.id[TR_EXT_PLAYOUT_DELAY], 0);
    CHECK_INT(p.rid_count, 3);
    CHECK_STR(p.rids[0], "h");
    tr_sdp_media_params(a, offer, 1, true, &p);
    CHECK_STR(p.rids[0], "l");
    end();
}

TEST(negotiate_firefox_extension_directions)
{
    struct tr_sdp *offer = fixture("firefox-offer-simulcast.sdp");
    struct tr_sdp *a = wire(answer(offer));
    struct tr_sdp_media_params p;
    tr_sdp_media_params(a, offer, 1, false, &p);
    CHECK_INT(p.ext_recv.id[TR_EXT_RID], 9); /* offered sendonly */
    CHECK_INT(p.ext_send.id[TR_EXT_RID], 0);
    CHECK_INT(p.ssrc_count, 6);
    CHECK_INT(p.group_count, 3);
    CHECK_INT(p.rid_count, 3);
    end();
}

TEST(negotiate_codec_choice)
{
    struct tr_sdp *offer = fixture("chrome-offer-av.sdp");
    struct tr_sdp_policy policy = tr_sdp_policy_default();
    policy.force_audio = TR_CODEC_PCMA;
    policy.force_video = TR_CODEC_H264;
    struct tr_sdp *a = wire(answer_with(offer, &policy));
    CHECK_INT(a->media[0].codecs[0].codec, TR_CODEC_PCMA);
    CHECK_INT(a->media[1].codecs[0].pt, 102); /* the first of mode 1 */
    policy.video_profile = "42e034";          /* the same profile in another level */
    a = wire(answer_with(offer, &policy));
    CHECK_INT(a->media[1].codecs[0].pt, 108);
    CHECK_INT(a->media[1].codecs[1].apt, 108);
    policy.force_video = TR_CODEC_VP9;
    policy.video_profile = "2";
    a = wire(answer_with(offer, &policy));
    CHECK_INT(a->media[1].codecs[0].pt, 100);
    policy.rtx = false;
    policy.video_count = 1;
    policy.force_video = TR_CODEC_H265; /* not offered: the list decides */
    policy.video[0] = TR_CODEC_AV1;
    a = wire(answer_with(offer, &policy));
    CHECK_INT(a->media[1].codec_count, 1);
    CHECK_INT(a->media[1].codecs[0].codec, TR_CODEC_AV1);
    policy.video[0] = TR_CODEC_H265;
    a = wire(answer_with(offer, &policy));
    CHECK(a->media[1].rejected && !a->media[0].rejected);
    CHECK(strstr(text_of(a), "a=group:BUNDLE 0\r\n") != NULL);
    end();
}

TEST(negotiate_data_channel)
{
    struct tr_sdp *offer = fixture("chrome-offer-av-data.sdp");
    struct tr_sdp_policy policy = tr_sdp_policy_default();
    struct tr_sdp *a = answer_with(offer, &policy);
    struct tr_sdp_media_params p;
    tr_sdp_media_params(a, offer, 2, false, &p);
    CHECK(p.active && p.kind == TR_SDP_DATA);
    CHECK_INT(p.sctp_port, 5000);
    CHECK_INT(p.max_message_size, 262144);
    CHECK(strstr(text_of(a), "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n") != NULL);
    offer->media[2].proto = "DTLS/SCTP"; /* as before RFC 8841 */
    const char *old = text_of(answer_with(offer, &policy));
    CHECK(strstr(old, "m=application 9 DTLS/SCTP 5000\r\n") != NULL);
    CHECK(strstr(old, "a=sctpmap:5000 webrtc-datachannel 1024\r\n") != NULL);
    CHECK(strstr(old, "a=sctp-port") == NULL);
    offer->media[2].proto = "UDP/DTLS/SCTP";
    policy.data = false;
    a = answer_with(offer, &policy);
    CHECK(strstr(text_of(a), "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n") != NULL);
    tr_sdp_media_params(a, offer, 2, false, &p);
    CHECK(!p.active);
    CHECK(tr_sdp_tag(answer_with(fixture("chrome-offer-data.sdp"), &policy)) == -1);
    end();
}

TEST(negotiate_tmmbr_where_it_is_offered)
{
    struct tr_sdp *offer = fixture("chrome-offer-av-data.sdp");
    struct tr_sdp_policy policy = tr_sdp_policy_default();
    CHECK(!strstr(text_of(answer_with(offer, &policy)), "ccm tmmbr"));
    for (int i = 0; i < offer->media[1].codec_count; i++)
        offer->media[1].codecs[i].feedback |= TR_SDP_FB_TMMBR;
    CHECK(strstr(text_of(answer_with(offer, &policy)), " ccm tmmbr\r\n") != NULL);
    end();
}

TEST(negotiate_setup_takes_what_is_left)
{
    struct tr_sdp *offer = fixture("chrome-offer-audio.sdp");
    CHECK_INT(answer(offer)->media[0].transport.setup, TR_SDP_PASSIVE);
    offer->media[0].transport.setup = TR_SDP_PASSIVE;
    CHECK_INT(answer(offer)->media[0].transport.setup, TR_SDP_ACTIVE);
    offer->media[0].transport.setup = TR_SDP_ACTIVE;
    CHECK_INT(answer(offer)->media[0].transport.setup, TR_SDP_PASSIVE);
    end();
}

/* Chromium offers RED behind Opus, or before it when the page prefers it; what comes first in the
 * answer is what it sends. */
TEST(negotiate_red)
{
    struct tr_sdp *offer = fixture("chrome-offer-audio.sdp");
    struct tr_sdp_policy policy = tr_sdp_policy_default();
    struct tr_sdp_media_params p;
    struct tr_sdp *a = wire(answer(offer));
    CHECK_INT(a->media[0].codecs[0].codec, TR_CODEC_OPUS);
    tr_sdp_media_params(answer(offer), offer, 0, false, &p);
    CHECK_INT(p.pts[0].codec, TR_CODEC_OPUS);
    CHECK(tr_sdp_red(&p) && tr_sdp_red(&p)->pt == 63);
    policy.red_first = true;
    struct tr_sdp *first = answer_with(offer, &policy);
    CHECK_INT(first->media[0].codecs[0].codec, TR_CODEC_RED);
    CHECK_STR(wire(first)->media[0].codecs[0].fmtp, "111/111");
    tr_sdp_media_params(first, offer, 0, false, &p);
    CHECK_INT(p.pts[0].codec, TR_CODEC_OPUS);
    CHECK(tr_sdp_red(&p) && tr_sdp_red(&p)->pt == 63);
    static const char *const odd[] = { "111/9", "9/9",     "",     "111/",     "/111",
                                       "x",     "111 111", "-111", "111/111x", "4294967407" };
    struct tr_sdp_codec *red = (struct tr_sdp_codec *)tr_sdp_codec_by_pt(&offer->media[0], 63);
    for (unsigned i = 0; i < sizeof odd / sizeof *odd; i++) {
        red->fmtp = odd[i];
        bool taken = tr_sdp_codec_by_pt(&answer(offer)->media[0], 63) != NULL;
        if (!CHECK(taken == (strcmp(odd[i], "111/") == 0)))
            unit_note("    %s", odd[i]);
    }
    red->fmtp = "111/111";
    policy.red = false;
    CHECK(!tr_sdp_codec_by_pt(&answer_with(offer, &policy)->media[0], 63));
    CHECK(!tr_sdp_red(&(struct tr_sdp_media_params){ 0 }));
    end();
}

static bool has_descriptor(const struct tr_sdp_media *m)
{
    for (unsigned i = 0; i < m->ext_count; i++)
        if (m->exts[i].ext == TR_EXT_DEPENDENCY_DESCRIPTOR)
            return true;
    return false;
}

TEST(negotiate_descriptor_where_it_helps)
{
    static const enum tr_codec codecs[] = { TR_CODEC_VP8, TR_CODEC_VP9, TR_CODEC_H264,
                                            TR_CODEC_AV1 };
    struct tr_sdp *offer = fixture("chrome-offer-av.sdp");
    struct tr_sdp_policy policy = tr_sdp_policy_default();
    struct tr_sdp_ext dd = { .id = 13,
                             .dir = TR_SDP_SENDRECV,
                             .ext = TR_EXT_DEPENDENCY_DESCRIPTOR,
                             .uri = tr_ext_uri(TR_EXT_DEPENDENCY_DESCRIPTOR) };
    offer->media[1].exts[0] = dd;
    for (unsigned i = 0; i < 4; i++) {
        policy.force_video = codecs[i];
        struct tr_sdp *a = wire(answer_with(offer, &policy));
        CHECK_INT(a->media[1].codecs[0].codec, codecs[i]);
        CHECK_INT(has_descriptor(&a->media[1]), codecs[i] != TR_CODEC_VP8);
    }
    CHECK(has_descriptor(&relay(offer)->media[1]));
    end();
}

TEST(negotiate_relays_a_call)
{
    struct tr_sdp *a_offer = fixture("chrome-offer-simulcast.sdp");
    struct tr_sdp *to_b = relay(a_offer);
    const struct tr_sdp_media *v = &to_b->media[1];
    CHECK_INT(v->transport.setup, TR_SDP_ACTPASS);
    CHECK(!v->rid_count && !v->send_count && !v->recv_count);
    CHECK_INT(v->codecs[0].pt, 96);
    CHECK_INT(tr_sdp_codec_by_pt(v, 45)->codec, TR_CODEC_AV1);
    CHECK(!tr_sdp_codec_by_pt(v, 118)); /* RED of video */
    CHECK_STR(tr_sdp_codec_by_pt(&to_b->media[0], 63)->fmtp, "111/111");

    struct tr_sdp_policy b_likes = tr_sdp_policy_default();
    b_likes.force_video = TR_CODEC_VP9;
    struct tr_sdp *b_answer = wire(answer_with(wire(to_b), &b_likes));
    b_answer->media[0].dir = TR_SDP_RECV;
    struct tr_sdp *to_a = relay_back(a_offer, b_answer);
    CHECK_INT(to_a->media[0].dir, TR_SDP_RECV);
    CHECK(to_a->media[0].msid == NULL);
    CHECK_INT(to_a->media[1].codec_count, 2);
    CHECK_INT(to_a->media[1].codecs[0].pt, 98);
    CHECK_INT(to_a->media[1].recv_count, 3); /* the caller may send layers to the server */

    struct tr_sdp_media_params pa, pb;
    tr_sdp_media_params(to_a, a_offer, 1, false, &pa);
    tr_sdp_media_params(to_b, b_answer, 1, false, &pb);
    CHECK_INT(pa.pts[0].codec, TR_CODEC_VP9);
    CHECK_INT(pb.pts[0].codec, TR_CODEC_VP9);
    CHECK_INT(pa.pts[0].pt, pb.pts[0].pt);
    CHECK_INT(pa.rid_count, 3);
    CHECK_INT(pb.rid_count, 0);
    tr_sdp_media_params(to_a, a_offer, 0, false, &pa);
    tr_sdp_media_params(to_b, b_answer, 0, false, &pb);
    CHECK(pa.recv && !pa.send && pb.send && !pb.recv);
    end();
}

TEST(negotiate_relay_of_a_refusal)
{
    struct tr_sdp *a_offer = fixture("firefox-offer-av.sdp");
    struct tr_sdp *b_answer = wire(answer(wire(relay(a_offer))));
    b_answer->media[1].rejected = true;
    struct tr_sdp *to_a = wire(relay_back(a_offer, b_answer));
    CHECK(!to_a->media[0].rejected && to_a->media[1].rejected);
    CHECK_STR(to_a->media[1].mid, "1");
    end();
}

TEST(negotiate_renegotiation)
{
    struct tr_sdp_policy policy = tr_sdp_policy_default();
    struct tr_sdp_local us = local_side();
    struct tr_sdp *out, *first = relay(fixture("chrome-offer-pair-audio.sdp"));
    struct tr_sdp *second = fixture("chrome-offer-pair-added.sdp");
    CHECK_INT(tr_sdp_relay_offer(arena, second, first, &policy, &us, &out), TR_OK);
    CHECK_INT(out->media_count, 2);
    struct tr_sdp *third = fixture("chrome-offer-pair-stopped.sdp");
    CHECK_INT(tr_sdp_relay_offer(arena, third, out, &policy, &us, &second), TR_OK);
    CHECK(second->media[1].rejected && !second->media[2].rejected);
    /* from the other side, the m-lines in the same places */
    struct tr_sdp *back = fixture("chrome-offer-pair-back.sdp");
    CHECK_INT(tr_sdp_relay_offer(arena, back, second, &policy, &us, &out), TR_OK);
    /* fewer m-lines, or another mid in a place that is taken, do not continue the connection */
    CHECK_INT(tr_sdp_relay_offer(arena, fixture("chrome-offer-pair-audio.sdp"), second, &policy,
                                 &us, &out),
              TR_ERR_PROTO);
    third->media[0].mid = "x";
    CHECK_INT(tr_sdp_relay_offer(arena, third, second, &policy, &us, &out), TR_ERR_PROTO);
    end();
}

/* B offers anew to A, who sends layers: ids and layers of A's leg must survive B's numbers. */
TEST(negotiate_offer_back_keeps_simulcast)
{
    struct tr_sdp_policy policy = tr_sdp_policy_default();
    struct tr_sdp_local us = local_side();
    struct tr_sdp *to_a = answer(fixture("chrome-offer-simulcast.sdp")), *out;
    struct tr_sdp *b_offer = fixture("firefox-offer-av.sdp");
    CHECK_INT(tr_sdp_relay_offer(arena, b_offer, to_a, &policy, &us, &out), TR_OK);
    const struct tr_sdp_media *v = &wire(out)->media[1];
    CHECK_INT(v->recv_count, 3);
    CHECK_STR(v->recv[1].rid, "m");
    unsigned found = 0;
    for (unsigned i = 0; i < v->ext_count; i++)
        found += (v->exts[i].ext == TR_EXT_RID && v->exts[i].id == 10) ||
                 (v->exts[i].ext == TR_EXT_MID && v->exts[i].id == 4) ||
                 (v->exts[i].ext == TR_EXT_TRANSPORT_CC && v->exts[i].id == 3);
    CHECK_INT(found, 3);
    end();
}

TEST(negotiate_refuses_a_wrong_answer)
{
    const char *reason;
    struct tr_sdp *offer = fixture("chrome-offer-av.sdp"), *out;
    struct tr_sdp_policy policy = tr_sdp_policy_default();
    struct tr_sdp_local us = local_side();
    struct tr_sdp *a = wire(answer(offer));
    CHECK_INT(tr_sdp_check_answer(offer, a, &reason), TR_OK);
    a->media[1].mid = "x";
    CHECK_INT(tr_sdp_check_answer(offer, a, &reason), TR_ERR_PROTO);
    CHECK(reason != NULL);
    a->media[1].mid = "1";
    a->media_count = 1;
    CHECK_INT(tr_sdp_relay_answer(arena, offer, a, &policy, &us, &out), TR_ERR_PROTO);
    us.pwd = NULL;
    CHECK_INT(tr_sdp_answer(arena, offer, &policy, &us, &out), TR_ERR_INVAL);
    end();
}

TEST(negotiate_answer_text)
{
    static const char want[] =
        "v=0\r\no=- 77 3 IN IP4 127.0.0.1\r\ns=Tring\r\nt=0 0\r\n"
        "a=ice-lite\r\na=ice-options:trickle\r\na=msid-semantic: WMS *\r\n"
        "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\n"
        "a=ice-ufrag:usfr\r\na=ice-pwd:0123456789012345678901\r\n"
        "a=fingerprint:sha-256 AB:CD:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:"
        "00:00:00:00:00:00:00:00:00:00\r\n"
        "a=setup:passive\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\n"
        "a=msid:janus janus\r\na=ssrc:1001 cname:janus\r\n"
        "a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host\r\na=end-of-candidates\r\n";
    CHECK_STR(text_of(answer(fixture("old-sha384-nomid.sdp"))), want);
    end();
}

TEST_OOM(negotiate_oom)
{
    static const char offer_text[] =
        "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE 0\n"
        "a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:"
        "16:17:18:19:1a:1b:1c:1d:1e:1f\na=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\n"
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97\na=mid:0\na=rtcp-mux\na=rtpmap:96 VP8/90000\n"
        "a=rtpmap:97 rtx/90000\na=fmtp:97 apt=96\na=rid:h send\na=simulcast:send h\n"
        "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\n";
    struct tr_sdp_policy policy = tr_sdp_policy_default();
    struct tr_sdp_local us = local_side();
    struct tr_sdp *offer, *a, *to_b, *back;
    const char *reason;
    char *text;
    struct tr_arena *mine = tr_arena_create(16 * 1024);
    enum tr_err err = mine ? TR_OK : TR_ERR_NOMEM;
    err = err ? err : tr_sdp_parse(mine, tr_slice_str(offer_text), &offer, &reason);
    err = err ? err : tr_sdp_answer(mine, offer, &policy, &us, &a);
    err = err ? err : tr_sdp_relay_offer(mine, offer, NULL, &policy, &us, &to_b);
    err = err ? err : tr_sdp_relay_answer(mine, offer, a, &policy, &us, &back);
    err = err ? err : tr_sdp_text(mine, back, &text);
    tr_arena_destroy(mine);
    return err;
}
