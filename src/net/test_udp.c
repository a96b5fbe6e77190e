/* Goal: datagrams go out whole where the kernel cannot cut a message into them by UDP_SEGMENT.
 * Method: a child in a network of its own, whose loopback has an MTU below the datagrams. Where the
 * system does not let us make one, the test says so and passes. */
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/udp.h"
#include "net/waiter.h"
#include "unit.h"

enum { MTU = 1000, SIZE = 1300, LAST = 700, COUNT = 10, NO_NETWORK = 77 };

static bool narrow_network(void)
{
    struct ifreq r = { .ifr_name = "lo", .ifr_mtu = MTU };
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return false;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && ioctl(fd, SIOCSIFMTU, &r) == 0;
    r.ifr_flags = IFF_UP | IFF_RUNNING;
    ok = ok && ioctl(fd, SIOCSIFFLAGS, &r) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static void take(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    int *got = arg;
    (void)path;
    *got += datagram.n == SIZE || datagram.n == LAST;
}

/* One message of COUNT datagrams from one socket to another; how many arrive. */
static int transfer(struct tr_udp *from, struct tr_udp *to)
{
    int got = 0, waiter = tr_waiter_open();
    struct tr_path path = { .local = tr_addr_v4(127, 0, 0, 1, tr_udp_port(from)),
                            .remote = tr_addr_v4(127, 0, 0, 1, tr_udp_port(to)) };
    size_t n = SIZE * (COUNT - 1) + LAST;
    uint8_t *p = tr_udp_reserve(from, n);
    memset(p, 7, n);
    tr_udp_commit(from, &path, p, n, SIZE);
    tr_udp_flush(from);
    if (tr_waiter_add(waiter, tr_udp_fd(to, 0), 0) == TR_OK) {
        while (got < COUNT && tr_waiter_wait(waiter, TR_SECOND) != 0)
            (void)tr_udp_receive(to, 0, take, &got);
    }
    tr_waiter_close(waiter);
    return got;
}

static int in_narrow_network(void)
{
    struct tr_addr any_port = tr_addr_v4(127, 0, 0, 1, 0);
    struct tr_udp *from = NULL, *to = NULL;
    int status = 1;
    if (!narrow_network())
        return NO_NETWORK;
    if (tr_udp_open(&from, &any_port, 1, 0, true) == TR_OK &&
        tr_udp_open(&to, &any_port, 1, 0, true) == TR_OK)
        status = transfer(from, to) != COUNT || tr_udp_counters(from)->send_dropped != 0 ||
                 tr_udp_counters(from)->datagrams_out != COUNT;
    tr_udp_close(from);
    tr_udp_close(to);
    return status;
}

TEST(datagrams_above_the_mtu_go_one_by_one)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(in_narrow_network());
    if (!CHECK(child > 0) || !CHECK(waitpid(child, &status, 0) == child))
        return;
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_NETWORK)
        unit_note("    no network of our own here: not tested");
    else
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(datagrams_of_one_message_arrive)
{
    struct tr_addr any_port = tr_addr_v4(127, 0, 0, 1, 0);
    for (int gso = 0; gso < 2; gso++) {
        struct tr_udp *from = NULL, *to = NULL;
        CHECK(tr_udp_open(&from, &any_port, 1, 0, gso) == TR_OK);
        CHECK(tr_udp_open(&to, &any_port, 1, 0, gso) == TR_OK);
        CHECK_INT(transfer(from, to), COUNT);
        CHECK_INT(tr_udp_counters(from)->datagrams_out, COUNT);
        CHECK_INT(tr_udp_counters(from)->bytes_out, SIZE * (COUNT - 1) + LAST);
        tr_udp_close(from);
        tr_udp_close(to);
    }
}
