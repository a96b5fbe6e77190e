// A camera and a microphone with a known pattern: once a second the picture turns white and a tone
// begins at the same moment.

/** Runs in the page before its own scripts. `hz`: the tone. */
export function flashAndBeep(hz) {
  const FLASH_MS = 200;
  navigator.mediaDevices.getUserMedia = async () => {
    const audio = new AudioContext({ latencyHint: 'interactive' });
    await audio.resume();
    const beats = beatsOf(audio);
    return new MediaStream([drawn(audio, beats), played(audio, beats)]);
  };

  /** The beat of the present second, in the time of the audio context; the first is still to come. */
  function beatsOf(audio) {
    const first = Math.ceil(audio.currentTime) + 0.5;
    return () => Math.max(first, Math.floor(audio.currentTime) + 0.5);
  }

  function drawn(audio, beats) {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [320, 240];
    const pen = canvas.getContext('2d', { alpha: false });
    const [track] = canvas.captureStream().getVideoTracks();
    let n = 0;
    setInterval(() => {
      const since = audio.currentTime - beats();
      pen.fillStyle = since >= 0 && since < FLASH_MS / 1000 ? '#fff' : '#000';
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.fillStyle = n++ % 2 ? '#777' : '#888'; // no two pictures are the same
      pen.fillRect(0, 0, 8, 8);
    }, 1000 / 30);
    return track;
  }

  function played(audio, beats) {
    const out = audio.createMediaStreamDestination();
    const gate = new GainNode(audio, { gain: 0 });
    const source = new OscillatorNode(audio, { frequency: hz });
    source.connect(gate).connect(out);
    source.start();
    // Without a source that is never silent, the context would hand out no samples between beeps.
    const floor = new ConstantSourceNode(audio, { offset: 1e-4 });
    floor.connect(out);
    floor.start();
    let planned = 0;
    setInterval(() => {
      const beat = beats();
      if (beat === planned || beat < audio.currentTime) return;
      planned = beat;
      gate.gain.setValueAtTime(1, beat);
      gate.gain.setValueAtTime(0, beat + FLASH_MS / 1000);
    }, 50);
    return out.stream.getAudioTracks()[0];
  }
}
