/* `tring turn`: the relay of the configuration and nothing else. */
#ifndef TR_ALONE_H
#define TR_ALONE_H

struct tr_config;

/* Runs until SIGINT or SIGTERM; returns the exit status of the program. */
int tr_relay_alone(const struct tr_config *config);

#endif
