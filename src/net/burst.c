/* How many datagrams a message holds is read from the message itself, so that there is no second
 * list to keep. */
#include "net/burst.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

void tr_burst_segment(struct msghdr *hdr, void *control, uint16_t segment)
{
    hdr->msg_control = control;
    hdr->msg_controllen = CMSG_SPACE(sizeof(uint16_t));
    struct cmsghdr *c = CMSG_FIRSTHDR(hdr);
    c->cmsg_level = IPPROTO_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    memcpy(CMSG_DATA(c), &segment, sizeof segment);
}

static uint16_t segment_of(struct msghdr *hdr)
{
    uint16_t segment = 0;
    struct cmsghdr *c = CMSG_FIRSTHDR(hdr);
    if (c)
        memcpy(&segment, CMSG_DATA(c), sizeof segment);
    return segment;
}

static size_t bytes_of(const struct msghdr *hdr)
{
    size_t bytes = 0;
    for (size_t i = 0; i < hdr->msg_iovlen; i++)
        bytes += hdr->msg_iov[i].iov_len;
    return bytes;
}

static size_t datagrams_of(struct msghdr *hdr)
{
    uint16_t segment = segment_of(hdr);
    return segment ? (bytes_of(hdr) + segment - 1) / segment : 1;
}

/* UDP_SEGMENT needs checksums by the device (EIO, which will not change) and datagrams within the
 * path's MTU (other errors, of this one receiver). */
static void send_cut(int fd, struct msghdr *hdr, struct tr_udp_counters *counters)
{
    uint16_t segment = segment_of(hdr);
    for (size_t i = 0; i < hdr->msg_iovlen; i++) {
        const struct iovec *iov = &hdr->msg_iov[i];
        for (size_t at = 0; at < iov->iov_len; at += segment) {
            size_t left = iov->iov_len - at, n = left < segment ? left : segment;
            ssize_t sent = sendto(fd, (const uint8_t *)iov->iov_base + at, n, MSG_DONTWAIT,
                                  hdr->msg_name, hdr->msg_namelen);
            counters->sends++;
            counters->datagrams_out += sent >= 0;
            counters->bytes_out += sent >= 0 ? n : 0;
            counters->send_dropped += sent < 0;
        }
    }
}

/* A socket that asked for ICMP errors is told of one by the next call, whatever that is about. */
static bool is_of_another(int why)
{
    return why == ECONNREFUSED || why == EHOSTUNREACH || why == ENETUNREACH || why == ENOPROTOOPT;
}

static void not_taken(int fd, struct msghdr *hdr, int why, struct tr_udp_counters *counters,
                      bool *gso)
{
    bool full = why == EAGAIN || why == EWOULDBLOCK || why == ENOBUFS;
    if (segment_of(hdr) == 0 || full) {
        counters->send_dropped += datagrams_of(hdr);
        return;
    }
    if (why == EIO)
        *gso = false;
    send_cut(fd, hdr, counters);
}

void tr_burst_send(int fd, struct mmsghdr *msgs, int n, struct tr_udp_counters *counters, bool *gso)
{
    bool again = false;
    for (int first = 0; first < n;) {
        int sent = sendmmsg(fd, msgs + first, (unsigned)(n - first), MSG_DONTWAIT);
        counters->sends++;
        for (int i = 0; i < sent; i++, first++) {
            counters->datagrams_out += datagrams_of(&msgs[first].msg_hdr);
            counters->bytes_out += msgs[first].msg_len;
        }
        if (sent > 0)
            again = false;
        if (sent > 0 || errno == EINTR)
            continue;
        if (!again && is_of_another(errno)) {
            again = true;
            continue;
        }
        not_taken(fd, &msgs[first++].msg_hdr, errno, counters, gso);
        again = false;
    }
}
