// A picture and a sound that the page makes itself: an echo call needs no camera and no permission.
// The picture is busy enough that its encoder has to send something.

const WIDTH = 640;
const HEIGHT = 360;
const FPS = 20;
const BLOCK = 20;

export interface SyntheticMedia {
  stream: MediaStream;
  stop(): void;
}

export function makeSyntheticMedia(): SyntheticMedia {
  const canvas = document.createElement('canvas');
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const draw = painter(canvas);
  draw(0);
  let frame = 0;
  const timer = setInterval(() => draw(++frame), 1000 / FPS);
  const stream = canvas.captureStream(FPS);
  const sound = makeSound();
  for (const track of sound.stream.getAudioTracks()) stream.addTrack(track);
  return {
    stream,
    stop() {
      clearInterval(timer);
      for (const track of stream.getTracks()) track.stop();
      void sound.context.close();
    },
  };
}

function painter(canvas: HTMLCanvasElement): (frame: number) => void {
  const context = canvas.getContext('2d');
  if (!context) throw new Error('no canvas');
  return (frame) => {
    for (let y = 0; y < HEIGHT; y += BLOCK) {
      for (let x = 0; x < WIDTH; x += BLOCK) {
        const light = 30 + 25 * Math.sin(x / 60 + frame / 5) + 20 * Math.random();
        context.fillStyle = `hsl(${(frame * 3 + x / 4 + y) % 360} 60% ${light}%)`;
        context.fillRect(x, y, BLOCK, BLOCK);
      }
    }
  };
}

/** A tone that goes to the connection only, never to the speaker. */
function makeSound(): { context: AudioContext; stream: MediaStream } {
  const context = new AudioContext();
  const out = context.createMediaStreamDestination();
  const tone = new OscillatorNode(context, { frequency: 440 });
  const wobble = new OscillatorNode(context, { frequency: 3 });
  tone.connect(new GainNode(context, { gain: 0.2 })).connect(out);
  wobble.connect(new GainNode(context, { gain: 200 })).connect(tone.frequency);
  tone.start();
  wobble.start();
  void context.resume();
  return { context, stream: out.stream };
}
