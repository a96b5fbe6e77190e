/* The dependency descriptor (AV1 RTP specification 1.0, appendix A): which frame a packet is of,
 * what the frame refers to, and what it is to each decode target. Any codec can carry it. A key
 * frame brings a structure of templates that later descriptors name; it is the only state, of
 * bounded size, one for each received stream. No allocation, no I/O; one thread at a time. */
#ifndef TR_DD_H
#define TR_DD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum tr_dd_limits {
    TR_DD_TARGETS_MAX = 32, /* the format's own limit, like the next two */
    TR_DD_TEMPLATES_MAX = 64,
    TR_DD_BYTES_MAX = 255,
    TR_DD_REFS_SPAN = 64,  /* frames back that a reference is kept for */
    TR_DD_SPATIAL_MAX = 4, /* spatial and temporal layers each; more is BADMSG */
    TR_DD_TEMPORAL_MAX = 8
};

/* What a frame is to a decode target. */
enum tr_dti { TR_DTI_ABSENT, TR_DTI_DISCARDABLE, TR_DTI_SWITCH, TR_DTI_REQUIRED };

struct tr_dd_target { /* the best layers of a decode target */
    uint8_t spatial, temporal;
};

struct tr_dd_structure { /* zeroed: none came yet */
    int64_t seq;         /* of the packet that brought it */
    int64_t active_seq;  /* of the packet that said last what is active */
    uint32_t active;     /* bit per decode target */
    uint8_t serial;      /* changes with each structure */
    uint8_t targets;     /* decode targets; 0: no structure */
    uint8_t templates, chains, id_offset;
    uint8_t spatial[TR_DD_TEMPLATES_MAX], temporal[TR_DD_TEMPLATES_MAX];
    uint16_t refs[TR_DD_TEMPLATES_MAX]; /* bit n: the frame n + 1 before */
    uint64_t
        dtis[TR_DD_TEMPLATES_MAX]; /* enum tr_dti, two bits a decode target, the first lowest */
    struct tr_dd_target target[TR_DD_TARGETS_MAX];
    uint8_t sizes; /* spatial layers whose size is stated: all or none */
    uint16_t width[TR_DD_SPATIAL_MAX], height[TR_DD_SPATIAL_MAX]; /* 65536 is told as 65535 */
};

struct tr_dd {
    bool start, end; /* the packet holds the first, the last byte of its frame */
    uint8_t template_id;
    uint16_t frame;     /* frame_number */
    bool has_structure; /* first packet of a coded video sequence */
    bool has_mask;      /* it states the active decode targets itself */
    bool far_refs;      /* refers to a frame more than TR_DD_REFS_SPAN before */
    uint8_t spatial, temporal;
    uint8_t targets;
    uint8_t serial;   /* of the structure that it was read with */
    uint32_t active;  /* decode targets that the sender produces */
    uint64_t dtis;    /* as in the structure */
    uint64_t refs;    /* bit n: refers to the frame n + 1 before; 0: to none */
    uint16_t bits;    /* length without the padding */
    uint16_t mask_at; /* bit where the mask is, or would be */
};

/* seq: unwrapped sequence number of the packet; an older one than the structure's does not replace
 * it. NOTFOUND: the structure that it names has not come: only start, end, template_id and frame
 * are set. BADMSG: truncated, or against the format. State changes only with OK. */
TR_MUST_USE enum tr_err tr_dd_parse(struct tr_dd *out, struct tr_dd_structure *st,
                                    struct tr_slice ext, int64_t seq);

/* Bytes of the descriptor once it states its active decode targets, though it may not do so now. */
static inline unsigned tr_dd_masked_len(const struct tr_dd *dd)
{
    unsigned bits = dd->bits <= 24 ? 24u + 5u : dd->bits;
    return (bits + (dd->has_mask ? 0u : dd->targets) + 7u) / 8u;
}
/* Writes the descriptor ext, which dd was read from with OK, to out with this mask of active decode
 * targets. Returns tr_dd_masked_len(dd), or 0 when it is above `room` or TR_DD_BYTES_MAX. */
size_t tr_dd_put_masked(uint8_t *out, size_t room, const struct tr_dd *dd, struct tr_slice ext,
                        uint32_t mask);

static inline enum tr_dti tr_dd_dti(uint64_t dtis, unsigned target)
{
    return (enum tr_dti)(dtis >> (2 * target) & 3);
}

#endif
