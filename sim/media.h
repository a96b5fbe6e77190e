/* Media to send and a judge of what arrives. The sender makes frames in the shape of a browser's:
 * VP8 with valid descriptors (picture ids, two temporal layers, key frames on request), Opus
 * packets every 20 ms; answers NACKs; keeps the sender reports' clock. Each payload carries where
 * it belongs, when it was sent and a checksum, which the receiver checks.
 *
 * Drive the sender: sim_sender_run when sim_sender_next has passed; it hands datagrams to `send`.
 * Knows struct tr_peer and nothing of the simulated network: a load generator can use it too. One
 * thread; the sender keeps its last packets in its pool. */
#ifndef TR_SIM_MEDIA_H
#define TR_SIM_MEDIA_H

#include "peer/peer.h"
#include "peer/rtp_meta.h"

enum { SIM_SENDER_RING = 1024, SIM_SEEN_BITS = 8192 };

struct sim_sender_conf {
    struct tr_peer *peer;
    int mline;
    bool video;
    uint32_t bitrate_bps;    /* video; 0: 1 Mbit/s */
    uint32_t fps;            /* video; 0: 30 */
    uint32_t packet_bytes;   /* video: of a payload at most; 0: 1100 */
    uint32_t keyframe_every; /* video: frames; 0: 300 */
    uint32_t frame_packets;  /* video: every frame is so many of packet_bytes; 0: by the bitrate */
    uint32_t spread_pct;     /* video: frames differ by up to this from the mean; 0: hardly */
    uint32_t audio_bytes;    /* 0: 120 */
    uint32_t audio_pps;      /* 0: 50 */
    bool audio_even;         /* all audio packets of one size */
    uint32_t source;         /* told in each payload */
    uint32_t keep;           /* packets for retransmission; 0: SIM_SENDER_RING, which is the most */
    uint32_t first_ts;
    uint16_t first_seq; /* 0..32767 */
    struct tr_pkt_pool *pool;
    void (*send)(void *arg, const struct tr_path *path, struct tr_slice datagram);
    void *arg;
};

struct sim_sender {
    struct sim_sender_conf conf;
    tr_usec next_us;
    uint32_t ts, frame;
    int64_t ext_seq;
    uint8_t tl0picidx;
    bool keyframe_due;
    struct tr_tx_item ring[SIM_SENDER_RING]; /* by ext_seq */
    uint64_t packets, resent, keyframes;
};

void sim_sender_init(struct sim_sender *s, const struct sim_sender_conf *conf, tr_usec now);
void sim_sender_deinit(struct sim_sender *s);
tr_usec sim_sender_next(const struct sim_sender *s);
void sim_sender_run(struct sim_sender *s, tr_usec now);
void sim_sender_keyframe(struct sim_sender *s); /* the next frame is one */
void sim_sender_nack(struct sim_sender *s, tr_usec now, const uint16_t *seqs, int count);

/* A video or audio payload of n bytes as the sender makes it; for packets formed elsewhere. */
struct sim_payload {
    bool video, keyframe, start;
    uint32_t source, frame;
    uint16_t index, count;
    uint8_t temporal, tl0picidx;
    tr_usec sent_us;
};
enum { SIM_PAYLOAD_MIN = 48 };
void sim_payload_write(const struct sim_payload *p, uint8_t *out, size_t n);
TR_MUST_USE enum tr_err sim_payload_read(struct sim_payload *out, bool video, struct tr_slice in);

struct sim_receiver { /* zeroed with video set; one for each stream */
    bool video;
    uint64_t packets;   /* each ext_seq once, padding included */
    uint64_t duplicate; /* again, or from long ago */
    uint64_t corrupt;   /* not what was sent */
    uint64_t repaired;  /* came by retransmission */
    uint64_t padding;
    uint64_t keyframes;
    uint64_t ts_back;       /* newer packets of an older timestamp */
    int64_t first, last;    /* ext_seq */
    uint32_t last_ts, ssrc; /* of the newest */
    uint32_t ssrc_changes;
    tr_usec last_us;  /* arrival of the newest */
    tr_usec gap_us;   /* the longest without a packet */
    tr_usec delay_us; /* the longest from sender to here */
    uint64_t seen[SIM_SEEN_BITS / 64];
};

void sim_receiver_packet(struct sim_receiver *r, tr_usec now, const struct tr_pkt *pkt);
/* How many numbers between the first and the last never came. */
uint64_t sim_receiver_missing(const struct sim_receiver *r);

#endif
