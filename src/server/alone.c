/* The media engine without media: its workers have only the relay to do. This thread waits for the
 * end. */
#include "server/alone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "dtls/dtls.h"
#include "media/media.h"
#include "net/clock.h"
#include "net/mailbox.h"
#include "net/random.h"
#include "net/signals.h"
#include "net/waiter.h"
#include "server/addresses.h"
#include "server/config.h"
#include "server/turn.h"
#include "server/version.h"

struct alone {
    struct tr_rng rng;
    struct tr_dtls_cert *cert;
    struct tr_turn_service *turn;
    struct tr_media *media;
    struct tr_mailbox *end;
};

static void asked_to_stop(void *arg, int count)
{
    struct alone *a = arg;
    if (count > 1 || tr_mailbox_post(a->end, &count) != TR_OK)
        _exit(EXIT_FAILURE); /* asked twice: now */
}

static enum tr_err open_relay(struct alone *a, const struct tr_config *config, const char **why)
{
    struct tr_media_conf conf = { .workers = (int)config->media.workers,
                                  .packets_max = (uint32_t)config->media.packets_max,
                                  .gso = config->media.gso };
    a->rng = tr_random_system();
    a->cert = tr_dtls_cert_create(tr_clock_unix_us() / TR_SECOND);
    a->end = tr_mailbox_create(2, sizeof(int), NULL, NULL);
    *why = "out of memory";
    if (!a->cert || !a->end)
        return TR_ERR_NOMEM;
    conf.cert = a->cert;
    conf.bind_count = tr_server_addresses(config, conf.bind);
    tr_server_map_addresses(config, &a->rng, conf.bind, conf.known, conf.bind_count);
    enum tr_err err = tr_turn_service_create(&a->turn, config, &a->rng, true, &conf, why);
    if (err != TR_OK)
        return err;
    conf.bind_count = 0;
    *why = "the relay cannot be started; see turn.port, turn.bind, turn.min_port";
    err = tr_media_create(&a->media, &conf);
    if (err == TR_OK)
        tr_turn_service_media(a->turn, a->media);
    return err;
}

static void wait_for_end(struct alone *a)
{
    int count, waiter = tr_waiter_open();
    if (waiter < 0 || tr_waiter_add(waiter, tr_mailbox_fd(a->end), 0) != TR_OK)
        return;
    while (!tr_mailbox_take(a->end, &count)) {
        if (!tr_mailbox_sleep(a->end))
            continue;
        tr_waiter_wait(waiter, TR_NEVER);
        tr_mailbox_awake(a->end);
    }
    tr_waiter_close(waiter);
}

int tr_relay_alone(const struct tr_config *config)
{
    struct alone a = { 0 };
    struct tr_signals *signals = NULL;
    const char *why = "";
    tr_signals_block();
    enum tr_err err = open_relay(&a, config, &why);
    if (err == TR_OK)
        err = tr_signals_start(&signals, asked_to_stop, &a);
    if (err == TR_OK) {
        printf("Tring " TRING_VERSION " is ready: turn port %d  (Ctrl-C ends it)\n",
               tr_media_turn_port(a.media));
        fflush(stdout);
        wait_for_end(&a);
    } else {
        fprintf(stderr, "tring: %s\n", why);
    }
    tr_signals_stop(signals);
    tr_media_destroy(a.media);
    tr_turn_service_destroy(a.turn);
    tr_dtls_cert_destroy(a.cert);
    tr_mailbox_destroy(a.end);
    return err == TR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
