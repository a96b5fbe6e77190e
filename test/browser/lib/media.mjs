// What of a call really arrives: from getStats of the page that receives it.

import { until } from './wait.mjs';

/** Runs in a page. What came in, added up over all streams; null when there is no connection. */
async function readIncoming(expression) {
  const pc = expression === 'tring' ? window.tringDebug?.pc : window.testPc;
  if (!pc) return null;
  const sum = {
    frames: 0,
    width: 0,
    height: 0,
    keyFrames: 0,
    videoBytes: 0,
    videoLost: 0,
    codec: '',
    audioPackets: 0,
    audioEnergy: 0,
    audioCodec: '',
    pliCount: 0,
    freezes: 0,
  };
  const report = await pc.getStats();
  for (const stat of report.values()) {
    if (stat.type !== 'inbound-rtp') continue;
    const codec = report.get(stat.codecId)?.mimeType ?? '';
    if (stat.kind === 'video') {
      sum.frames += stat.framesDecoded ?? 0;
      sum.keyFrames += stat.keyFramesDecoded ?? 0;
      sum.width = Math.max(sum.width, stat.frameWidth ?? 0);
      sum.height = Math.max(sum.height, stat.frameHeight ?? 0);
      sum.videoBytes += stat.bytesReceived ?? 0;
      sum.videoLost += stat.packetsLost ?? 0;
      sum.pliCount += stat.pliCount ?? 0;
      sum.freezes += stat.freezeCount ?? 0;
      sum.codec = codec || sum.codec;
    } else {
      sum.audioPackets += stat.packetsReceived ?? 0;
      sum.audioEnergy += stat.totalAudioEnergy ?? 0;
      sum.audioCodec = codec || sum.audioCodec;
    }
  }
  return sum;
}

/** `which`: 'tring' for the pages of Tring, 'test' for a page that has its connection in testPc. */
export function incoming(page, which = 'tring') {
  return page.evaluate(readIncoming, which);
}

/** Waits until frames are decoded and sound (not silence) comes; gives what came meanwhile. */
export async function untilMediaFlows(
  page,
  { which = 'tring', frames = 15, packets = 25, video = true, sound = true, limit = 25_000 } = {},
) {
  const first = await until('a connection', () => incoming(page, which), { limit });
  return until(
    'media that arrives',
    async () => {
      const now = await incoming(page, which);
      if (!now) return null;
      const part = {
        ...now,
        frames: now.frames - first.frames,
        audioPackets: now.audioPackets - first.audioPackets,
        audioEnergy: now.audioEnergy - first.audioEnergy,
      };
      const ok =
        (!video || (part.frames >= frames && part.width > 0)) &&
        (!sound || (part.audioPackets >= packets && part.audioEnergy > 0));
      if (ok) return part;
      throw new Error(JSON.stringify(part));
    },
    { limit },
  );
}

/** How much comes within a while: { frames, audioPackets, audioEnergy, videoBytes }. */
export async function incomingDuring(page, ms, which = 'tring') {
  const before = await incoming(page, which);
  await page.evaluate((wait) => new Promise((resolve) => setTimeout(resolve, wait)), ms);
  const after = await incoming(page, which);
  return {
    frames: after.frames - before.frames,
    audioPackets: after.audioPackets - before.audioPackets,
    audioEnergy: after.audioEnergy - before.audioEnergy,
    videoBytes: after.videoBytes - before.videoBytes,
  };
}
