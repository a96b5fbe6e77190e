/* Raw bytes into the listeners: malformed HTTP and WebSocket frames through the library and our
 * callbacks, over a socket pair. The first byte of the input says where:
 *   bit 0  the Admin listener     bit 1  a WebSocket hand-shake comes first
 *   bit 2  the bytes are frames to be masked (each: opcode, length, bytes) rather than raw
 * bits 3..5: the bytes come in that many pieces. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "gateway/test_fake_pc.h"
#include "gateway/transport/web.h"
#include "net/log.h"

static struct rig rig;
static struct tr_web *web;

static void quiet(void *arg, const char *line, size_t n)
{
}

static void start(void)
{
    static const struct tr_gateway_conf conf = { .admin_secret = "boss",
                                                 .session_timeout = 60 * TR_SECOND };
    tr_log_set_sink(quiet, NULL);
    if (rig_create(&rig, &conf) != TR_OK)
        abort();
    const struct tr_web_conf web_conf = { .gw = rig.gw,
                                          .listen = "127.0.0.1",
                                          .port = -1,
                                          .admin_port = -1,
                                          .body_max = 4096,
                                          .ws_message_max = 4096,
                                          .ws_queue_max = 65536 };
    if (tr_web_create(&web, &web_conf) != TR_OK)
        abort();
}

static void turns(int fd, int count)
{
    char sink[4096];
    for (int i = 0; i < count; i++) {
        tr_web_poll(web);
        while (read(fd, sink, sizeof(sink)) > 0)
            ;
    }
}

static void put(int fd, const void *p, size_t n)
{
    if (write(fd, p, n) < 0)
        return; /* it was closed: as good an answer as any */
}

static void shake_hands(int fd, bool admin)
{
    char text[512];
    int n = snprintf(text, sizeof(text),
                     "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Protocol: %s\r\n\r\n",
                     admin ? "janus-admin-protocol" : "janus-protocol");
    put(fd, text, (size_t)n);
    turns(fd, 4);
}

static void put_frames(int fd, const uint8_t *p, size_t n)
{
    while (n >= 2) {
        uint8_t frame[6 + 255] = { p[0], 0x80 };
        size_t len = p[1] < n - 2 ? p[1] : n - 2;
        size_t head = 6;
        if (len > 125)
            len = 125;
        frame[1] |= (uint8_t)len;
        memcpy(frame + head, p + 2, len);
        put(fd, frame, head + len);
        p += 2 + len;
        n -= 2 + len;
        turns(fd, 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fds[2];
    if (!web)
        start();
    if (size < 2 || size > 8192 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
        return 0;
    uint8_t how = data[0];
    data++, size--;
    if (!tr_web_adopt(web, fds[1], how & 1)) {
        close(fds[0]);
        return 0;
    }
    turns(fds[0], 2);
    if (how & 2)
        shake_hands(fds[0], how & 1);
    if ((how & 6) == 6) {
        put_frames(fds[0], data, size);
    } else {
        size_t pieces = 1 + (how >> 3 & 7), step = size / pieces + 1;
        for (size_t i = 0; i < size; i += step) {
            put(fds[0], data + i, size - i < step ? size - i : step);
            turns(fds[0], 2);
        }
    }
    turns(fds[0], 3);
    close(fds[0]);
    for (int i = 0; i < 6; i++)
        tr_web_poll(web);
    return 0;
}
