/* A row ends after conf.packets packets and the next one begins: clients know this rhythm from
 * Janus, and a threshold on whole rows does not flutter with each syllable. */
#include "media/talk.h"

bool tr_talk_packet(struct tr_talk *talk, tr_usec now, uint8_t level)
{
    if (talk->conf.packets == 0)
        return false;
    talk->sum += level;
    if (++talk->count < talk->conf.packets)
        return false;
    talk->mean = (uint8_t)(talk->sum / talk->count);
    talk->sum = talk->count = 0;
    bool on = talk->mean < talk->conf.level;
    if (on == talk->on || now - talk->changed_us < TR_TALK_CHANGE_US)
        return false;
    talk->on = on;
    talk->changed_us = now;
    return true;
}
