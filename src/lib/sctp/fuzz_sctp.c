/* Goal: nothing that a peer sends inside of its DTLS connection breaks an association, or its
 * channels, or the message parser.
 * Method: two associations that are up; then the input speaks for one of them. It is a list of
 * records: what to do, how many bytes, the bytes. A packet gets the header that usrsctp would
 * accept (ports, tag; checksums are off), and its DATA chunks the next sequence number, so that the
 * fuzzer reaches the state behind them. The other side goes on answering, and time passes. */
#include <netinet/in.h>

#include <usrsctp.h>

#include "sctp/sctp_test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum action { DO_CHUNKS, DO_RAW, DO_DATA, DO_TIME, DO_OPEN, DO_SEND, DO_CLOSE, DO_HOLD, ACTIONS };

static struct world w;

struct forger {   /* speaks in b's name */
    uint32_t tag; /* that a wants to see */
    uint32_t tsn; /* b's next */
};

/* What a expects is learnt from b's last packets: their tag, and the number of a DATA chunk. */
static void learn(struct forger *f)
{
    const uint8_t *p = w.b.last_packet;
    if (w.b.last_packet_len >= 12 && tr_get32(p + 4) != 0)
        f->tag = tr_get32(p + 4);
    if (w.b.last_packet_len >= 20 && p[12] == SCTP_DATA)
        f->tsn = tr_get32(p + 16) + 1;
}

static void forge(struct forger *f, struct tr_slice chunks)
{
    uint8_t packet[1500] = { 0x13, 0x88, 0x13, 0x88 };
    size_t n = chunks.n < sizeof packet - 12 ? chunks.n : sizeof packet - 12;
    tr_put32(packet + 4, f->tag);
    memcpy(packet + 12, chunks.p, n);
    if (n >= 16 && packet[12] == SCTP_DATA) { /* a small distance from what is next */
        f->tsn += (uint32_t)(packet[16] & 1);
        tr_put32(packet + 16, f->tsn++ + (uint32_t)(packet[16] >> 6));
    }
    (void)!tr_sctp_input(w.a.sctp, w.now, tr_slice(packet, 12 + n));
    settle(&w);
}

/* A whole message on a stream: kind, stream, bytes. */
static void forge_data(struct forger *f, struct tr_slice in)
{
    static const uint8_t ppids[] = { 50, 51, 53, 56, 57, 52, 54, 0 };
    uint8_t chunk[1024] = { SCTP_DATA, 3 };
    if (in.n < 3)
        return;
    size_t n = in.n - 3 < 1000 ? in.n - 3 : 1000;
    tr_put16(chunk + 2, (uint16_t)(16 + n));
    tr_put16(chunk + 8, tr_get16(in.p + 1) & 0x7ff);
    chunk[1] = in.p[0] >> 4;
    tr_put32(chunk + 12, ppids[in.p[0] & 7]);
    memcpy(chunk + 16, in.p + 3, n);
    forge(f, tr_slice(chunk, (16 + n + 3) & ~(size_t)3));
}

static void act(struct forger *f, enum action action, struct tr_slice in)
{
    static const struct tr_dcep_delivery reliable = { .reliability = TR_DCEP_RELIABLE };
    uint16_t channel = in.n > 0 ? in.p[0] : 0;
    switch (action) {
    case DO_CHUNKS: forge(f, in); break;
    case DO_RAW: (void)!tr_sctp_input(w.a.sctp, w.now, in); break;
    case DO_DATA: forge_data(f, in); break;
    case DO_TIME: run(&w, (in.n > 0 ? in.p[0] : 1) * 20 * TR_MSEC); break;
    case DO_OPEN: (void)open_channel(&w.a, "a", reliable); break;
    case DO_SEND: (void)!tr_sctp_send(w.a.sctp, channel, channel & 1, in); break;
    case DO_CLOSE: tr_sctp_close_channel(w.a.sctp, channel); break;
    case DO_HOLD: tr_sctp_hold(w.a.sctp, channel & 1); break;
    case ACTIONS: break;
    }
    settle(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct tr_dcep_delivery reliable = { .reliability = TR_DCEP_RELIABLE };
    struct tr_rd r = tr_rd(tr_slice(data, size));
    struct tr_dcep m;
    struct forger f = { 0 };
    (void)!tr_dcep_parse(&m, tr_slice(data, size));
    if (!world_open(&w))
        return 0;
    usrsctp_enable_crc32c_offload();
    settle(&w);
    int channel = open_channel(&w.b, "b", reliable); /* its OPEN shows b's numbers */
    settle(&w);
    if (channel >= 0)
        (void)!tr_sctp_send(w.b.sctp, (uint16_t)channel, false, tr_slice_str("x"));
    listen_to(&w, &w.b);
    learn(&f);
    settle(&w);
    w.b.cut = true;
    while (tr_rd_left(&r) > 1) {
        uint8_t action = tr_rd_u8(&r);
        size_t n = tr_rd_u8(&r) * (action & 0x80 ? 4u : 1u);
        n = n < tr_rd_left(&r) ? n : tr_rd_left(&r);
        act(&f, (enum action)((action & 0x7f) % ACTIONS), tr_rd_take(&r, n));
    }
    world_close(&w);
    return 0;
}
