/* Goal: the pure parts of net/stream: the queue that leaves out whole frames, and counting by
 * prefix. Method: tables, and a seeded comparison with a list of frames. */
#include "base/rng.h"
#include "net/stream_queue.h"
#include "net/stream_quota.h"
#include "unit.h"

struct model { /* what the queue should hold */
    uint32_t n, ms;
    uint8_t fill;
    bool keep, begun;
};

enum { FRAMES_MAX = 512 };

static void check_same(const struct stream_queue *q, const struct model *frames, unsigned count)
{
    struct tr_slice bytes = stream_queue_bytes(q);
    for (unsigned i = 0; i < count; i++) {
        if (!CHECK(bytes.n >= frames[i].n))
            return;
        CHECK(bytes.p[0] == frames[i].fill && bytes.p[frames[i].n - 1] == frames[i].fill);
        bytes = tr_slice(bytes.p + frames[i].n, bytes.n - frames[i].n);
    }
    CHECK_INT(bytes.n, 0);
}

static void push(struct stream_queue *q, struct model *frames, unsigned *count, struct tr_rng *rng,
                 uint32_t now_ms)
{
    uint32_t n = 1 + (uint32_t)tr_rng_below(rng, 3000);
    struct model frame = {
        .n = n, .ms = now_ms, .fill = (uint8_t)tr_rng_u32(rng), .keep = tr_rng_below(rng, 4) == 0
    };
    uint8_t *p = stream_queue_reserve(q, n);
    if (!CHECK(p != NULL))
        return;
    memset(p, frame.fill, n);
    stream_queue_commit(q, n, now_ms, frame.keep);
    frames[(*count)++] = frame;
}

static void consume(struct stream_queue *q, struct model *frames, unsigned *count,
                    struct tr_rng *rng)
{
    uint32_t n = (uint32_t)tr_rng_below(rng, stream_queue_n(q) + 1);
    stream_queue_consume(q, n);
    while (n > 0) {
        uint32_t part = n < frames[0].n ? n : frames[0].n;
        frames[0].n -= part;
        frames[0].begun = true;
        n -= part;
        if (frames[0].n == 0)
            memmove(frames, frames + 1, --*count * sizeof *frames);
    }
}

static void drop(struct stream_queue *q, struct model *frames, unsigned *count, uint32_t now_ms,
                 uint32_t age, uint32_t most)
{
    uint32_t old, left = stream_queue_n(q), dropped = 0;
    unsigned kept = 0;
    for (unsigned i = 0; i < *count; i++) {
        bool out =
            !frames[i].keep && !frames[i].begun && (now_ms - frames[i].ms > age || left > most);
        dropped += out;
        left -= out ? frames[i].n : 0;
        if (!out)
            frames[kept++] = frames[i];
    }
    *count = kept;
    CHECK_INT(stream_queue_drop(q, now_ms, age, most, &old), dropped);
    CHECK(old <= dropped);
}

TEST(the_queue_is_a_list_of_frames)
{
    static struct model frames[FRAMES_MAX];
    FOR_EACH_SEED (seed, 50) {
        struct tr_rng rng = tr_rng_seeded(seed);
        struct stream_queue q = { 0 };
        unsigned count = 0;
        uint32_t now_ms = UINT32_MAX - 1000; /* wraps */
        for (int step = 0; step < 400; step++) {
            now_ms += (uint32_t)tr_rng_below(&rng, 20);
            uint64_t what = tr_rng_below(&rng, 10);
            if (what < 7 && count < FRAMES_MAX)
                push(&q, frames, &count, &rng, now_ms);
            else if (what < 9)
                consume(&q, frames, &count, &rng);
            else
                drop(&q, frames, &count, now_ms, (uint32_t)tr_rng_below(&rng, 1000),
                     (uint32_t)tr_rng_below(&rng, 60000));
            check_same(&q, frames, count);
        }
        stream_queue_deinit(&q);
    }
}

TEST(what_was_promised_stays)
{
    struct stream_queue q = { 0 };
    for (int i = 0; i < 4; i++) {
        memset(stream_queue_reserve(&q, 100), i, 100);
        stream_queue_commit(&q, 100, 0, false);
    }
    q.locked = 150;
    uint32_t old;
    CHECK_INT(stream_queue_drop(&q, 5000, 1000, 1000, &old), 2);
    CHECK_INT(old, 2);
    CHECK_INT(stream_queue_n(&q), 200);
    stream_queue_consume(&q, 150);
    CHECK_INT(q.locked, 50);
    CHECK_INT(stream_queue_drop(&q, 5000, 0, 0, &old), 0);
    stream_queue_consume(&q, 50);
    CHECK_INT(stream_queue_n(&q), 0);
    stream_queue_deinit(&q);
}

static const struct tr_stream_bounds few = {
    .connections_max = 5, .address_max = 2, .network_max = 3, .unproven_max = 1
};

TEST(connections_are_counted_by_prefix)
{
    struct tr_stream_quota *quota = tr_stream_quota_create(&few, 1);
    struct tr_addr a = tr_addr_v4(192, 0, 2, 1, 1), b = tr_addr_v4(192, 0, 2, 2, 2);
    struct tr_addr other = tr_addr_v4(192, 0, 3, 1, 1);
    CHECK_INT(stream_quota_take(quota, &a), TR_OK);
    CHECK_INT(stream_quota_take(quota, &a), TR_OK);
    CHECK_INT(stream_quota_take(quota, &a), TR_ERR_LIMIT); /* of the address */
    CHECK_INT(stream_quota_take(quota, &b), TR_OK);
    CHECK_INT(stream_quota_take(quota, &b), TR_ERR_LIMIT); /* of the network */
    CHECK_INT(stream_quota_take(quota, &other), TR_OK);
    CHECK_INT(stream_quota_take(quota, NULL), TR_OK);
    CHECK_INT(stream_quota_take(quota, &other), TR_ERR_LIMIT); /* of all */
    CHECK_INT(stream_quota_take(quota, NULL), TR_ERR_LIMIT);
    stream_quota_give(quota, &a);
    CHECK_INT(stream_quota_take(quota, &b), TR_OK);
    const struct tr_addr *const left[] = { &a, &b, &b, &other, NULL };
    for (size_t i = 0; i < 5; i++)
        stream_quota_give(quota, left[i]);
    tr_stream_quota_destroy(quota);
}

TEST(ipv6_hosts_have_a_64)
{
    struct tr_stream_quota *quota = tr_stream_quota_create(&few, 1);
    struct tr_addr a, same, near, far;
    CHECK(tr_addr_parse_ip(&a, "2001:db8:0:1::1", 1) == TR_OK &&
          tr_addr_parse_ip(&same, "2001:db8:0:1:ffff::2", 1) == TR_OK &&
          tr_addr_parse_ip(&near, "2001:db8:0:ff::1", 1) == TR_OK &&
          tr_addr_parse_ip(&far, "2001:db8:0:100::1", 1) == TR_OK);
    CHECK_INT(stream_quota_take(quota, &a), TR_OK);
    CHECK_INT(stream_quota_take(quota, &same), TR_OK);
    CHECK_INT(stream_quota_take(quota, &same), TR_ERR_LIMIT);
    CHECK_INT(stream_quota_take(quota, &near), TR_OK);
    CHECK_INT(stream_quota_take(quota, &near), TR_ERR_LIMIT);
    CHECK_INT(stream_quota_take(quota, &far), TR_OK);
    const struct tr_addr *const left[] = { &a, &same, &near, &far };
    for (size_t i = 0; i < 4; i++)
        stream_quota_give(quota, left[i]);
    tr_stream_quota_destroy(quota);
}

TEST(crowds_are_bounded)
{
    struct tr_stream_quota *quota = tr_stream_quota_create(&few, 1);
    CHECK(stream_quota_enter(quota, STREAM_UNPROVEN));
    CHECK(!stream_quota_enter(quota, STREAM_UNPROVEN));
    CHECK(stream_quota_enter(quota, STREAM_HANDSHAKES));
    stream_quota_leave(quota, STREAM_UNPROVEN);
    CHECK(stream_quota_enter(quota, STREAM_UNPROVEN));
    stream_quota_leave(quota, STREAM_UNPROVEN);
    stream_quota_leave(quota, STREAM_HANDSHAKES);
    tr_stream_quota_destroy(quota);
}
