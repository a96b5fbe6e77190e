/* Media of one handle to another (or back to itself): the wishes that the 1:1 plugins take from
 * their clients, and the routes that follow from them. */
#ifndef TR_RELAY_H
#define TR_RELAY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/idtab.h"
#include "base/time.h"
#include "gateway/pc.h"

struct tr_handle;

struct tr_relay_wishes {
    bool audio, video; /* of the sender: whether its media is passed on */
    uint32_t bitrate;  /* of the sender: REMB bound, bit/s; 0: 10 Mbit/s */
    int substream;     /* of the receiver: simulcast bounds */
    int temporal;
    tr_usec fallback_us;
};

/* What a handle gets at present, as the media engine told; reset by tr_relay_layers_reset. */
struct tr_relay_layers {
    int mline;
    int substream; /* -1: not known, or no simulcast */
    int temporal;
};

/* Routes from one handle's m-lines to another's of the same index. Zeroed: nothing is wired. */
struct tr_relay {
    tr_id routes[TR_PC_MLINES_MAX];
    int count;
    tr_id data; /* route of data channels */
};

struct tr_relay_wishes tr_relay_wishes_default(void);
/* Takes the members that are there; the caller has checked their types. A bitrate or fallback
 * beyond what makes sense counts as the most that does. INVAL with *field set when a layer is
 * out of range. */
TR_MUST_USE enum tr_err tr_relay_wishes_read(struct tr_relay_wishes *wishes, const json_t *body,
                                             const char **field);
/* Wires every m-line that `from` sends and `to` receives, or changes what is wired already.
 * sender's wishes decide what is passed on, receiver's which layers. The engine itself asks for
 * a key frame where a route starts, resumes or changes its layer. */
void tr_relay_wire(struct tr_relay *relay, struct tr_media *media, const struct tr_handle *from,
                   const struct tr_handle *to, const struct tr_relay_wishes *sender,
                   const struct tr_relay_wishes *receiver);
/* The same for data channels, which tr_relay_wire leaves alone. prefix: as in media/data.h. */
void tr_relay_wire_data(struct tr_relay *relay, struct tr_media *media,
                        const struct tr_handle *from, const struct tr_handle *to,
                        const char *prefix);
void tr_relay_unwire(struct tr_relay *relay, struct tr_media *media);

void tr_relay_layers_reset(struct tr_relay_layers *layers);
/* Notes a change (-1: none) and returns the members that tell it to the client:
 * {"videocodec":"vp8","substream":n,"temporal":n}. New reference; NULL when memory is out. */
json_t *tr_relay_layers_changed(struct tr_relay_layers *layers, const struct tr_handle *handle,
                                int mline, int substream, int temporal);
/* The same members for a body that asks for layers which the client gets already: clients wait for
 * that word. NULL when there is nothing to say. */
json_t *tr_relay_layers_asked(const struct tr_relay_layers *layers, const struct tr_handle *handle,
                              const json_t *body);

#endif
