/* SRTP and SRTCP: RFC 3711 (AES_CM_128_HMAC_SHA1_80 and _32) and RFC 7714 (AEAD_AES_128/256_GCM).
 *
 * One context protects or opens one direction of one peer with one master key; it holds the state
 * of all SSRCs of that direction. The work is done by an engine, one a thread, that is either
 * ipsec-mb (where the CPU has AES-NI and PCLMUL) or OpenSSL; both give the same bytes.
 *
 * Inbound state (rollover counter, replay window) changes only after authentication; what does not
 * authenticate is counted and forgotten.
 *
 * Who guarantees that no (key, SSRC, index) protects two different packets:
 *   - TR_SRTP_AUTO: this module; a sequence number that was sent already is refused (EXISTS).
 *   - an explicit index: the caller, who may only resend a packet byte for byte as it was
 *     (retransmission of the same header and payload). Everything else is a new packet.
 *   - two contexts with the same key: the caller; a master key serves one context per direction.
 *
 * One context, its engine and its jobs belong to one thread. */
#ifndef TR_SRTP_H
#define TR_SRTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "srtp/profile.h"

enum tr_srtp_limits {
    TR_SRTP_IN_SSRC_MAX = 128,   /* authenticated SSRCs of one inbound context */
    TR_SRTP_OUT_SSRC_MAX = 1024, /* SSRCs of one outbound context, but those that are retired */
    TR_SRTP_WINDOW = 1024,       /* packets that may arrive late, per SSRC */
    TR_SRTCP_WINDOW = 128,
    TR_SRTP_PACKET_MAX = 9000
};

enum tr_srtp_kind { TR_SRTP_ENGINE_BEST, TR_SRTP_ENGINE_OPENSSL, TR_SRTP_ENGINE_IPSEC_MB };
enum tr_srtp_dir { TR_SRTP_IN, TR_SRTP_OUT };

#define TR_SRTP_AUTO UINT64_MAX
#define TR_SRTP_INDEX_MAX ((UINT64_C(1) << 48) - 1)

struct tr_srtp_engine;
struct tr_srtp;

struct tr_srtp_stats {
    uint64_t packets;  /* protected or opened, RTP and RTCP */
    uint64_t bad;      /* too short, not RTP or RTCP version 2, not encrypted */
    uint64_t auth;     /* the tag does not match */
    uint64_t replayed; /* seen before, or older than the window */
    uint64_t full;     /* no room for another SSRC */
};

struct tr_srtp_job {
    struct tr_srtp *srtp; /* whose packet: set for protect_batch, filled in by the others */
    uint8_t *out;    /* hdr_len bytes of finished RTP header are here; payload and tag follow */
    size_t out_size; /* from out; at least hdr_len + payload + pad + overhead */
    size_t hdr_len;  /* fixed header, CSRCs and extension: 12 or more */
    struct tr_slice payload; /* may be out + hdr_len itself (in place), else it does not overlap */
    uint8_t pad;     /* > 0: bytes of RTP padding to append; sets the P bit, which must be clear */
    uint64_t index;  /* TR_SRTP_AUTO, or the packet's 48-bit index; holds the index used after */
    size_t out_len;  /* result: the whole packet */
    enum tr_err err; /* result: OK, INVAL, LIMIT (out_size, SSRCs), EXISTS, NOMEM */
};

/* NULL when memory is out or the CPU cannot do the kind asked for; BEST always finds one. */
struct tr_srtp_engine *tr_srtp_engine_create(enum tr_srtp_kind kind);
void tr_srtp_engine_destroy(struct tr_srtp_engine *engine); /* NULL is fine */
const char *tr_srtp_engine_name(const struct tr_srtp_engine *engine);

/* The engine must outlive the context. NULL: memory is out, or the profile is not one of ours. */
struct tr_srtp *tr_srtp_create(struct tr_srtp_engine *engine, enum tr_srtp_profile profile,
                               enum tr_srtp_dir dir, const struct tr_srtp_keys *keys);
void tr_srtp_destroy(struct tr_srtp *srtp); /* cleanses the keys; NULL is fine */
const struct tr_srtp_stats *tr_srtp_stats(const struct tr_srtp *srtp);

/* Opens one SRTP packet. hdr_len comes from the caller's RTP parser. The payload is decrypted from
 * `in` to dst (which may be in.p + hdr_len; otherwise no overlap) and may be left in dst as garbage
 * on AUTH. *index is the 48-bit packet index (its low 16 bits are the sequence number).
 * BADMSG, AUTH, EXISTS (replay), LIMIT (dst too small, too many SSRCs), NOMEM. */
TR_MUST_USE enum tr_err tr_srtp_unprotect(struct tr_srtp *srtp, struct tr_slice in, size_t hdr_len,
                                          struct tr_buf dst, size_t *payload_len, uint64_t *index);

/* Asks the memory for what protecting a packet reads; near 2, then 1, which needs what 2 got. */
void tr_srtp_prefetch(const struct tr_srtp *srtp, int near);
/* Protects n packets of one SSRC or several, each with its own result. Returns how many
 * succeeded. */
size_t tr_srtp_protect_run(struct tr_srtp *srtp, struct tr_srtp_job *jobs, size_t n);
/* The same for packets of several contexts of one engine (job.srtp): a turn's packets to all sinks.
 * AES-CM with HMAC-SHA1 costs 0.3 us a packet in batches of 16 and more, but 0.9 us alone, because
 * many hashes are computed side by side; GCM does not depend on the batch. */
size_t tr_srtp_protect_batch(struct tr_srtp_engine *engine, struct tr_srtp_job *jobs, size_t n);
TR_MUST_USE enum tr_err tr_srtp_protect(struct tr_srtp *srtp, struct tr_srtp_job *job);

/* Outbound: forgets the SSRC and makes room for another. The caller vouches that it is never used
 * with this key again. Unknown is fine. */
void tr_srtp_retire(struct tr_srtp *srtp, uint32_t ssrc);

/* SRTCP. `in` is one compound packet; out needs in.n + tr_srtcp_overhead(); out.p may be in.p,
 * otherwise no overlap. The 31-bit index is kept here, per SSRC.
 * BADMSG, LIMIT (size, SSRCs, 2^31 packets), NOMEM. */
TR_MUST_USE enum tr_err tr_srtcp_protect(struct tr_srtp *srtp, struct tr_slice in,
                                         struct tr_buf out, size_t *out_len);
/* BADMSG, PROTO (not encrypted), AUTH, EXISTS, LIMIT, NOMEM. out may be left as garbage on AUTH. */
TR_MUST_USE enum tr_err tr_srtcp_unprotect(struct tr_srtp *srtp, struct tr_slice in,
                                           struct tr_buf out, size_t *out_len);

#endif
