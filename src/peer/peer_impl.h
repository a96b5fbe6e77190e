/* Inside of src/peer: the state of one connection, shared by its files.
 *   peer.c      life, ICE and DTLS, poll, timers      peer_rx.c    media in
 *   peer_tx.c   media out                              peer_rtcp.c  reports and feedback, both ways
 *   peer_bwe.c  how much goes out                      peer_stats.c */
#ifndef TR_PEER_IMPL_H
#define TR_PEER_IMPL_H

#include "base/arena.h"
#include "bwe/bwe.h"
#include "peer/stats.h"
#include "peer/streams.h"
#include "peer/peer.h"
#include "peer/rtp_meta.h"
#include "rtp/rtcp.h"
#include "rtp/twcc.h"
#include "srtp/srtp.h"

enum {
    PEER_ARENA_MAX = 2 << 20, /* a NACK list for each stream fits */
    PEER_STREAMS_MAX = 64,    /* received SSRCs, RTX included */
    PEER_STREAMS_FIRST = 4,   /* room for so many at first */
    PEER_SSRC_SLOTS = 256,    /* hash table of them, a power of two, at most a quarter full */
};

#define PEER_REPORT_US TR_SECOND
#define PEER_RATE_US (TR_SECOND / 2) /* bitrates are averages over at least this */
#define PEER_REMB_DEFAULT 10000000u

struct tr_peer {
    /* what each packet that is sent touches */
    struct peer_track *tracks;
    int tracks_count;
    bool have_path; /* somewhere to send: a valid path, then the selected one */
    bool up, down;
    enum tr_srtp_profile profile;
    struct tr_srtp *out;
    uint64_t packets_out, bytes_out;
    uint32_t rtp_out, rtx_out;  /* since the counters were taken */
    struct tr_bwe_history sent; /* ring NULL: no transport-cc */
    struct tr_path path;
    /* the rest */
    struct tr_arena *arena;
    struct tr_peer_conf conf;
    struct tr_ice *ice;
    struct tr_dtls *dtls;
    struct tr_buf early; /* a DTLS datagram that came before the other side's description */
    struct tr_srtp *in;
    struct tr_dtls_fingerprint fingerprint; /* of the remote side */
    bool remote_passive;
    bool remote_set;
    bool selected;
    bool up_told, down_told, closing;
    bool proven; /* an authentic packet has come */
    const char *down_reason;
    tr_usec created_us, connected_us;

    struct peer_stream *streams;  /* grows; most peers of a room receive much and send little */
    struct tr_nack **spare_nacks; /* of streams that are gone; as many as streams */
    int streams_count, streams_size, spare_nacks_count;
    uint8_t slots[PEER_SSRC_SLOTS]; /* index of a stream by hash of its SSRC */

    uint32_t rtcp_ssrc;
    struct tr_twcc_recv *twcc;
    uint32_t twcc_media_ssrc;
    tr_usec report_due;
    int report_stream, report_track; /* where the report goes on when one packet is not enough */
    tr_usec rate_at;                 /* when the bitrates were last worked out */
    uint64_t rate_bytes_out;
    uint32_t bitrate_bps; /* REMB that we send */
    uint32_t remb_bps;    /* REMB that we got */
    struct tr_bwe *bwe;   /* NULL: no video is sent */
    struct tr_bwe_conf bwe_conf;
    uint32_t bwe_told; /* bandwidth as last asked for; 0: no bound */
    int padding_mline; /* -1: none */
    bool feedback_due; /* PLI or NACK waits to be sent */

    struct tr_media_counters counters; /* since the last take */
    uint64_t drops[TR_DROP_COUNT];     /* for the peer's own statistics */
    uint64_t packets_in, bytes_in;
    uint8_t rtcp_buf[TR_PEER_PACKET_MAX];
    int poll_mline; /* where the event scan goes on */
};

/* An authentic packet: the client has the keys, so its handshake is over, and so is ours. */
static inline void peer_proven(struct tr_peer *peer)
{
    if (peer->proven)
        return;
    peer->proven = true;
    tr_dtls_rest(peer->dtls);
}

void peer_drop(struct tr_peer *peer, enum tr_drop why);
void peer_fail(struct tr_peer *peer, const char *reason);

/* peer_rx.c */
int peer_stream_find(const struct tr_peer *peer, uint32_t ssrc); /* -1 */
/* The stream that stands for this layer, plain or of retransmissions; -1. */
int peer_stream_of_layer(const struct tr_peer *peer, int mline, int layer, bool rtx);
/* index: where it went, or NULL. LIMIT, NOMEM. */
TR_MUST_USE enum tr_err peer_stream_add(struct tr_peer *peer, uint32_t ssrc, int mline, int layer,
                                        bool rtx, int *index);
void peer_streams_reset(struct tr_peer *peer); /* after new tracks: keep what still fits */
enum tr_err peer_rx_track(struct tr_peer *peer, int mline);

/* peer_tx.c */
enum tr_err peer_tx_track(struct tr_peer *peer, int mline);
struct peer_tx *peer_tx_of(const struct tr_peer *peer, int mline); /* NULL: not sent */

/* peer_bwe.c */
enum tr_err peer_bwe_tracks(struct tr_peer *peer, tr_usec now); /* after new tracks, before tx */
/* Whether packets of such an m-line carry a transport-wide number. */
bool peer_bwe_takes(const struct tr_peer *peer, const struct tr_track_conf *conf);
/* The number of a packet that is sent. */
uint16_t peer_bwe_count(struct tr_peer *peer, tr_usec now, size_t bytes);
void peer_bwe_feedback(struct tr_peer *peer, tr_usec now, const struct tr_rtcp_fb *fb);
/* Before the block is noted in tx. */
void peer_bwe_block(struct tr_peer *peer, tr_usec now, struct peer_tx *tx,
                    const struct tr_rtcp_block *block);
void peer_bwe_moved(struct tr_peer *peer, tr_usec now);   /* to another path */
bool peer_bwe_dropped(struct tr_peer *peer, tr_usec now); /* true once for each drop */
/* The next packet of padding that is due, protected; empty when there is none. */
struct tr_slice peer_bwe_output(struct tr_peer *peer, tr_usec now);
tr_usec peer_bwe_next(const struct tr_peer *peer);

/* peer_rtcp.c */
void peer_rtcp_input(struct tr_peer *peer, tr_usec now, struct tr_slice datagram);
/* The next RTCP packet that is due, protected; empty when there is none. */
struct tr_slice peer_rtcp_output(struct tr_peer *peer, tr_usec now);
tr_usec peer_rtcp_next(const struct tr_peer *peer);
uint32_t peer_bound(const struct tr_peer *peer); /* what the client is told; 0: nothing */

#endif
