// What is in a media file, judged by ffprobe and ffmpeg: streams, length, flashes and beeps.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const OUTPUT_MAX = 256 * 1024 * 1024;
const SAMPLE_RATE = 8000;
const WINDOW = SAMPLE_RATE / 100; // 10 ms

/** { format, seconds, video: {codec, width, height}, audio: {codec, channels, rate} } */
export async function probe(file) {
  const { stdout } = await run('ffprobe', [
    ...['-v', 'error', '-of', 'json', '-show_format', '-show_streams', file],
  ]);
  const { format, streams } = JSON.parse(stdout);
  const video = streams.find((stream) => stream.codec_type === 'video');
  const audio = streams.find((stream) => stream.codec_type === 'audio');
  return {
    format: format.format_name,
    seconds: Number(format.duration),
    video: video && { codec: video.codec_name, width: video.width, height: video.height },
    audio: audio && {
      codec: audio.codec_name,
      channels: audio.channels,
      rate: Number(audio.sample_rate),
    },
  };
}

/** Decodes everything; gives what ffmpeg complains about, '' when nothing. */
export async function decodeErrors(file) {
  const { stderr } = await run('ffmpeg', ['-v', 'error', '-i', file, '-f', 'null', '-']);
  return stderr.trim();
}

/** The moments (seconds) at which a part of the picture turns bright. `part`: a crop of ffmpeg. */
export async function flashes(file, part = 'iw:ih:0:0') {
  const frames = await brightness(file, part);
  const values = frames.map(({ mean }) => mean);
  const middle = (Math.min(...values) + Math.max(...values)) / 2;
  return rises(frames.map(({ time, mean }) => ({ time, on: mean > middle })));
}

/** The mean brightness of each picture: { time, mean }. */
export async function brightness(file, part = 'iw:ih:0:0') {
  const { stderr } = await run(
    'ffmpeg',
    [
      '-v',
      'info',
      '-nostats',
      '-i',
      file,
      '-map',
      '0:v',
      '-vf',
      `crop=${part},format=gray,showinfo`,
      '-fps_mode',
      'passthrough',
      '-f',
      'null',
      '-',
    ],
    { maxBuffer: OUTPUT_MAX },
  );
  return [...stderr.matchAll(/pts_time:([\d.]+).*?mean:\[(\d+)/g)].map(([, time, mean]) => ({
    time: Number(time),
    mean: Number(mean),
  }));
}

/** The moments (seconds) at which a tone of this pitch begins. Pitches are multiples of 100 Hz. */
export async function beeps(file, hz) {
  const samples = await sound(file);
  const levels = [];
  for (let start = 0; start + WINDOW <= samples.length; start += 4) {
    levels.push({ time: (start + WINDOW / 2) / SAMPLE_RATE, level: tone(samples, start, hz) });
  }
  const loudest = levels.reduce((most, { level }) => Math.max(most, level), 0);
  return rises(levels.map(({ time, level }) => ({ time, on: level > loudest / 2 })));
}

/** All channels in one, from the beginning of the file's time. */
async function sound(file) {
  const { stdout } = await run(
    'ffmpeg',
    [
      '-v',
      'error',
      '-i',
      file,
      '-map',
      '0:a',
      '-af',
      'aresample=async=1:first_pts=0',
      '-ac',
      '1',
      '-ar',
      String(SAMPLE_RATE),
      '-f',
      'f32le',
      '-',
    ],
    { encoding: 'buffer', maxBuffer: OUTPUT_MAX },
  );
  return new Float32Array(stdout.buffer, stdout.byteOffset, Math.floor(stdout.length / 4));
}

/** How much of one pitch is in a window. */
function tone(samples, start, hz) {
  let real = 0;
  let imaginary = 0;
  for (let i = 0; i < WINDOW; i++) {
    const angle = (2 * Math.PI * hz * i) / SAMPLE_RATE;
    real += samples[start + i] * Math.cos(angle);
    imaginary += samples[start + i] * Math.sin(angle);
  }
  return Math.hypot(real, imaginary);
}

/** Where `on` begins after at least 200 ms without. */
function rises(series) {
  const found = [];
  let lastOn = -Infinity;
  for (const { time, on } of series) {
    if (!on) continue;
    if (time - lastOn > 0.2) found.push(time);
    lastOn = time;
  }
  return found;
}

/** Beep minus flash in milliseconds, for each flash that has a beep near: { mean, worst, count }. */
export function compare(flashTimes, beepTimes) {
  const gaps = flashTimes
    .map((flash) => nearest(beepTimes, flash) - flash)
    .filter((gap) => Math.abs(gap) < 0.4)
    .map((gap) => gap * 1000);
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const worst = gaps.reduce((most, gap) => (Math.abs(gap) > Math.abs(most) ? gap : most), 0);
  return { mean, worst, count: gaps.length, gaps };
}

function nearest(times, wanted) {
  return times.reduce(
    (best, time) => (Math.abs(time - wanted) < Math.abs(best - wanted) ? time : best),
    Infinity,
  );
}
