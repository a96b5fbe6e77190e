/* What workers have to do with data channels: SCTP packets go to the data thread as they come out
 * of DTLS, and into DTLS as they come from there. */
#include "media/data_thread.h"
#include "media/worker.h"

enum { DATA_BPS = 25000000 }; /* what a client may send, times RATE_TIMES */

void wpeer_data_in(struct wpeer *p, struct tr_slice packet)
{
    struct worker *w = p->worker;
    if (!p->data) {
        w->counters.drops[TR_DROP_DATA_UNWANTED]++;
        return;
    }
    if (!rate_take(&p->data_rate, w->now, packet.n)) {
        w->counters.drops[TR_DROP_RATE]++;
        return;
    }
    struct tr_pkt *pkt = packet.n <= TR_PKT_DATA_MAX ? tr_pkt_alloc(w->pool) : NULL;
    if (!pkt) {
        w->counters.drops[TR_DROP_NO_BUFFER]++;
        return;
    }
    memcpy(tr_pkt_data(pkt), packet.p, packet.n);
    pkt->len = (uint16_t)packet.n;
    if (data_thread_packet(w->media->data, p->id, pkt) != TR_OK) {
        w->counters.drops[TR_DROP_DATA_QUEUE]++;
        tr_pkt_unref(&pkt);
    }
}

/* Packets of one message fit the queue of DTLS, if that is empty: so the peer speaks at once. */
static void data_out(struct worker *w, struct wpeer *p, const struct msg *m)
{
    for (int i = 0; i < m->u.data.count; i++) {
        struct tr_pkt *pkt = m->u.data.pkts[i];
        if (!p || tr_peer_send_data(p->peer, tr_pkt_slice(pkt)) != TR_OK)
            w->counters.drops[TR_DROP_DATA_QUEUE]++;
        tr_pkt_unref(&pkt);
    }
    if (p)
        wpeer_speak(p);
}

void worker_data_message(struct worker *w, const struct msg *m)
{
    struct wpeer *p = wpeer_find(w, m->peer);
    if (m->kind == MSG_DATA) {
        data_out(w, p, m);
    } else if (p && !p->data) {
        p->data = true;
        rate_init(&p->data_rate, DATA_BPS, w->now);
    }
}
