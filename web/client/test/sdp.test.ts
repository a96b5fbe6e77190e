import { describe, expect, it } from 'vitest';
import { withStartBitrate } from '../src/sdp.js';

const ANSWER = [
  'v=0',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'a=rtpmap:111 opus/48000/2',
  'a=fmtp:111 minptime=10;useinbandfec=1',
  'm=video 9 UDP/TLS/RTP/SAVPF 96 97 103',
  'a=rtpmap:96 VP8/90000',
  'a=rtpmap:97 rtx/90000',
  'a=fmtp:97 apt=96',
  'a=rtpmap:103 H264/90000',
  'a=fmtp:103 packetization-mode=1;profile-level-id=42e01f',
  '',
].join('\r\n');

describe('withStartBitrate', () => {
  it('tells each codec of video, and nothing else', () => {
    const { type, sdp } = withStartBitrate({ type: 'answer', sdp: ANSWER }, 1000);
    expect(type).toBe('answer');
    const more = (sdp ?? '').split('\r\n').filter((line) => !ANSWER.split('\r\n').includes(line));
    expect(more).toEqual([
      'a=fmtp:96 x-google-start-bitrate=1000',
      'a=fmtp:103 packetization-mode=1;profile-level-id=42e01f;x-google-start-bitrate=1000',
    ]);
    expect(sdp).toContain('a=rtpmap:96 VP8/90000\r\na=fmtp:96 x');
    expect(sdp?.replace(/\r\n/g, '')).not.toMatch(/[\r\n]/);
  });

  it('leaves a description without video as it is', () => {
    const sdp = ANSWER.slice(0, ANSWER.indexOf('m=video'));
    expect(withStartBitrate({ type: 'offer', sdp }, 1000)).toEqual({ type: 'offer', sdp });
  });
});
