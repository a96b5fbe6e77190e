/**
 * Calls through a Tring (or Janus) server.
 *
 * ```ts
 * const session = new Session();
 * await session.connect();
 * const line = await Line.open(session, 'customer-1');
 * const local = await openMedia({ preset: '720p' });
 * const call = line.dial('agent:Ann', local);
 * call.on('state', (state) => console.log(state)); // calling, ringing, connecting, connected, ended
 * call.on('stream', (stream) => (video.srcObject = stream));
 * ```
 */
export { Session, randomText } from './session.js';
export type { SessionEvents, SessionOptions, SessionState } from './session.js';
export { Handle } from './handle.js';
export type { HandleEvents, PluginEvent } from './handle.js';
export { Line, nameTaken } from './line.js';
export type { LineEvents } from './line.js';
export { Call, REASON_BUSY, REASON_CANCELLED, REASON_DECLINED } from './call.js';
export type { CallEnd, CallEndCode, CallEvents, CallOptions, CallState } from './call.js';
export * from './devices.js';
export {
  ConnectionError,
  JanusError,
  MediaError,
  PluginError,
  TringError,
  toMediaError,
} from './errors.js';
export type { MediaErrorCode, MediaWayOn } from './errors.js';
export * from './ice.js';
export * from './ice-servers.js';
export { reduceStats, watchQuality } from './stats.js';
export type { Quality, StatsMemory, Verdict } from './stats.js';
export { Emitter } from './emitter.js';
export type { Unsubscribe } from './emitter.js';
