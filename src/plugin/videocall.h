/* janus.plugin.videocall: calls between two registered users (janus-api.md section 2.1), and the
 * observer through which the support desk follows them. */
#ifndef TR_VIDEOCALL_H
#define TR_VIDEOCALL_H

#include <stdint.h>

#include "base/err.h"
#include "base/time.h"

struct tr_handle;
struct tr_plugin;
struct tr_recorder;

enum {
    TR_VIDEOCALL_NAME_MAX = 128, /* bytes with the NUL */
    TR_VIDEOCALL_USERS_MAX = 65536,
    TR_VIDEOCALL_LIST_MAX = 4096 /* names that "list" tells */
};

struct tr_call_party {
    const char *username;
    struct tr_handle *handle;
};

/* caller is party 0. Of a call that rings, ringing is told once, then answered when it is
 * accepted and again after each renegotiation, then ended once. The handles are usable during
 * the call-back only, and nothing of this plugin may be called from there. */
struct tr_call_observer {
    void (*ringing)(void *arg, uint64_t call, const struct tr_call_party party[2], tr_usec now);
    /* both sides are negotiated (again): their ends can be recorded */
    void (*answered)(void *arg, uint64_t call, const struct tr_call_party party[2], tr_usec now);
    void (*ended)(void *arg, uint64_t call, const char *reason, tr_usec now);
    void *arg;
};

/* observer: copied; NULL: none. recorder: for clients' own "record" requests; NULL: they are
 * refused quietly, as when recording is off. NULL when memory is out. */
struct tr_plugin *tr_videocall_create(const struct tr_call_observer *observer,
                                      struct tr_recorder *recorder);

#endif
