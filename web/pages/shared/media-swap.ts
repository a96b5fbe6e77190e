// Changing camera, microphone or picture size in the middle of a call.

import { closeMedia, openMedia, type Call, type MediaChoice } from '@tring/client';

/** Opens the choice and sends it instead of `before`. Rejects with a MediaError: then `before` stays. */
export async function swapMedia(
  call: Call,
  before: MediaStream | null,
  choice: MediaChoice,
): Promise<MediaStream> {
  const after = await openMedia(choice);
  if (call.state === 'ended') {
    closeMedia(after);
    return before ?? after;
  }
  await call.replaceTrack('audio', after.getAudioTracks()[0] ?? null);
  await call.replaceTrack('video', after.getVideoTracks()[0] ?? null);
  closeMedia(before);
  return after;
}
