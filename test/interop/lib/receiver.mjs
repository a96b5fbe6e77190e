// ffmpeg as somebody who receives forwarded RTP: what it decodes.

import { execFile, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freeUdpPort } from '../../browser/lib/ports.mjs';

const SIDE = 16; // pictures are scaled to so many pixels each way
const PICTURE_BYTES = SIDE * SIDE * 3;
const PICTURES = 12;
const SOUND_BYTES = 48_000 * 4; // a second
const TO_PICTURES = ['-map', '0:v', '-s', `${SIDE}x${SIDE}`, '-f', 'rawvideo', '-pix_fmt', 'rgb24'];

/** A key and its salt for AES_CM_128_HMAC_SHA1_80. */
export const SRTP_KEY = Buffer.from('0123456789abcdefghijklmnopqrst').toString('base64');

/** Waits for sound and pictures on two ports; `decoded` promises { colour, level }. */
export async function receive(t, { srtp = false } = {}) {
  const ports = { audio: await freeUdpPort(), video: await freeUdpPort() };
  const description = join(await t.folder(), 'forward.sdp');
  await writeFile(description, describe(ports, srtp));
  const child = spawn(
    'ffmpeg',
    [
      ...['-v', 'error', '-nostdin', '-protocol_whitelist', 'file,udp,rtp,srtp'],
      ...['-i', description, ...TO_PICTURES, 'pipe:1'],
      ...['-map', '0:a', '-ac', '1', '-f', 'f32le', 'pipe:3'],
    ],
    { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] },
  );
  t.atEnd(async () => child.kill('SIGKILL'));
  const decoded = decode(child);
  decoded.catch(() => {}); // the test awaits it later, if it comes so far
  return { ports, decoded };
}

function describe({ audio, video }, srtp) {
  const profile = srtp ? 'RTP/SAVP' : 'RTP/AVP';
  const crypto = srtp ? [`a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${SRTP_KEY}`] : [];
  return [
    'v=0',
    'o=- 0 0 IN IP4 127.0.0.1',
    's=-',
    'c=IN IP4 127.0.0.1',
    't=0 0',
    `m=audio ${audio} ${profile} 111`,
    'a=rtpmap:111 opus/48000/2',
    ...crypto,
    `m=video ${video} ${profile} 96`,
    'a=rtpmap:96 VP8/90000',
    ...crypto,
    '',
  ].join('\r\n');
}

/** Ends ffmpeg as soon as it has decoded enough of both. */
async function decode(child) {
  const [pictures, sound] = await Promise.all([
    take(child.stdout, PICTURES * PICTURE_BYTES),
    take(child.stdio[3], SOUND_BYTES),
  ]);
  child.kill('SIGKILL');
  return { colour: lastColour(pictures), level: loudest(sound) };
}

function take(stream, bytes) {
  return new Promise((resolve, reject) => {
    const parts = [];
    let length = 0;
    stream.on('data', (part) => {
      if (length < bytes) parts.push(part);
      length += part.length;
      if (length >= bytes) resolve(Buffer.concat(parts));
    });
    stream.on('end', () => reject(new Error(`ffmpeg ended after ${length} bytes of ${bytes}`)));
  });
}

/** Of a point in the lower half of the last picture. */
function lastColour(pictures) {
  const last = Math.floor(pictures.length / PICTURE_BYTES) - 1;
  const at = last * PICTURE_BYTES + (12 * SIDE + 8) * 3;
  return [...pictures.subarray(at, at + 3)];
}

function loudest(bytes) {
  let most = 0;
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    most = Math.max(most, Math.abs(bytes.readFloatLE(at)));
  }
  return most;
}

/** Of the last picture of a file. */
export async function colourOf(file) {
  const arguments_ = ['-v', 'error', '-i', file, ...TO_PICTURES, 'pipe:1'];
  const { stdout } = await promisify(execFile)('ffmpeg', arguments_, { encoding: 'buffer' });
  return lastColour(stdout);
}
