/* Goal: of the addresses of this machine those that will go by themselves are told from the others.
 * Method: a table as the system has it, in a file. */
#include "net/ifaddr.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

static bool lasts(const char *ip, const char *table)
{
    struct tr_addr a = { 0 };
    CHECK_INT(tr_addr_parse_ip(&a, ip, 0), TR_OK);
    return tr_ifaddr_lasts(&a, table);
}

TEST(ifaddr_tells_what_lasts)
{
    static const char text[] = "20010db8000000000000000000000001 02 40 00 80 eth0\n"
                               "20010db8000000000000000000000002 02 40 00 01 eth0\n"
                               "20010db8000000000000000000000003 02 40 00 a0 eth0\n"
                               "20010db8000000000000000000000004 02 40 00 c8 eth0\n"
                               "20010db8000000000000000000000005 02\n"
                               "no line at all\n"
                               "00000000000000000000000000000001 01 80 10 80       lo\n";
    char path[] = "/tmp/tring-ifaddr-XXXXXX";
    int fd = mkstemp(path);
    if (!CHECK(fd >= 0 && write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1))
        return;
    close(fd);
    CHECK(lasts("2001:db8::1", path) && lasts("::1", path));
    CHECK(!lasts("2001:db8::2", path)); /* temporary */
    CHECK(!lasts("2001:db8::3", path)); /* deprecated */
    CHECK(!lasts("2001:db8::4", path)); /* another machine has it */
    CHECK(lasts("2001:db8::5", path) && lasts("2001:db8::6", path) && lasts("192.0.2.1", path));
    unlink(path);
    CHECK(lasts("2001:db8::2", path) && lasts("::1", NULL));
}
