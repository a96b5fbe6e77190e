/* Which of the offered codecs an answer takes; shared by the files of negotiate.h. */
#ifndef TR_SDP_CHOOSE_H
#define TR_SDP_CHOOSE_H

#include <stdbool.h>

#include "sdp/negotiate.h"

bool tr_sdp_listed(const struct tr_sdp_policy *p, enum tr_sdp_kind kind, enum tr_codec codec);
/* A main codec out of the offer, or NULL when there is none in common. */
const struct tr_sdp_codec *tr_sdp_choose(const struct tr_sdp_policy *p,
                                         const struct tr_sdp_media *offer);
/* The RED format (RFC 2198) whose blocks are all of this codec of m. */
const struct tr_sdp_codec *tr_sdp_red_of(const struct tr_sdp_media *m,
                                         const struct tr_sdp_codec *codec);
/* Whether a RED format has only blocks of one codec, which m has, too. */
bool tr_sdp_red_wraps(const struct tr_sdp_media *m, const struct tr_sdp_codec *red);

#endif
