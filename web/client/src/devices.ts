// Cameras and microphones: what there is, what may be used, and opening a pair of them.

import { MediaError, toMediaError } from './errors.js';
import type { Unsubscribe } from './emitter.js';

/** How much video to send. */
export type VideoPreset = 'audio-only' | '360p' | '720p' | '1080p';

export const VIDEO_PRESETS: readonly VideoPreset[] = ['audio-only', '360p', '720p', '1080p'];

/** What a person chose; an absent device means the system's default one. */
export interface MediaChoice {
  preset: VideoPreset;
  camera?: string | undefined;
  microphone?: string | undefined;
}

export interface MediaDevice {
  id: string;
  /** Empty until the permission was given: browsers hide it. */
  label: string;
}

export interface DeviceList {
  cameras: MediaDevice[];
  microphones: MediaDevice[];
  /** Empty in browsers that let the system choose. */
  speakers: MediaDevice[];
}

export type Permission = 'granted' | 'denied' | 'prompt' | 'unknown';

/**
 * The constraints of a choice. 360p asks gently, so it works with any camera. Who chooses HD wants
 * HD: those presets have a minimum, and a camera that can't do it gives an error that names it.
 */
export function toConstraints(choice: MediaChoice): MediaStreamConstraints {
  return { audio: audioConstraints(choice.microphone), video: videoConstraints(choice) };
}

function audioConstraints(microphone: string | undefined): MediaTrackConstraints {
  return {
    echoCancellation: true,
    noiseSuppression: true,
    autoGainControl: true,
    ...exactDevice(microphone),
  };
}

function videoConstraints(choice: MediaChoice): MediaTrackConstraints | false {
  const device = exactDevice(choice.camera);
  const frameRate = { ideal: 30 };
  switch (choice.preset) {
    case 'audio-only':
      return false;
    case '360p':
      return { width: { ideal: 640 }, height: { ideal: 360 }, frameRate, ...device };
    case '720p':
      return { ...atLeast(1280, 720), frameRate, ...device };
    case '1080p':
      return { ...atLeast(1920, 1080), frameRate, ...device };
  }
}

function atLeast(width: number, height: number): MediaTrackConstraints {
  return { width: { min: width, ideal: width }, height: { min: height, ideal: height } };
}

function exactDevice(id: string | undefined): MediaTrackConstraints {
  return id ? { deviceId: { exact: id } } : {};
}

/** False where there are no calls at all: a page without TLS, or a browser without WebRTC. */
export function mediaSupported(): boolean {
  return (
    typeof navigator !== 'undefined' &&
    typeof navigator.mediaDevices?.getUserMedia === 'function' &&
    typeof RTCPeerConnection === 'function'
  );
}

/** Opens what the choice says. Rejects with a MediaError only. */
export function openMedia(choice: MediaChoice): Promise<MediaStream> {
  return openConstraints(toConstraints(choice));
}

/** Opens what fits these constraints. Rejects with a MediaError only. */
export async function openConstraints(constraints: MediaStreamConstraints): Promise<MediaStream> {
  const askedForVideo = Boolean(constraints.video);
  const askedForAudio = Boolean(constraints.audio);
  if (!mediaSupported()) {
    const asked = { askedForVideo, askedForAudio };
    throw new MediaError('unsupported', 'this page cannot use media devices', asked);
  }
  try {
    return await navigator.mediaDevices.getUserMedia(constraints);
  } catch (error) {
    throw toMediaError(error, askedForVideo, askedForAudio);
  }
}

/** Ends every track: the camera's light goes out. */
export function closeMedia(stream: MediaStream | null): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** The devices there are. Empty labels (and often one device a kind) before the permission. */
export async function listDevices(): Promise<DeviceList> {
  if (!mediaSupported()) return { cameras: [], microphones: [], speakers: [] };
  const all = await navigator.mediaDevices.enumerateDevices();
  const ofKind = (kind: MediaDeviceKind): MediaDevice[] =>
    all
      .filter((device) => device.kind === kind && device.deviceId !== '')
      .map((device) => ({ id: device.deviceId, label: device.label }));
  return {
    cameras: ofKind('videoinput'),
    microphones: ofKind('audioinput'),
    speakers: ofKind('audiooutput'),
  };
}

/** Calls `changed` with the new list whenever a device comes or goes. */
export function watchDevices(changed: (devices: DeviceList) => void): Unsubscribe {
  if (!mediaSupported()) return () => undefined;
  const listener = (): void => {
    listDevices().then(changed, () => undefined);
  };
  navigator.mediaDevices.addEventListener('devicechange', listener);
  return () => navigator.mediaDevices.removeEventListener('devicechange', listener);
}

/** What the browser would answer; `unknown` where it does not tell. */
export async function queryPermission(kind: 'camera' | 'microphone'): Promise<Permission> {
  try {
    const status = await navigator.permissions.query({ name: kind as PermissionName });
    return status.state;
  } catch {
    return 'unknown';
  }
}
