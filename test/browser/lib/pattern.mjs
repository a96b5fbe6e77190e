// A camera and a microphone with a known pattern: once a second the picture turns white and a tone
// begins at the same moment.

/**
 * Runs in the page before its own scripts. `hz`: the tone; `record`: whether the browser's own
 * recorder also takes the stream, to see how far apart the two are before they leave the page.
 */
export function flashAndBeep({ hz, record }) {
  const FLASH_MS = 200;
  navigator.mediaDevices.getUserMedia = async () => {
    const audio = new AudioContext({ latencyHint: 'interactive' });
    await audio.resume();
    const stream = new MediaStream([drawn(audio), played(audio)]);
    if (record) recordHere(stream);
    return stream;
  };

  let until = 0; // the picture is white until then, in the time of the audio context
  let beat = 0; // the next beep is at this time

  function drawn(audio) {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [320, 240];
    const pen = canvas.getContext('2d', { alpha: false });
    const [track] = canvas.captureStream(0).getVideoTracks();
    let n = 0;
    setInterval(() => {
      const now = audio.currentTime;
      if (now >= beat && beat > 0) {
        until = beat + FLASH_MS / 1000;
        beat = 0;
      }
      pen.fillStyle = now < until ? '#fff' : '#000';
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.fillStyle = n++ % 2 ? '#777' : '#888'; // no two pictures are the same
      pen.fillRect(0, 0, 8, 8);
      track.requestFrame();
    }, 1000 / 60);
    return track;
  }

  function played(audio) {
    const out = audio.createMediaStreamDestination();
    let next = Math.ceil(audio.currentTime) + 0.5;
    const plan = () => {
      if (audio.currentTime < next - 0.4) return;
      const source = new OscillatorNode(audio, { frequency: hz });
      source.connect(out);
      source.start(next);
      source.stop(next + FLASH_MS / 1000);
      beat = next;
      next += 1;
    };
    setInterval(plan, 50);
    return out.stream.getAudioTracks()[0];
  }

  function recordHere(stream) {
    const recorder = new MediaRecorder(stream, { mimeType: 'video/webm;codecs=vp8,opus' });
    const parts = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    const done = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.start(1000);
    window.testRecording = async () => {
      if (recorder.state !== 'inactive') recorder.stop();
      await done;
      const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
      let text = '';
      for (const byte of bytes) text += String.fromCharCode(byte);
      return btoa(text);
    };
  }
}
