/* What the files of pc.h share. pc.c: life, what the client says, what is known. pc_negotiate.c:
 * offers, answers, and what they mean to the media engine. Nobody else includes this. */
#ifndef TR_PC_IMPL_H
#define TR_PC_IMPL_H

#include "base/arena.h"
#include "gateway/pc.h"

enum {
    TR_PC_CNAME_CHARS = 16,
    TR_PC_TRICKLED_MAX = 64,      /* candidates that are kept to be shown */
    TR_PC_TRICKLED_LINE_MAX = 512 /* bytes of one */
};

struct tr_pc_box { /* a description and the memory that it lives in */
    struct tr_arena *arena;
    struct tr_sdp *sdp;
    char *text; /* ours only, or the client's for describe; in the arena */
};

struct tr_pc {
    struct tr_handle *handle;
    const struct tr_pc_services *services;
    tr_id peer; /* 0: no PeerConnection */
    struct tr_media_peer_conf creds;
    char cname[TR_PC_CNAME_CHARS + 1];
    uint64_t sdp_id, sdp_version;
    struct tr_pc_box jsep;   /* what the client sent last, not in effect yet */
    struct tr_pc_box kept;   /* an offer that waits for another's answer */
    struct tr_pc_box local;  /* in effect, or offered */
    struct tr_pc_box remote; /* in effect */
    bool offered;            /* local is an offer without answer */
    bool rid_lmh;
    bool trickle_done;
    json_t *trickled; /* candidate lines of the client, for describe; NULL: none yet */
    int media_count;
    struct tr_sdp_local_media *media; /* our SSRCs, by m-line */
    uint32_t last_ssrc;
    int mlines;
    struct tr_sdp_media_params *params; /* of `mlines` m-lines; large, so only once negotiated */
};

static inline void tr_pc_box_free(struct tr_pc_box *box)
{
    tr_arena_destroy(box->arena);
    *box = (struct tr_pc_box){ 0 };
}

static inline void tr_pc_box_move(struct tr_pc_box *to, struct tr_pc_box *from)
{
    tr_pc_box_free(to);
    *to = *from;
    *from = (struct tr_pc_box){ 0 };
}

#endif
