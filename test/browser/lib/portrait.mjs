// A camera that shows a drawn person who moves a little, for pictures of the pages.

export const AGENT = {
  wall: ['#dfe9e4', '#a9c4b8'],
  hair: '#3b2a20',
  skin: '#e3b48f',
  shirt: '#0b5345',
  headset: true,
};
export const CUSTOMER = {
  wall: ['#f3e6d3', '#d5b48c'],
  hair: '#c9742f',
  skin: '#f0c8a4',
  shirt: '#34567f',
  headset: false,
};

/** Runs in the page before its own scripts; the microphone stays the browser's own. */
export function portrait({ wall, hair, skin, shirt, headset }) {
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [1280, 720];
    const pen = canvas.getContext('2d', { alpha: false });
    setInterval(() => draw(pen, performance.now() / 1000), 1000 / 25);
    const sound = await real({ audio: constraints.audio });
    return new MediaStream([
      ...canvas.captureStream(25).getVideoTracks(),
      ...sound.getAudioTracks(),
    ]);
  };

  function draw(pen, time) {
    background(pen);
    pen.save();
    pen.translate(640 + 10 * Math.sin(time * 0.9), 400 + 5 * Math.sin(time * 1.7));
    pen.rotate(0.025 * Math.sin(time * 0.8));
    shape(pen, shirt, () => {
      pen.moveTo(-330, 420);
      pen.bezierCurveTo(-320, 170, -170, 150, 0, 150);
      pen.bezierCurveTo(170, 150, 320, 170, 330, 420);
    });
    shape(pen, skin, () => pen.roundRect(-55, 60, 110, 130, 50));
    shape(pen, hair, () => pen.ellipse(0, -75, 150, 165, 0, 0, 7));
    shape(pen, skin, () => pen.ellipse(0, -35, 122, 150, 0, 0, 7));
    shape(pen, hair, () => {
      pen.moveTo(-128, -60);
      pen.bezierCurveTo(-120, -250, 120, -250, 128, -60);
      pen.bezierCurveTo(80, -150, -20, -150, -128, -60);
    });
    face(pen, time);
    if (headset) wearHeadset(pen);
    pen.restore();
  }

  function background(pen) {
    const light = pen.createLinearGradient(0, 0, 1280, 720);
    light.addColorStop(0, wall[0]);
    light.addColorStop(1, wall[1]);
    pen.fillStyle = light;
    pen.fillRect(0, 0, 1280, 720);
    pen.fillStyle = '#ffffff55'; // a window
    pen.fillRect(110, 90, 250, 300);
    pen.fillStyle = '#00000018'; // and a shelf
    pen.fillRect(930, 250, 260, 16);
    for (const [x, height] of [
      [950, 90],
      [985, 110],
      [1025, 80],
      [1110, 60],
    ]) {
      pen.fillRect(x, 250 - height, 26, height);
    }
  }

  function face(pen, time) {
    const open = time % 4 > 0.15 ? 9 : 1; // blinks
    for (const x of [-45, 45]) shape(pen, '#2a2522', () => pen.ellipse(x, -45, 9, open, 0, 0, 7));
    const talk = 8 + 8 * Math.abs(Math.sin(time * 7) * Math.sin(time * 1.3));
    shape(pen, '#a4433c', () => pen.ellipse(0, 45, 34, talk, 0, 0, Math.PI));
  }

  function wearHeadset(pen) {
    pen.strokeStyle = '#20262b';
    pen.lineWidth = 14;
    pen.beginPath();
    pen.arc(0, -60, 150, Math.PI, 0);
    pen.stroke();
    for (const x of [-168, 128]) shape(pen, '#20262b', () => pen.roundRect(x, -85, 40, 90, 18));
    pen.lineWidth = 7;
    pen.beginPath();
    pen.moveTo(-148, 0);
    pen.quadraticCurveTo(-140, 80, -50, 72);
    pen.stroke();
  }

  function shape(pen, color, path) {
    pen.fillStyle = color;
    pen.beginPath();
    path();
    pen.fill();
  }
}
