/* Shared by the files of the parser, and its judgement of texts by offer.c; nobody else includes
 * this. */
#ifndef TR_SDP_PARSE_INT_H
#define TR_SDP_PARSE_INT_H

#include "sdp/sdp.h"

enum { TR_SDP_PT_COUNT = 128 };

struct tr_sdp_parse {
    struct tr_arena *arena;
    struct tr_sdp *sdp;
    struct tr_sdp_media *media; /* the current m-line; NULL in the session part */
    const char *reason;
    unsigned lines;
    struct tr_sdp_transport session;
    enum tr_sdp_dir session_dir;
    bool session_end_of_cands;
    unsigned bundle_count;
    const char *bundle[TR_SDP_MEDIA_MAX];
    uint8_t feedback_all;              /* rtcp-fb:* of the current m-line */
    uint8_t pt_index[TR_SDP_PT_COUNT]; /* codec of the current m-line by payload type: index + 1 */
};

/* Notes why and returns err, so that a failing function can end with it. */
TR_MUST_USE enum tr_err tr_sdp_fail(struct tr_sdp_parse *ps, enum tr_err err, const char *reason);
/* Room for one more item behind count ones, in a table that doubles; the table, or NULL. */
void *tr_sdp_grow(struct tr_arena *arena, void *items, unsigned count, size_t size);

/* Cuts the next word off *rest at sep (runs of sep count once); NULL at the end. */
char *tr_sdp_word(char **rest, char sep);
/* All of text is a decimal number not above max. */
bool tr_sdp_number(const char *text, uint64_t max, uint64_t *out);

/* Letters, digits and the extra characters only. */
bool tr_sdp_all_of(const char *text, const char *extra);
bool tr_sdp_length_ok(const char *text, size_t min, size_t max);

/* "name" or "name:value" behind a=. Unknown names are ignored. */
TR_MUST_USE enum tr_err tr_sdp_attr(struct tr_sdp_parse *ps, char *line);
TR_MUST_USE enum tr_err tr_sdp_attr_rid(struct tr_sdp_parse *ps, char *value);
TR_MUST_USE enum tr_err tr_sdp_attr_simulcast(struct tr_sdp_parse *ps, char *value);

/* A new codec with the defaults of its static payload type, if it has one. */
void tr_sdp_codec_init(struct tr_sdp_codec *c, uint8_t pt);
/* name/clock/channels of rtpmap. */
void tr_sdp_codec_name(struct tr_sdp_codec *c, const char *name, uint32_t clock, uint8_t channels);
/* Reads the facts out of c->fmtp. Once the name is known: a=fmtp may come before a=rtpmap. */
void tr_sdp_codec_facts(struct tr_sdp_codec *c);

#endif
