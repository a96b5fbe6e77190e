// A recording that is played in the agent page, from Play to its end.

import { until } from './wait.mjs';

/** Plays the newest recording; gives { seconds, width, height, frames }. */
export async function playToEnd(agent, limit = 60_000) {
  await agent.untilRecording('ready');
  await agent.click('.play-button');
  await agent.untilThere('.recording-player');
  const state = () => agent.page.evaluate(readPlayer);
  return until(
    'the player is at its end',
    async () => {
      const now = await state();
      if (now.error) throw new Error(now.error);
      return now.ended ? now : null;
    },
    { limit },
  );
}

/** Runs in the page. */
function readPlayer() {
  const video = document.querySelector('.recording-player');
  return {
    error: video.error?.message ?? (video.error ? String(video.error.code) : null),
    ended: video.ended,
    seconds: video.duration,
    position: video.currentTime,
    width: video.videoWidth,
    height: video.videoHeight,
    frames: video.getVideoPlaybackQuality().totalVideoFrames,
  };
}

/** Jumps; true when it plays on from there. */
export async function seekTo(agent, seconds) {
  await agent.page.evaluate((to) => {
    const video = document.querySelector('.recording-player');
    video.currentTime = to;
    return video.play();
  }, seconds);
  await until('it plays on', async () => {
    const { position } = await agent.page.evaluate(readPlayer);
    return position > seconds + 0.5;
  });
}
