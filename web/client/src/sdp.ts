// What a description is told beyond what was negotiated.

/**
 * Chromium begins a connection at 300 kbit/s. That is too little for HD, which it counts from
 * 900 kbit/s on, so its encoder begins with a small picture, and stays with it for many seconds,
 * however much the path can carry. The other side's description may tell it where to begin.
 */
export const HD_START_KBPS = 1000;

/** The same description, with where to begin for every codec of video; other browsers ignore it. */
export function withStartBitrate(
  description: RTCSessionDescriptionInit,
  kbps: number,
): RTCSessionDescriptionInit {
  const parameter = `x-google-start-bitrate=${kbps}`;
  let sdp = description.sdp ?? '';
  const codecs = [...sdp.matchAll(/^a=rtpmap:(\d+) (?:VP8|VP9|AV1|H264|H265)\/.*$/gim)];
  for (const [rtpmap, type] of codecs) {
    const fmtp = new RegExp(`^a=fmtp:${type} .*$`, 'm').exec(sdp)?.[0];
    sdp = fmtp
      ? sdp.replace(fmtp, () => joined(fmtp, ';', parameter))
      : sdp.replace(rtpmap, () => joined(rtpmap, `\r\na=fmtp:${type} `, parameter));
  }
  return { type: description.type, sdp };
}

/** `.` takes the CR at the end of a line along. */
function joined(line: string, by: string, more: string): string {
  const end = line.endsWith('\r') ? '\r' : '';
  return line.trimEnd() + by + more + end;
}
