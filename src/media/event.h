/* What the media engine tells control; see tr_media_poll in media.h. */
#ifndef TR_MEDIA_EVENT_H
#define TR_MEDIA_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/idtab.h"

struct tr_data_event; /* data.h */
struct tr_media_peer_stats;

enum tr_media_event_kind {
    TR_MEDIA_NONE,
    TR_MEDIA_PEER_UP,   /* DTLS done: media can flow */
    TR_MEDIA_PEER_DOWN, /* gone; reason as Janus tells it ("ICE failed", "DTLS alert" ...) */
    TR_MEDIA_RECEIVING, /* media of a source started or stopped to come (silence of a second) */
    TR_MEDIA_SLOW_LINK, /* loss above the threshold within a second */
    TR_MEDIA_LAYER,     /* the layer that a route forwards has changed */
    TR_MEDIA_TALKING,   /* what a client says has become talk, or silence (RFC 6464 levels) */
    TR_MEDIA_STATS,     /* answer to tr_media_query */
    TR_MEDIA_DATA_OPEN, /* data.h: of a peer that control listens to */
    TR_MEDIA_DATA_MESSAGE,
    TR_MEDIA_DATA_CLOSED,
};

struct tr_media_event {
    enum tr_media_event_kind kind;
    tr_id peer;
    int mline;
    const char *reason;                /* PEER_DOWN; static text */
    bool on;                           /* RECEIVING, TALKING */
    int level;                         /* TALKING: average, 0 (loud) to 127 (silence), in -dBov */
    bool uplink;                       /* SLOW_LINK: what the client sends */
    int substream;                     /* RECEIVING (-1: no simulcast), LAYER (-1: unchanged) */
    int temporal;                      /* LAYER */
    uint32_t lost;                     /* SLOW_LINK: packets */
    uint64_t cookie;                   /* STATS */
    struct tr_media_peer_stats *stats; /* STATS: yours to tr_free; NULL: peer unknown */
    struct tr_data_event *data;        /* DATA_*: yours to tr_free */
};

#endif
