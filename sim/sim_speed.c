/* How fast the simulator runs: prints simulated call-seconds a second of wall time for a call of
 * two with audio and video (1 Mbit/s) both ways over a link with 1 % loss. Everything in it is real
 * but the network: ICE, DTLS, SRTP, RTCP, repair. Built by `ninja sim/sim_speed`; an argument says
 * how many seconds to simulate. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sim/call.h"

static double wall_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC,
                  &t); /* tidy: allow clock_gettime - measures the simulator itself */
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    static struct sim_call call;
    struct sim_identity identities[SIM_SIDES] = { 0 };
    long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 600;
    struct sim_link link = { .loss_ppm = 10000, .delay_us = 30 * TR_MSEC, .jitter_us = TR_MSEC };
    struct sim_call_conf conf = { .up = link, .down = link };
    struct sim *sim = sim_create(1);

    sim_seed_openssl(1);
    if (!sim || sim_identity_init(&identities[0]) != TR_OK ||
        sim_identity_init(&identities[1]) != TR_OK ||
        sim_call_init(&call, sim, identities, &conf) != TR_OK) {
        fputs("out of memory\n", stderr);
        return 1;
    }
    double begin = wall_seconds();
    sim_run(sim, seconds * TR_SECOND);
    double took = wall_seconds() - begin;
    const struct sim_stats *s = sim_stats(sim);
    printf("%.0f simulated call-seconds a second (%ld s in %.2f s, %.2f us a datagram)\n",
           (double)seconds / took, seconds, took, took * 1e6 / (double)s->sent);
    int ok = call.sides[SIM_SERVER].peer.up && call.sides[SIM_SERVER].receivers[1].corrupt == 0;
    sim_call_deinit(&call);
    sim_destroy(sim);
    for (int i = 0; i < SIM_SIDES; i++)
        sim_identity_deinit(&identities[i]);
    return ok ? 0 : 1;
}
