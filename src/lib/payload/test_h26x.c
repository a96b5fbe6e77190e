/* Goal: H.264 and H.265 payloads: keyframes in every packetization, the picture size in an SPS,
 * and an end to whatever a stranger writes.
 * Method: payloads written by hand, an SPS of x264 cut at every length, filled buffers. */
#include "payload/h264.h"
#include "payload/h265.h"

#include "unit.h"

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

struct row {
    const uint8_t *p;
    size_t n;
    enum tr_err err;
    bool keyframe;
};

TEST(h264_packetizations)
{
    const struct row t[] = {
        { BYTES(0x65, 0x88), TR_OK, true },                               /* IDR */
        { BYTES(0x67, 0x42), TR_OK, true },                               /* SPS, short */
        { BYTES(0x68, 0xce), TR_OK, false },                              /* PPS */
        { BYTES(0x41, 0x9a), TR_OK, false },                              /* P slice */
        { BYTES(0x06, 0x01), TR_OK, false },                              /* SEI */
        { BYTES(0x78, 0, 1, 0x41, 0, 2, 0x65, 0), TR_OK, true },          /* STAP-A P, IDR */
        { BYTES(0x78, 0, 1, 0x41, 0, 2, 0x61, 0), TR_OK, false },         /* STAP-A P, P */
        { BYTES(0x78, 0, 1, 0x41, 0, 3, 0x65, 0), TR_ERR_BADMSG, false }, /* runs out */
        { BYTES(0x78, 0, 0), TR_ERR_BADMSG, false },                      /* empty unit */
        { BYTES(0x78), TR_ERR_BADMSG, false },
        { BYTES(0x78, 0, 2, 0x78, 0), TR_ERR_BADMSG, false }, /* nested */
        { BYTES(0x7c, 0x85, 0x88), TR_OK, true },             /* FU-A IDR start */
        { BYTES(0x7c, 0x05, 0x88), TR_OK, false },            /* FU-A IDR middle */
        { BYTES(0x7c, 0x45, 0x88), TR_OK, false },            /* FU-A IDR end */
        { BYTES(0x7c, 0x81, 0x88), TR_OK, false },            /* FU-A P start */
        { BYTES(0x7c, 0x85), TR_ERR_BADMSG, false },
        { BYTES(0x7d, 0x85, 0x88), TR_ERR_BADMSG, false }, /* FU-B */
        { BYTES(0x60, 0x00), TR_ERR_BADMSG, false },       /* type 0 */
        { NULL, 0, TR_ERR_BADMSG, false },
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct tr_h264 d;
        enum tr_err err = tr_h264_parse(&d, tr_slice(t[i].p, t[i].n));
        if (!CHECK(err == t[i].err && d.keyframe == t[i].keyframe))
            unit_note("    row %zu: %s, keyframe %d", i, tr_err_str(err), d.keyframe);
    }
}

/* x264, baseline 1920x1080 with cropping; emulation prevention in the VUI. */
static const uint8_t sps_1080[] = {
    0x67, 0x42, 0xc0, 0x28, 0xda, 0x01, 0xe0, 0x08, 0x9f, 0x97, 0x01
};

TEST(h264_sps_size)
{
    uint16_t w = 0, h = 0;
    CHECK_INT(tr_h264_sps_size(tr_slice(sps_1080, sizeof(sps_1080)), &w, &h), TR_OK);
    CHECK_INT(w, 1920);
    CHECK_INT(h, 1080);
    for (size_t n = 0; n < 9; n++) {
        uint8_t copy[sizeof(sps_1080)];
        memcpy(copy, sps_1080, n);
        CHECK(tr_h264_sps_size(tr_slice(copy, n), &w, &h) != TR_OK);
    }
}

TEST(h264_sps_absurd_is_refused)
{
    uint8_t p[64];
    uint16_t w, h;
    for (unsigned fill = 0; fill < 256; fill++) { /* whatever it says, it ends */
        memset(p, (int)fill, sizeof(p));
        p[0] = 0x67;
        for (unsigned profile = 0; profile < 256; profile += 4) {
            p[1] = (uint8_t)profile;
            if (tr_h264_sps_size(tr_slice(p, sizeof(p)), &w, &h) == TR_OK)
                CHECK(w > 0 && h > 0);
        }
    }
    memset(p + 1, 0, sizeof(p) - 1);
    CHECK_INT(tr_h264_sps_size(tr_slice(p, sizeof(p)), &w, &h), TR_ERR_BADMSG);
}

TEST(h265_packetizations)
{
    const struct row t[] = {
        { BYTES(0x40, 0x01, 0x0c), TR_OK, true },                               /* VPS */
        { BYTES(0x42, 0x01, 0x0c), TR_OK, true },                               /* SPS */
        { BYTES(0x44, 0x01, 0x0c), TR_OK, false },                              /* PPS */
        { BYTES(0x26, 0x01, 0xaf), TR_OK, true },                               /* IDR_W_RADL */
        { BYTES(0x2a, 0x01, 0xaf), TR_OK, true },                               /* CRA */
        { BYTES(0x02, 0x01, 0xd0), TR_OK, false },                              /* TRAIL_R */
        { BYTES(0x60, 0x01, 0, 2, 0x02, 0x01, 0, 2, 0x26, 0x01), TR_OK, true }, /* AP */
        { BYTES(0x60, 0x01, 0, 2, 0x02, 0x01, 0, 3, 0x26, 0x01), TR_ERR_BADMSG, false },
        { BYTES(0x60, 0x01, 0, 1, 0x02), TR_ERR_BADMSG, false },
        { BYTES(0x62, 0x01, 0x93, 0xaf), TR_OK, true },  /* FU start IDR */
        { BYTES(0x62, 0x01, 0x13, 0xaf), TR_OK, false }, /* FU middle */
        { BYTES(0x62, 0x01, 0x93), TR_ERR_BADMSG, false },
        { BYTES(0x64, 0x01, 0x93), TR_ERR_BADMSG, false }, /* PACI */
        { BYTES(0x26, 0x01), TR_ERR_BADMSG, false },
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct tr_h265 d;
        enum tr_err err = tr_h265_parse(&d, tr_slice(t[i].p, t[i].n));
        if (!CHECK(err == t[i].err && d.keyframe == t[i].keyframe))
            unit_note("    row %zu: %s, keyframe %d", i, tr_err_str(err), d.keyframe);
    }
}
