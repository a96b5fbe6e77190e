/* janus.plugin.echotest: a client gets back what it sends (janus-api.md section 2.5). */
#ifndef TR_ECHOTEST_H
#define TR_ECHOTEST_H

struct tr_plugin;
struct tr_recorder;

/* recorder: for "record" requests; NULL: none. NULL when memory is out. */
struct tr_plugin *tr_echotest_create(struct tr_recorder *recorder);

#endif
