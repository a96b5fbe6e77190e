/* Plain RTP sources: a peer without ICE and DTLS, whose m-lines are fed by UDP ports of their own
 * (remote publishers, mountpoints). Control thread only; nothing blocks.
 *
 * What is made here is a peer like others for the rest of media.h: its id is the `peer` of a source
 * end, and tr_media_peer_tracks, _bitrate, _close, tr_media_query and the events work on it. It is
 * up at once, and no PEER_UP comes. It is no sink.
 *
 * Ports: an RTP port feeds one m-line and layer; or one m-line whose layers are told apart by SSRC;
 * or all m-lines, told apart by SSRC (struct tr_track_conf, layers[].ssrc). RTCP may come on the
 * RTP port as well, or has a port of its own; receiver reports, NACK (fb_nack), and PLI or FIR go
 * back to where RTCP has come from.
 *
 * Who sends is learnt from the first packet that is right (the first that authenticates, with SRTP)
 * and forgotten after a second of silence, unless a sender is given. Without SRTP whoever can forge
 * that address can feed the m-line: plain RTP is for networks that one trusts. */
#ifndef TR_MEDIA_PLAIN_H
#define TR_MEDIA_PLAIN_H

#include "media/media.h"
#include "peer/plain.h"

struct tr_media_port { /* one UDP port of a plain peer */
    struct tr_plain_port feeds;
    struct tr_addr bind;  /* address, any: all of IPv4; port 0: a free one */
    struct tr_addr group; /* multicast group to join; any: none */
    /* An interface, by name or by an address of it: it joins the group, or without one its address
     * is bound. "": the system's choice. */
    char iface[46];
};

struct tr_media_plain_conf {
    const struct tr_track_conf *tracks; /* what is sent; `recv` set, `send` not. Copied */
    int tracks_count;
    const struct tr_media_port *ports; /* copied */
    int ports_count;                   /* 1 .. TR_PLAIN_PORTS_MAX */
    uint32_t bitrate_bps;              /* what four times of it exceeds is dropped; 0: 10 Mbit/s */
    enum tr_srtp_profile srtp;         /* NONE: plain */
    struct tr_srtp_keys keys;
};

/* locals[ports_count]: where the ports are. IO: a port could not be opened, the reason is in errno;
 * NOTFOUND: no such interface; INVAL; LIMIT; NOMEM. */
TR_MUST_USE enum tr_err tr_media_plain_create(struct tr_media *media,
                                              const struct tr_media_plain_conf *conf,
                                              struct tr_addr *locals, tr_id *peer);

#endif
