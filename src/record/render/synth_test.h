/* Test media: participants that flash white and beep at the same moments, as RTP in a journal, with
 * the network and the clocks that a test chooses. Participant 0 does it at each full second with
 * 1 kHz, participant 1 half a second later with 2 kHz. */
#ifndef TR_RENDER_SYNTH_TEST_H
#define TR_RENDER_SYNTH_TEST_H

#include <stdbool.h>
#include <stdint.h>

enum { SYNTH_FPS = 30, SYNTH_PEOPLE_MAX = 3 };

struct synth_person {
    double media_ppm;                      /* both media clocks against true time */
    double wall_ppm;                       /* the sender's wall clock */
    int64_t wall_offset_us;                /* added to the sender's wall clock */
    int64_t wall_step_at_us, wall_step_us; /* 0: none */
    int64_t first_sr_us; /* reports from here on, one a second; negative: none at all */
    uint16_t seq0;
    uint32_t ts0;
    int audio_delay_us, video_delay_us, jitter_us;
    int loss_pct; /* most come again 80 ms later */
    int duplicate_pct;
    int corrupt_pct;                  /* packets with eight random bytes somewhere in the payload */
    int64_t mute_from_us, mute_to_us; /* no packets; 0: none */
    int64_t resize_at_us;             /* pictures of double size from here; 0: none */
    int64_t stall_from_us, stall_to_us; /* arrivals are held back, then come at once */
    bool h264;
    bool no_video, no_audio;
};

struct synth_conf {
    int seconds;
    int people;
    uint64_t seed;
    struct synth_person person[SYNTH_PEOPLE_MAX];
};

/* Makes the directory's journal, two segments or more; the call starts 500 ms before the media. */
bool synth_journal(const char *dir, const struct synth_conf *conf);

struct synth_result { /* measured on the product, per participant (cell from the left) */
    int pairs;        /* a flash and a beep within 300 ms */
    int flashes, beeps;
    double worst_ms, mean_ms; /* video minus audio */
    double first_flash_ms, last_flash_ms;
    int64_t duration_ms;
    int width, height;
};

/* A product that was rendered with the audio split: cell i against channel i. */
bool synth_measure(const char *path, int people, struct synth_result out[2]);
void synth_cleanup(void); /* frees the encoded clips */

#endif
