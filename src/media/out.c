/* A path says by itself what it is made of, so there is nothing to look up for UDP. While a batch
 * is handed out here, the part of the send queue that it lies in is held (tr_udp_hold): a way out
 * that needs the queue itself, as the relay's does, can reserve without running over packets that
 * have not had their turn. */
#include "media/out.h"

#include "media/relay.h"
#include "media/tcp.h"
#include "media/worker.h"

/* datagrams: one after the other, each of `segment` bytes and the last one maybe shorter. */
static void out_other(struct worker *w, const struct tr_path *path, struct tr_slice datagrams,
                      uint16_t segment)
{
    if (path->remote.proto == TR_PROTO_TCP)
        tcp_out(w, path, datagrams, segment);
    else
        relay_out(w, path, datagrams, segment);
}

void out_run(struct worker *w, const struct tr_tx_msg *msg)
{
    uint16_t segment = msg->count > 1 ? msg->segment : 0;
    if (msg->path->remote.proto == TR_PROTO_UDP)
        tr_udp_commit(w->udp, msg->path, msg->p, msg->len, segment);
    else
        out_other(w, msg->path, tr_slice(msg->p, msg->len), segment ? segment : (uint16_t)msg->len);
}

void out_datagram(struct worker *w, const struct tr_path *path, struct tr_slice datagram)
{
    if (path->remote.proto == TR_PROTO_UDP)
        tr_udp_send(w->udp, path, datagram);
    else if (datagram.n > 0 && datagram.n <= UINT16_MAX)
        out_other(w, path, datagram, (uint16_t)datagram.n);
}
