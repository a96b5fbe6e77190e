// Changing camera, microphone or picture size in the middle of a call.

import type { MediaError } from '@tring/client';
import { closeMedia, openMedia, type Call, type MediaChoice } from '@tring/client';

/**
 * Opens `choice` and sends it instead of `before`; `stream` is what is sent from then on. Never
 * rejects: when the choice can't be had the call goes on with `fallback`, and `error` says why.
 */
export async function swapMedia(
  call: Call,
  before: MediaStream | null,
  choice: MediaChoice,
  fallback: MediaChoice,
): Promise<{ stream: MediaStream | null; error: MediaError | null }> {
  let error: MediaError | null = null;
  let stream = before;
  try {
    stream = await reopen(before, choice);
  } catch (thrown) {
    error = thrown as MediaError;
    if (isOpen(before)) return { stream: before, error };
    stream = await openMedia(fallback).catch(() => null);
  }
  if (call.state === 'ended') {
    closeMedia(stream);
    closeMedia(before);
    return { stream: null, error: null };
  }
  await call.replaceTrack('audio', stream?.getAudioTracks()[0] ?? null);
  await call.replaceTrack('video', stream?.getVideoTracks()[0] ?? null);
  closeMedia(before);
  return { stream, error };
}

/** A camera that is open keeps its picture size: for another one it may have to be closed first. */
async function reopen(before: MediaStream | null, choice: MediaChoice): Promise<MediaStream> {
  try {
    return await openMedia(choice);
  } catch (error) {
    const retry = ['constraints', 'in-use'].includes((error as MediaError).code);
    if (!retry || !before) throw error;
    closeMedia(before);
    return openMedia(choice);
  }
}

function isOpen(stream: MediaStream | null): boolean {
  return stream?.getTracks().every((track) => track.readyState === 'live') ?? false;
}
