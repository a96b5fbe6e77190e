/* The names of the refusals, for metrics and logs. */
#include "turn/counters.h"

const char *tr_turn_refusal_name(enum tr_turn_refusal refusal)
{
    switch (refusal) {
    case TR_TURN_REFUSED_MALFORMED: return "malformed";
    case TR_TURN_REFUSED_NO_CREDENTIAL: return "no_credential";
    case TR_TURN_REFUSED_CREDENTIAL: return "credential";
    case TR_TURN_REFUSED_NONCE: return "nonce";
    case TR_TURN_REFUSED_THROTTLED: return "throttled";
    case TR_TURN_REFUSED_QUOTA: return "quota";
    case TR_TURN_REFUSED_CAPACITY: return "capacity";
    case TR_TURN_REFUSED_PEER: return "peer";
    case TR_TURN_REFUSED_FAMILY: return "family";
    case TR_TURN_REFUSED_TRANSPORT: return "transport";
    case TR_TURN_REFUSED_MOBILITY: return "mobility";
    case TR_TURN_REFUSED_UNKNOWN_FLOW: return "unknown_flow";
    case TR_TURN_REFUSED_UNKNOWN_CHANNEL: return "unknown_channel";
    case TR_TURN_REFUSED_NO_PERMISSION: return "no_permission";
    case TR_TURN_REFUSED_RATE: return "rate";
    case TR_TURN_REFUSED_COUNT: break;
    }
    return "?";
}
