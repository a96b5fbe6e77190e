/* Which of the offered codecs an answer takes; shared by the files of negotiate.h. */
#ifndef TR_SDP_CHOOSE_H
#define TR_SDP_CHOOSE_H

#include <stdbool.h>

#include "sdp/negotiate.h"

bool tr_sdp_listed(const struct tr_sdp_policy *p, enum tr_sdp_kind kind, enum tr_codec codec);
/* A main codec out of the offer, or NULL when there is none in common. */
const struct tr_sdp_codec *tr_sdp_choose(const struct tr_sdp_policy *p,
                                         const struct tr_sdp_media *offer);

#endif
