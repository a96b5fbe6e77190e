/* What a peer must know of one negotiated m-line, and of the other side of the connection. Made by
 * the control thread from SDP, copied to the worker. Plain data. */
#ifndef TR_TRACK_H
#define TR_TRACK_H

#include <stdbool.h>
#include <stdint.h>

#include "payload/codec.h"
#include "rtp/ext.h"

enum { TR_TRACK_LAYERS = 3, TR_TRACK_RID_MAX = 16, TR_TRACK_MID_MAX = 32, TR_PEER_TRACKS_MAX = 64 };

struct tr_track_layer { /* lowest quality first */
    uint32_t ssrc;      /* 0: learnt by RID or MID */
    uint32_t rtx_ssrc;  /* 0: none, or learnt */
    char rid[TR_TRACK_RID_MAX + 1];
};

struct tr_track_conf {
    bool used; /* false: rejected m-line, nothing else matters */
    bool video;
    char mid[TR_TRACK_MID_MAX + 1];
    enum tr_codec codec;
    uint32_t clock_rate;
    uint8_t pt;
    uint8_t rtx_pt;             /* 0: none */
    uint8_t red_pt;             /* Opus may come and go as RED (RFC 2198); 0: not */
    struct tr_ext_map ext;      /* of what the client sends */
    struct tr_ext_map ext_send; /* of what it receives */
    bool fb_nack, fb_pli, fb_fir, fb_remb, fb_tmmbr, fb_transport_cc;
    /* what the client sends */
    bool recv;
    int layers_count; /* 1, or 2..3 with simulcast */
    struct tr_track_layer layers[TR_TRACK_LAYERS];
    /* what the client receives */
    bool send;
    uint32_t out_ssrc;
    uint32_t out_rtx_ssrc;              /* 0: no RTX */
    char out_rid[TR_TRACK_RID_MAX + 1]; /* of a simulcast layer that we send; "": none */
    char cname[24];
};

struct tr_playout_delay { /* how long the client should hold back what it receives */
    bool on;              /* false: nothing is said */
    uint16_t min_ms, max_ms;
};

struct tr_peer_remote {
    char ufrag[257];
    char pwd[257];
    char fingerprint_alg[12]; /* "sha-256" ... */
    uint8_t fingerprint[64];
    uint8_t fingerprint_len;
    bool lite;    /* a=ice-lite; matters to full agents only */
    bool passive; /* the other side is the DTLS server, so we are the client */
};

#endif
