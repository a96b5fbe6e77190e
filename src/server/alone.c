/* The media engine without media: its workers have only the relay to do. This thread looks at the
 * certificate now and then, and waits for the end. */
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
#include "server/certs.h"
#include "server/config.h"
#include "server/turn.h"
#include "server/version.h"

enum { NEWS_SLOTS = 16 };

struct alone {
    struct tr_rng rng;
    struct tr_dtls_cert *cert;
    struct tr_turn_service *turn;
    struct tr_media *media;
    struct tr_certs *certs;
    struct tr_mailbox *news; /* enum news: from the signal thread */
};

enum news { STOP, LOOK };

static void asked_to_stop(void *arg, int count)
{
    const struct alone *a = arg;
    const enum news stop = STOP;
    if (count > 1 || tr_mailbox_post(a->news, &stop) != TR_OK)
        _exit(EXIT_FAILURE); /* asked twice: now */
}

static void asked_to_look(void *arg)
{
    const struct alone *a = arg;
    const enum news look = LOOK;
    tr_certs_ask(a->certs);
    (void)!tr_mailbox_post(a->news, &look); /* full: it will look at the last one */
}

static enum tr_err open_relay(struct alone *a, const struct tr_config *config, const char **why)
{
    struct tr_media_conf conf = { .workers = (int)config->media.workers,
                                  .packets_max = (uint32_t)config->media.packets_max,
                                  .gso = config->media.gso,
                                  .coalesce_us = config->media.coalesce };
    a->rng = tr_random_system();
    a->cert = tr_dtls_cert_create(tr_clock_unix_us() / TR_SECOND);
    a->certs = tr_certs_create(tr_clock_now());
    a->news = tr_mailbox_create(NEWS_SLOTS, sizeof(enum news), NULL, NULL);
    *why = "out of memory";
    if (!a->cert || !a->certs || !a->news)
        return TR_ERR_NOMEM;
    conf.cert = a->cert;
    conf.bind_count = tr_server_addresses(config, conf.bind);
    tr_server_map_addresses(config, &a->rng, conf.bind, conf.known, conf.bind_count);
    enum tr_err err = tr_turn_service_create(&a->turn, config, &a->rng, a->certs, true, &conf, why);
    if (err != TR_OK)
        return err;
    conf.bind_count = 0;
    *why = "the relay cannot be started; see turn.port, turn.bind, turn.min_port";
    err = tr_media_create(&a->media, &conf);
    if (err == TR_OK)
        tr_turn_service_media(a->turn, a->media);
    return err;
}

/* Does what is due; how long there is nothing then. */
static tr_usec timers(struct alone *a)
{
    tr_usec now = tr_clock_now();
    if (tr_certs_next_timeout(a->certs) <= now)
        tr_certs_timeout(a->certs, now);
    tr_usec next = tr_certs_next_timeout(a->certs);
    if (!tr_media_flush(a->media))
        next = tr_usec_min(next, now + TR_MSEC);
    return next == TR_NEVER ? TR_NEVER : next - now;
}

static void run(struct alone *a)
{
    enum news news = LOOK;
    int waiter = tr_waiter_open();
    if (waiter < 0 || tr_waiter_add(waiter, tr_mailbox_fd(a->news), 0) != TR_OK)
        return;
    while (!tr_mailbox_take(a->news, &news) || news != STOP) {
        tr_usec timeout = timers(a);
        if (!tr_mailbox_sleep(a->news))
            continue;
        tr_waiter_wait(waiter, timeout);
        tr_mailbox_awake(a->news);
    }
    tr_waiter_close(waiter);
}

int tr_relay_alone(const struct tr_config *config)
{
    struct alone a = { 0 };
    const struct tr_signals_conf on_signals = { asked_to_stop, asked_to_look, &a };
    struct tr_signals *signals = NULL;
    const char *why = "";
    tr_signals_block();
    enum tr_err err = open_relay(&a, config, &why);
    if (err == TR_OK)
        err = tr_signals_start(&signals, &on_signals);
    if (err == TR_OK) {
        printf("Tring " TRING_VERSION " is ready: turn port %d  (Ctrl-C ends it)\n",
               tr_media_turn_port(a.media));
        fflush(stdout);
        run(&a);
    } else {
        fprintf(stderr, "tring: %s\n", why);
    }
    tr_signals_stop(signals);
    tr_media_destroy(a.media);
    tr_turn_service_destroy(a.turn);
    tr_certs_destroy(a.certs);
    tr_dtls_cert_destroy(a.cert);
    tr_mailbox_destroy(a.news);
    return err == TR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
