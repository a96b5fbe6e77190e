/* RTP forwarders: what a client sends on an m-line goes to a host and port as plain RTP or SRTP, in
 * one continuous numbering whatever happens to the source. Control thread only; nothing blocks.
 *
 * A forwarder is one stream: simulcast goes out as the best layer that flows, or layer by layer
 * with a forwarder each. It starts at a key frame, which it asks for. It ends when it is closed;
 * when its source goes it just falls silent.
 *
 * With an RTCP port, sender reports (or empty reports, until the clock is known) go there every
 * second from a port of its own; PLI and FIR that come back from the same host ask the source for a
 * key frame, one per 500 ms at most, and what NACKs ask for is sent again, up to a fifth of all.
 *
 * The host may be a name: it is looked up meanwhile, and packets go out once it is known. */
#ifndef TR_FORWARD_H
#define TR_FORWARD_H

#include "media/media.h"
#include "srtp/srtp.h"

enum {
    TR_FORWARDS_MAX = 4096,      /* in all */
    TR_FORWARDS_SOURCE_MAX = 32, /* of one source; more stay silent */
    TR_FORWARD_HOST_MAX = 253,
    TR_FORWARD_BEST = -1, /* as a layer: the best one that flows */
};

struct tr_forward_conf {
    const char *host; /* number or name; copied */
    int family;       /* of a name: 4, 6 or 0 for any */
    uint16_t port;
    uint16_t rtcp_port; /* 0: no RTCP */
    uint32_t ssrc;      /* 0: that of the source's first packet */
    uint8_t pt;         /* 0: as the client sends it */
    int layer;          /* TR_FORWARD_BEST, or the one simulcast layer that is sent */
    bool paused;
    uint8_t audio_level_id;    /* header extension id, 1..14; 0: levels are left out */
    enum tr_srtp_profile srtp; /* NONE: plain RTP */
    struct tr_srtp_keys keys;
};

enum tr_forward_state { TR_FORWARD_RESOLVING, TR_FORWARD_READY, TR_FORWARD_UNRESOLVED };

struct tr_forward_info {
    enum tr_forward_state state;
    struct tr_addr to;        /* READY */
    uint32_t ssrc;            /* as asked for, or made up for SRTP; 0: that of the source */
    uint16_t local_rtcp_port; /* 0: no RTCP */
    uint64_t packets, bytes;
    uint64_t resent;
    uint64_t dropped;   /* too long, or refused by SRTP */
    uint64_t keyframes; /* that the receiver has asked for */
    uint64_t rtcp_bad;  /* dropped: not from the host, or not RTCP */
};

/* INVAL: port 0, no such layer, or the host is no name; NOTFOUND: no such source peer; LIMIT;
 * IO: no socket for RTCP; NOMEM; EXISTS: the SRTP key has protected this SSRC before, and a second
 * time would give both away (or the server cannot remember any more uses: without an SSRC, a random
 * one is always to be had). */
TR_MUST_USE enum tr_err tr_media_forward_create(struct tr_media *media, struct tr_media_end source,
                                                const struct tr_forward_conf *conf, tr_id *id);
/* Silent until it is resumed, at a key frame then. Stale is fine, here and below. */
void tr_media_forward_pause(struct tr_media *media, tr_id id, bool paused);
void tr_media_forward_close(struct tr_media *media, tr_id id);
/* false: no such forwarder. */
bool tr_media_forward_info(const struct tr_media *media, tr_id id, struct tr_forward_info *info);

#endif
