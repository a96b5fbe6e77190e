/* What META says about a track, and its JSON:
 *   {"kind":"video","codec":"VP8","pt":96,"clock":90000,"channels":1,"fmtp":"...","mid":"1",
 *    "ssrc":305419896,"participant":0,"label":"Anna","role":"agent"}
 * A parser for files from disk: sizes are checked, text is cut to the fields' size, unknown members
 * are ignored. */
#ifndef TR_RECORD_META_H
#define TR_RECORD_META_H

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum tr_meta_limits { TR_META_PARTICIPANT_MAX = 63, TR_META_JSON_MAX = 2048 };
enum tr_meta_kind { TR_META_AUDIO, TR_META_VIDEO, TR_META_DATA };

struct tr_meta {
    enum tr_meta_kind kind;
    char codec[16]; /* the name in SDP's rtpmap: "opus", "VP8", "H264" ... in any case */
    uint8_t pt;
    uint32_t clock; /* Hz */
    uint8_t channels;
    uint32_t ssrc;        /* 0: not known; all packets of the track count */
    uint16_t participant; /* from 0: whose track, and which cell of the picture */
    char fmtp[256];
    char mid[32];
    char label[64]; /* name to show */
    char mjr[256];  /* where a .mjr file of the track is wanted (mjr.h); "": nowhere */
    char role[32];  /* "caller", "callee", "agent", "customer" ... */
};

/* Writes JSON without NUL; the slice lies in buf. LIMIT: does not fit; NOMEM. */
TR_MUST_USE enum tr_err tr_meta_encode(const struct tr_meta *meta, struct tr_buf buf,
                                       struct tr_slice *json);
/* BADMSG: not JSON, or a member is missing, of the wrong type or out of range. */
TR_MUST_USE enum tr_err tr_meta_decode(struct tr_meta *meta, struct tr_slice json);

#endif
