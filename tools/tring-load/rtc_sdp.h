/* Descriptions of one client: its offer as a struct, and what an agreed pair means for the peer. */
#ifndef TR_RTC_SDP_H
#define TR_RTC_SDP_H

#include "peer/track.h"
#include "tring-load/rtc.h"

/* Audio and video as wished for, one bundled transport. NOMEM. */
TR_MUST_USE enum tr_err rtc_sdp_offer(struct rtc *c, struct tr_arena *arena, struct tr_sdp **out);
/* Our side for tr_sdp_answer; candidate is borrowed by out. */
void rtc_sdp_local(const struct rtc *c, const char *const *candidate, struct tr_sdp_local *out);
/* Our host candidate as a line. */
void rtc_sdp_candidate(const struct rtc *c, char *out, size_t size);
extern const char rtc_cname[];                      /* of all that the clients send */
extern const char *const rtc_rids[TR_TRACK_LAYERS]; /* of simulcast layers, lowest first */

#endif
