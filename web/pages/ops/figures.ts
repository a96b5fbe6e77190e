// Figures as people read them. Null is "–" everywhere.

import { formatLength } from '../shared/format.js';

export const UNKNOWN = '–';

type Figure = number | null;

function short(value: number): string {
  return value < 10 ? value.toFixed(1) : String(Math.round(value));
}

export function formatRate(bps: Figure): string {
  if (bps === null) return UNKNOWN;
  if (bps >= 1_000_000) return `${short(bps / 1_000_000)} Mbit/s`;
  return `${Math.round(bps / 1000)} kbit/s`;
}

export function formatMs(us: Figure): string {
  return us === null ? UNKNOWN : `${short(us / 1000)} ms`;
}

export function formatLoss(ppm: Figure): string {
  if (ppm === null) return UNKNOWN;
  const percent = ppm / 10_000;
  if (percent === 0) return '0 %';
  return percent < 0.1 ? '<0.1 %' : `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

export function formatCount(count: Figure): string {
  if (count === null) return UNKNOWN;
  if (count >= 1e9) return `${(count / 1e9).toFixed(1)} G`;
  if (count >= 1e7) return `${(count / 1e6).toFixed(1)} M`;
  return Math.round(count).toLocaleString('en-GB');
}

export function formatPerSecond(rate: Figure): string {
  if (rate === null) return UNKNOWN;
  return `${rate > 0 && rate < 10 ? rate.toFixed(1) : formatCount(rate)}/s`;
}

export function formatMemory(bytes: Figure): string {
  if (bytes === null) return UNKNOWN;
  const mib = bytes / 2 ** 20;
  return mib >= 1024 ? `${(mib / 1024).toFixed(1)} GiB` : `${Math.round(mib)} MiB`;
}

/** How long, from then to now: "1:05". */
export function formatSince(thenMs: Figure, nowMs: number): string {
  return thenMs === null ? UNKNOWN : formatLength(nowMs - thenMs);
}

/** 93784 -> "1 d 2 h", 7384 -> "2 h 3 min". */
export function formatUptime(seconds: Figure): string {
  if (seconds === null) return UNKNOWN;
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days} d ${hours} h`;
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min`;
}

/** "host udp"; `relay` as protocol is our own TURN server, which hands its packets over by itself. */
export function formatPath(type: string, protocol: string): string {
  return protocol === 'relay' ? 'relay of this server' : `${type} ${protocol}`;
}
