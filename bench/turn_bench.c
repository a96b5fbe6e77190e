/* What the TURN server itself costs, without sockets: nanoseconds a ChannelData from a client, a
 * Send indication, a datagram of a peer as ChannelData and as Data indication; allocations a second
 * with their credential checked; bytes an allocation.
 *   ninja -C build bench/turn_bench && build/bench/turn_bench [allocations]
 * Packets go round all allocations, so with many of them each finds cold caches; bursts show what a
 * batch of one client costs. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "turn/auth.h"
#include "turn/turn_test.h"

enum { PACKETS = 2000000, BATCH = 16, BATCH_US = 64, PAYLOAD = 1100, CHANNEL = 0x4000 };

struct bench {
    struct rig rig;
    unsigned count, burst;
    struct tr_path *flow;
    tr_id *relay;
};

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void report(const char *what, double start, unsigned n)
{
    printf("  %-28s %7.1f ns\n", what, (cpu_seconds() - start) / n * 1e9);
}

static tr_usec now(const struct bench *b, unsigned i)
{
    return b->rig.now + i / BATCH * BATCH_US;
}

static unsigned at(const struct bench *b, unsigned i)
{
    return i / b->burst % b->count;
}

static void to_peers(struct bench *b, const char *what, struct tr_slice msg)
{
    struct tr_turn_data out;
    double start = cpu_seconds();
    unsigned ok = 0;

    b->rig.draw = UINT32_MAX;
    for (unsigned i = 0; i < PACKETS; i++)
        ok += tr_turn_input(b->rig.turn, now(b, i), &b->flow[at(b, i)], msg, &out) == TR_OK;
    report(what, start, PACKETS);
    b->rig.now = now(b, PACKETS);
    if (ok != PACKETS)
        printf("  %u were refused\n", PACKETS - ok);
}

static void to_clients(struct bench *b, const char *what, const struct tr_addr *peer)
{
    struct tr_turn_frame frame;
    double start = cpu_seconds();
    unsigned ok = 0;

    b->rig.draw = UINT32_MAX;
    for (unsigned i = 0; i < PACKETS; i++)
        ok += tr_turn_deliver(b->rig.turn, now(b, i), b->relay[at(b, i)], peer, PAYLOAD, &frame) ==
              TR_OK;
    report(what, start, PACKETS);
    b->rig.now = now(b, PACKETS);
    if (ok != PACKETS)
        printf("  %u were refused\n", PACKETS - ok);
}

/* Also to renew them: the clock of the packets goes on. */
static void permissions(struct bench *b, bool first)
{
    struct tr_addr bound = rig_peer(1), permitted = rig_peer(2);
    size_t before = tr_mem_in_use();

    for (unsigned i = 0; i < b->count; i++)
        if (rig_permit(&b->rig, &b->flow[i], &permitted) != 0 ||
            rig_bind(&b->rig, &b->flow[i], &bound, CHANNEL) != 0)
            printf("  a permission failed\n");
    if (first)
        printf(", %zu more with a permission and a channel\n",
               (tr_mem_in_use() - before) / b->count);
}

static void data(struct bench *b, unsigned burst)
{
    static uint8_t channel[TR_TURN_CHANNEL_HEAD + PAYLOAD], send[PAYLOAD + 100], txid[TR_STUN_TXID];
    struct tr_addr bound = rig_peer(1), permitted = rig_peer(2);
    struct tr_wr w = tr_wr(send, sizeof send);

    b->burst = burst;
    permissions(b, false);
    tr_put16(channel, CHANNEL);
    tr_put16(channel + 2, PAYLOAD);
    tr_stun_begin(&w, TR_STUN_INDICATION, TR_TURN_SEND, txid);
    tr_stun_put_addr(&w, TR_TURN_XOR_PEER_ADDRESS, &permitted, true);
    tr_stun_put(&w, TR_TURN_DATA_ATTR, tr_slice(channel, PAYLOAD));
    printf("%u allocations, bursts of %u:\n", b->count, burst);
    to_peers(b, "ChannelData from a client", tr_slice(channel, sizeof channel));
    to_peers(b, "Send indication", tr_stun_end(&w));
    to_clients(b, "ChannelData to a client", &bound);
    to_clients(b, "Data indication", &permitted);
}

/* The requests are signed before the clock runs; what is measured is the server's part. */
static void allocations(struct bench *b)
{
    struct rig_msg *msg = malloc(b->count * sizeof *msg);
    struct tr_slice *request = malloc(b->count * sizeof *request);
    size_t before;
    double start;

    for (unsigned i = 0; i < b->count; i++) {
        b->flow[i] = rig_flow(i);
        rig_begin(&msg[i], &b->rig, TR_TURN_ALLOCATE);
        rig_put_transport(&msg[i], 17);
        request[i] = rig_sign(&b->rig, &b->flow[i], &msg[i]);
    }
    before = tr_mem_in_use();
    start = cpu_seconds();
    for (unsigned i = 0; i < b->count; i++) {
        if (rig_send(&b->rig, &b->flow[i], request[i]) != 0)
            printf("  an allocation failed: %d\n", b->rig.m.error_code);
        b->relay[i] = b->rig.last[TR_TURN_OPEN].relay;
    }
    printf("%u allocations: %.0f a second", b->count, b->count / (cpu_seconds() - start));
    printf(", %zu bytes each", (tr_mem_in_use() - before) / b->count);
    free(msg);
    free(request);
}

int main(int argc, char **argv)
{
    struct bench b = { .count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 20 };
    struct tr_turn_conf conf = { .relay_v4 = true,
                                 .allocations_max = b.count,
                                 .allocation_bps = UINT32_MAX,
                                 .allocation_pps = UINT32_MAX };

    if (b.count == 0 || rig_open(&b.rig, &conf) != TR_OK)
        return 1;
    b.flow = calloc(b.count, sizeof *b.flow);
    b.relay = calloc(b.count, sizeof *b.relay);
    if (!b.flow || !b.relay)
        return 1;
    allocations(&b);
    permissions(&b, true);
    data(&b, 1);
    data(&b, 16);
    free(b.flow);
    free(b.relay);
    rig_close(&b.rig);
    return 0;
}
