/* Goal: what browsers really send is understood, and refused text is refused for the right reason.
 * Method: the offers and answers of Chromium 156 and Firefox 153 and hand-written old forms in
 * test/corpus/sdp; tables of broken text; sizes at and above the limits. */
#include <dirent.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/mem.h"
#include "sdp/sdp.h"
#include "sdp/write.h"
#include "unit.h"

#define HEAD "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
#define PRINT                                                                                      \
    "a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:"  \
    "17:18:19:1a:1b:1c:1d:1e:1f\r\n"
#define ICE "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n"
#define AUDIO                                                                                      \
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n"

static struct tr_arena *arena;
static const char *reason;

static enum tr_err parse(const char *text, struct tr_sdp **out)
{
    if (!arena)
        arena = tr_arena_create(TR_SDP_ARENA_MAX);
    return tr_sdp_parse(arena, tr_slice_str(text), out, &reason);
}

static void end(void)
{
    tr_arena_destroy(arena);
    arena = NULL;
}

static char *load(const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", SDP_CORPUS, name);
    FILE *f = fopen(path, "rb");
    char *text = tr_alloc(TR_SDP_BYTES_MAX + 1);
    size_t n = f && text ? fread(text, 1, TR_SDP_BYTES_MAX, f) : 0;
    if (f)
        (void)fclose(f);
    CHECK(n > 0);
    return text;
}

static struct tr_sdp *fixture(const char *name)
{
    struct tr_sdp *sdp;
    char *text = load(name);
    if (!CHECK(parse(text, &sdp) == TR_OK))
        unit_note("    %s: %s", name, reason);
    tr_free(text);
    return sdp;
}

TEST(sdp_every_fixture)
{
    unsigned good = 0, bad = 0;
    struct dirent *e;
    DIR *dir = opendir(SDP_CORPUS);
    if (!CHECK(dir != NULL))
        return;
    while ((e = readdir(dir))) {
        if (!strstr(e->d_name, ".sdp"))
            continue;
        char *text = load(e->d_name);
        struct tr_sdp *sdp;
        enum tr_err err = parse(text, &sdp);
        bool want_bad = !strncmp(e->d_name, "bad-", 4);
        if (!CHECK(want_bad ? err == TR_ERR_PROTO && reason : err == TR_OK))
            unit_note("    %s: %s, %s", e->d_name, tr_err_str(err), reason ? reason : "");
        good += !want_bad;
        bad += want_bad;
        tr_free(text);
        end();
    }
    (void)closedir(dir);
    CHECK(good >= 40 && bad >= 4);
}

TEST(sdp_chrome_simulcast)
{
    struct tr_sdp *s = fixture("chrome-offer-simulcast.sdp");
    CHECK_INT(s->media_count, 2);
    CHECK(s->trickle && !s->ice_lite && s->extmap_allow_mixed);
    const struct tr_sdp_media *a = &s->media[0], *v = &s->media[1];
    CHECK(a->kind == TR_SDP_AUDIO && v->kind == TR_SDP_VIDEO);
    CHECK(a->bundled && v->bundled && v->rtcp_mux && v->rtcp_rsize);
    CHECK_STR(v->mid, "1");
    CHECK_INT(v->dir, TR_SDP_SENDRECV);
    CHECK_INT(a->codecs[0].codec, TR_CODEC_OPUS);
    CHECK_INT(a->codecs[0].channels, 2);
    CHECK(a->codecs[0].inband_fec && !a->codecs[0].stereo && !a->codecs[0].dtx);
    CHECK_INT(a->codecs[0].feedback, TR_SDP_FB_TWCC);
    CHECK_INT(v->codecs[0].codec, TR_CODEC_VP8);
    CHECK_INT(v->codecs[0].feedback, 31);
    CHECK_INT(tr_sdp_rtx_of(v, 96)->pt, 97);
    CHECK_INT(tr_sdp_codec_by_pt(v, 108)->profile, 0x42e01f);
    CHECK_INT(tr_sdp_codec_by_pt(v, 108)->packetization_mode, 1);
    CHECK_INT(tr_sdp_codec_by_pt(v, 100)->profile, 2);
    CHECK_INT(v->rid_count, 3);
    CHECK_INT(v->send_count, 3);
    CHECK_STR(v->send[2].rid, "l");
    CHECK_INT(v->recv_count, 0);
    CHECK_INT(a->ssrc_count, 1);
    CHECK_INT(a->cand_count, 4);
    CHECK(!strncmp(a->cands[0], "candidate:", 10));
    CHECK_INT(v->transport.setup, TR_SDP_ACTPASS);
    CHECK_INT(v->transport.fingerprint.len, 32);
    end();
}

TEST(sdp_firefox)
{
    struct tr_sdp *s = fixture("firefox-offer-av-maxbundle.sdp");
    CHECK_INT(s->media_count, 4);
    CHECK_INT(tr_sdp_tag(s), 0);
    for (unsigned i = 1; i < 4; i++) { /* port 0 with bundle-only is no refusal */
        CHECK(!s->media[i].rejected && s->media[i].bundle_only && s->media[i].bundled);
        CHECK_STR(s->media[i].transport.ufrag, s->media[0].transport.ufrag);
        CHECK_INT(s->media[i].transport.fingerprint.hash, TR_SDP_SHA256);
    }
    CHECK_INT(s->media[3].kind, TR_SDP_DATA);
    CHECK_INT(s->media[3].sctp_port, 5000);
    CHECK_INT(s->media[3].max_message_size, 1073741823);
    s = fixture("firefox-answer-pair-stopped.sdp");
    CHECK_INT(s->media_count, 3);
    CHECK(s->media[1].rejected && !s->media[2].rejected);
    s = fixture("firefox-offer-simulcast.sdp");
    CHECK_INT(s->media[1].group_count, 3);
    CHECK_INT(s->media[1].groups[2].kind, TR_SDP_GROUP_FID);
    CHECK_INT(s->media[1].groups[2].ssrc[1], 4182630232u);
    CHECK_INT(s->media[1].ssrc_count, 6);
    CHECK_INT(tr_sdp_rtx_of(&s->media[1], 120)->pt, 124); /* its fmtp stood before its rtpmap */
    end();
}

TEST(sdp_old_forms)
{
    struct tr_sdp *s = fixture("old-sim-ssrc.sdp");
    const struct tr_sdp_media *v = &s->media[0];
    CHECK_INT(v->groups[0].kind, TR_SDP_GROUP_SIM);
    CHECK_INT(v->groups[0].count, 3);
    s = fixture("old-session-ice.sdp");
    CHECK_STR(s->media[1].transport.ufrag, "sess");
    CHECK_INT(s->media[1].transport.setup, TR_SDP_ACTPASS);
    CHECK_INT(s->media[1].sctp_port, 5001);
    s = fixture("old-sha384-nomid.sdp");
    CHECK_INT(s->media[0].transport.fingerprint.hash, TR_SDP_SHA384);
    CHECK_STR(s->media[0].mid, "");
    CHECK(!s->media[0].bundled);
    s = fixture("old-simulcast-draft.sdp");
    CHECK_INT(s->media[0].send_count, 4);
    CHECK(s->media[0].send[1].paused);
    CHECK_INT(s->media[0].send[1].stream, 1);
    CHECK_INT(s->media[0].send[2].stream, 1);
    CHECK_INT(s->media[0].send[3].stream, 2);
    end();
}

static const struct {
    const char *text;
    enum tr_err err;
} broken[] = {
    { "", TR_ERR_BADMSG },
    { "rubbish", TR_ERR_BADMSG },
    { "s=-\r\nv=0\r\n", TR_ERR_BADMSG },
    { "v=0\r\n", TR_ERR_PROTO },
    { HEAD, TR_ERR_PROTO },
    { HEAD "m=audio\r\n", TR_ERR_BADMSG },
    { HEAD "m=audio 9 RTP/SAVPF \r\n", TR_ERR_BADMSG },
    { HEAD "m=audio 99999 UDP/TLS/RTP/SAVPF 0\r\n", TR_ERR_BADMSG },
    { HEAD "m=audio 9999999999999999999999999 UDP/TLS/RTP/SAVPF 0\r\n", TR_ERR_BADMSG },
    { HEAD "m=audio 9 UDP/TLS/RTP/SAVPF 128\r\n", TR_ERR_BADMSG },
    { HEAD "m=audio 9 UDP/TLS/RTP/SAVPF -1\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO, TR_ERR_PROTO },
    { HEAD AUDIO ICE, TR_ERR_PROTO },
    { HEAD AUDIO PRINT, TR_ERR_PROTO },
    { HEAD AUDIO PRINT "a=ice-ufrag:abcd\r\n", TR_ERR_PROTO },
    { HEAD AUDIO ICE "a=fingerprint:sha-256 00:01\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO ICE "a=fingerprint:md5 00:01\r\n", TR_ERR_PROTO },
    { HEAD AUDIO PRINT "a=ice-ufrag:abc\r\na=ice-pwd:0123456789012345678901\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT "a=ice-ufrag:ab:cd\r\na=ice-pwd:0123456789012345678901\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT "a=ice-ufrag\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT ICE "a=mid:a b\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT ICE "a=mid:012345678901234567890123456789012\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT ICE "a=setup:sometimes\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT ICE "a=rtpmap:111 opus\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT ICE "a=rtpmap:111 opus/48000000000\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT ICE "a=rtpmap:111 opus/48000/256\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT ICE "a=extmap:x urn:y\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT ICE "a=extmap:1/up urn:y\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT ICE "a=extmap:\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT ICE "a=ssrc:4294967296 cname:x\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT ICE "a=ssrc-group:FID 1 x\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT ICE "a=rid:h sideways\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT ICE "a=rid:01234567890123456 send\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT ICE "a=simulcast:send\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT ICE "a=simulcast:send a;~~b\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT ICE "a=simulcast:send a send b\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT ICE "a=ptime:70000\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT ICE "nothing\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT ICE "a=x\ry\r\n", TR_ERR_BADMSG },
    { HEAD AUDIO PRINT ICE "a=x\033[2J\r\n", TR_ERR_BADMSG },
    { HEAD PRINT ICE AUDIO AUDIO, TR_ERR_PROTO }, /* not bundled, same mid */
    { HEAD PRINT ICE "m=audio 9 RTP/AVP 0\r\na=rtcp-mux\r\n", TR_ERR_PROTO },
    { HEAD PRINT ICE "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n", TR_ERR_PROTO }, /* no mux */
    /* and what is odd, but fine */
    { HEAD PRINT ICE AUDIO, TR_OK },
    { HEAD PRINT ICE AUDIO "a=\r\na=unknown\r\na=unknown:x\r\nz=0\r\n\r\n", TR_OK },
    { HEAD PRINT ICE AUDIO "a=rtpmap:5 foo/1\r\na=fmtp:5 x\r\na=rtcp-fb:5 nack\r\na=fmtp:\r\n",
      TR_OK },
    { HEAD PRINT ICE AUDIO "a=extmap:15 u\r\na=extmap:4097 u\r\n", TR_OK },
    { HEAD PRINT ICE AUDIO "m=text 9 RTP/AVP 99\r\n", TR_OK },
    { HEAD PRINT ICE AUDIO "m=video 0 RTP/AVP 99\r\na=mid:1\r\n", TR_OK },
    { HEAD PRINT ICE "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n", TR_OK },
    { "v=0\no=- 99999999999999999999999999999 x IN IP4 1\nt=0 0\n" PRINT ICE AUDIO, TR_OK },
};

TEST(sdp_broken_text)
{
    for (size_t i = 0; i < TR_ARRAY_LEN(broken); i++) {
        struct tr_sdp *sdp;
        enum tr_err err = parse(broken[i].text, &sdp);
        if (!CHECK(err == broken[i].err && (err == TR_OK) == (reason == NULL)))
            unit_note("    row %zu: %s, %s", i, tr_err_str(err), reason ? reason : "");
        end();
    }
}

/* base followed by n times line. */
static enum tr_err repeated(const char *base, const char *line, unsigned n, struct tr_sdp **out)
{
    size_t line_n = strlen(line), base_n = strlen(base);
    char *text = tr_alloc(base_n + n * line_n + 1);
    memcpy(text, base, base_n);
    for (unsigned i = 0; i < n; i++)
        memcpy(text + base_n + i * line_n, line, line_n);
    enum tr_err err = parse(text, out);
    tr_free(text);
    return err;
}

TEST(sdp_limits)
{
    struct tr_sdp *s;
    const char *base = HEAD PRINT ICE AUDIO;
    CHECK_INT(repeated(base, "m=video 0 x 1\r\n", 63, &s), TR_OK);
    CHECK_INT(repeated(base, "m=video 0 x 1\r\n", 64, &s), TR_ERR_LIMIT);
    CHECK_INT(repeated(base, "m=a 0 x 1\n", 10000, &s), TR_ERR_LIMIT);
    CHECK_INT(repeated(base, "a=x\n", 4085, &s), TR_OK);
    CHECK_INT(repeated(base, "a=x\n", 4100, &s), TR_ERR_LIMIT);
    CHECK_INT(repeated(base, "a=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n", 3000, &s),
              TR_ERR_LIMIT);
    CHECK_INT(repeated(base, "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\n", 1000, &s), TR_OK);
    CHECK_INT(s->media[0].cand_count, TR_SDP_CAND_MAX);
    CHECK_INT(repeated(base, "a=rid:h send\n", 17, &s), TR_ERR_LIMIT);
    CHECK_INT(repeated(base, "a=ssrc-group:FID 1 2 3 4 5 6 7 8 9 10\n", 20, &s), TR_OK);
    CHECK_INT(s->media[0].group_count, TR_SDP_GROUP_MAX);
    CHECK_INT(s->media[0].groups[15].count, TR_SDP_GROUP_SSRC_MAX);
    CHECK_INT(repeated(HEAD PRINT ICE "m=audio 9 UDP/TLS/RTP/SAVPF", " 1", 70, &s), TR_ERR_PROTO);
    end();
}

TEST(sdp_too_many_codecs)
{
    struct tr_sdp *s;
    char text[4096] = HEAD PRINT ICE "m=audio 9 UDP/TLS/RTP/SAVPF";
    for (unsigned i = 0; i < 65; i++)
        (void)snprintf(text + strlen(text), 8, " %u", i);
    CHECK_INT(parse(text, &s), TR_ERR_LIMIT);
    end();
}

TEST(sdp_nul_is_refused)
{
    static const char text[] = HEAD PRINT ICE AUDIO "a=x\0y\r\n";
    struct tr_sdp *s;
    arena = tr_arena_create(TR_SDP_ARENA_MAX);
    CHECK_INT(tr_sdp_parse(arena, tr_slice(text, sizeof text - 1), &s, &reason), TR_ERR_BADMSG);
    CHECK(s == NULL);
    end();
}

TEST(sdp_every_prefix_is_safe)
{
    char *text = load("firefox-offer-simulcast.sdp");
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i += 7) {
        struct tr_sdp *s;
        arena = tr_arena_create(TR_SDP_ARENA_MAX);
        enum tr_err err = tr_sdp_parse(arena, tr_slice(text, i), &s, &reason);
        CHECK((err == TR_OK) == (s != NULL));
        end();
    }
    tr_free(text);
}

/* The same description after a second trip through text, where media depends on it. */
TEST(sdp_round_trip)
{
    struct tr_sdp *a = fixture("chrome-offer-simulcast.sdp"), *b;
    char *text;
    CHECK_INT(tr_sdp_text(arena, a, &text), TR_OK);
    CHECK_INT(parse(text, &b), TR_OK);
    CHECK_INT(b->media_count, a->media_count);
    for (unsigned i = 0; i < a->media_count; i++) {
        const struct tr_sdp_media *x = &a->media[i], *y = &b->media[i];
        CHECK_INT(y->codec_count, x->codec_count);
        for (unsigned k = 0; k < x->codec_count; k++) {
            CHECK_INT(y->codecs[k].pt, x->codecs[k].pt);
            CHECK_INT(y->codecs[k].codec, x->codecs[k].codec);
            CHECK_INT(y->codecs[k].feedback, x->codecs[k].feedback);
            CHECK_INT(y->codecs[k].profile, x->codecs[k].profile);
            CHECK_INT(y->codecs[k].apt, x->codecs[k].apt);
        }
        CHECK_INT(y->ext_count, x->ext_count);
        CHECK_INT(y->send_count, x->send_count);
        CHECK_INT(y->cand_count, x->cand_count);
        CHECK_INT(y->ssrc_count, x->ssrc_count);
        CHECK_STR(y->transport.pwd, x->transport.pwd);
        CHECK(!memcmp(&y->transport.fingerprint, &x->transport.fingerprint,
                      sizeof x->transport.fingerprint));
    }
    struct tr_wr small = tr_wr(text, 100);
    CHECK_INT(tr_sdp_write(&small, a), TR_ERR_LIMIT);
    end();
}

TEST_OOM(sdp_parse_oom)
{
    struct tr_sdp *s;
    struct tr_arena *mine = tr_arena_create(TR_SDP_ARENA_MAX);
    enum tr_err err =
        mine ? tr_sdp_parse(mine, tr_slice_str(HEAD PRINT ICE AUDIO), &s, &reason) : TR_ERR_NOMEM;
    tr_arena_destroy(mine);
    return err;
}
