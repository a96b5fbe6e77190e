// The video room pages of janus-demos, as people would use them: people with cameras of one colour
// each, so that a picture tells whose it is.

import { DemoPages } from './demos.mjs';
import { until } from './wait.mjs';

export const ROOM = 1234; // the one that the pages join when they are not told another

export const COLOURS = {
  ann: [200, 40, 40],
  bob: [40, 60, 200],
  cas: [40, 150, 50],
  dan: [200, 180, 30],
};
const COLOUR_OFF_MAX = 60; // of one channel, after a low bitrate was through with it

// -- The API, for what a page cannot ask -----------------------------------------------------------

/** Sends one request to the plugin, in a session of its own; gives the plugin's data. */
export async function ask(server, body) {
  const base = `http://localhost:${server.ports.http}/janus`;
  const post = async (path, message) => {
    const response = await fetch(base + path, {
      method: 'POST',
      body: JSON.stringify({ transaction: 'ask', ...message }),
    });
    const reply = await response.json();
    if (reply.janus !== 'success') throw new Error(JSON.stringify(reply));
    return reply;
  };
  const session = (await post('', { janus: 'create' })).data.id;
  const plugin = { janus: 'attach', plugin: 'janus.plugin.videoroom' };
  const handle = (await post(`/${session}`, plugin)).data.id;
  const reply = await post(`/${session}/${handle}`, { janus: 'message', body });
  await post(`/${session}`, { janus: 'destroy' });
  return reply.plugindata.data;
}

export async function createRoom(server, options = {}) {
  const room = { room: ROOM, publishers: 6, bitrate: 1_000_000, ...options };
  const reply = await ask(server, { request: 'create', ...room });
  if (reply.videoroom !== 'created') throw new Error(JSON.stringify(reply));
}

// -- What runs in the page before its own scripts --------------------------------------------------

/** All connections of the page, in window.testPcs. */
export function keepConnections() {
  window.testPcs = [];
  const Real = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Real {
    constructor(...args) {
      super(...args);
      window.testPcs.push(this);
    }
  };
}

/** A camera that shows one colour, with something that moves; the microphone stays as it is. */
export function colourCamera({ colour, width, height }) {
  const FPS = 12; // a machine of two cores has many of these to encode
  const devices = navigator.mediaDevices;
  const real = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async ({ audio, video }) => {
    const tracks = audio ? (await real({ audio })).getTracks() : [];
    return new MediaStream(video ? [...tracks, paint()] : tracks);
  };

  function paint() {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [width, height];
    const pen = canvas.getContext('2d', { alpha: false });
    const [track] = canvas.captureStream().getVideoTracks();
    const timer = setInterval(() => {
      if (track.readyState === 'ended') clearInterval(timer);
      pen.fillStyle = `rgb(${colour})`;
      pen.fillRect(0, 0, width, height);
      for (let i = 0; i < 40; i++) {
        // Enough of it that the encoder has something to do.
        pen.fillStyle = `hsl(${Math.random() * 360} 50% 50%)`;
        pen.fillRect(Math.random() * width, Math.random() * height * 0.25, 24, 24);
      }
    }, 1000 / FPS);
    return track;
  }
}

// -- A room of a test ------------------------------------------------------------------------------

/** A server with a room, and the pages to enter it. */
export async function openRoom(t, options) {
  t.allow(/Cannot set properties of undefined \(setting 'bsnow'\)/); // a timer that outlives its feed
  const pages = await DemoPages.start();
  t.atEnd(() => pages.stop());
  const server = await t.server({
    env: { TRING_VIDEOROOM_DEMO_ROOM: 'false', TRING_API_RECLAIM_SESSION_TIMEOUT: '0' },
  });
  await createRoom(server, options);
  return {
    server,
    address: (page, parameters) =>
      pages.address(page, `ws://localhost:${server.ports.ws}`, parameters),
  };
}

/**
 * Somebody comes into the room. `tab`: a page of puppeteer to use; `before`: what to do with the tab
 * first; other options are parameters of the page's address.
 */
export async function enterRoom(t, room, name, page, { camera, before, ...options } = {}) {
  const { tab = await t.page({ viewport: { width: 1200, height: 900 } }), ...parameters } = options;
  const init = tab.addInitScript ?? tab.evaluateOnNewDocument;
  await giveCamera((script, argument) => init.call(tab, script, argument), name, camera);
  await before?.(tab);
  const one = new RoomPage(tab, name);
  await one.join(room.address(page, parameters));
  return one;
}

// -- One person ------------------------------------------------------------------------------------

const CAMERA = { width: 640, height: 480 };

/** Chromium sends as many layers as there is room for: this is the least size for three. */
export const THREE_LAYERS = { width: 960, height: 540 };

/** `init`: how the browser's driver puts a script and its argument into a page before its own. */
export async function giveCamera(init, name, camera = CAMERA) {
  await init(keepConnections);
  await init(colourCamera, { colour: COLOURS[name], ...camera });
}

/** A page that stands in the room, in a browser of playwright or puppeteer. */
export class RoomPage {
  constructor(page, name) {
    this.page = page;
    this.name = name;
  }

  async join(address) {
    await this.page.goto(address);
    await this.click('#start:not([disabled])');
    await this.page.waitForSelector('#registernow:not(.hide) #username');
    await this.page.type('#username', this.name);
    await this.click('#register');
    await this.page.waitForSelector('#videos:not(.hide)');
  }

  async click(selector) {
    await this.page.waitForSelector(selector);
    await this.page.click(selector);
  }

  /** Stop: the page leaves, and is back at its beginning. */
  async leave() {
    await this.page.evaluate(() => (window.testLeft = true));
    await this.click('#start');
    await until('the page is fresh', () => this.page.evaluate(() => !window.testLeft));
    await this.page.waitForSelector('#start');
  }

  async unpublish() {
    await this.click('#unpublish');
    await this.page.waitForSelector('#publish');
  }

  async publish() {
    await this.click('#publish');
    await this.page.waitForSelector('#videolocal video');
  }

  /** The box in which a person is shown, 1 to 5; 0: in none. */
  boxOf(name) {
    return this.page.evaluate((display) => {
      const boxes = [1, 2, 3, 4, 5];
      const shows = (i) => document.querySelector(`#remote${i}`)?.textContent === display;
      return boxes.find(shows) ?? 0;
    }, name);
  }

  untilGone(name) {
    return until(`${this.name} no longer sees ${name}`, async () => (await this.boxOf(name)) === 0);
  }

  /** What the picture of a person is like now: null, or { width, time, frames, colour }. */
  async picture(name) {
    const box = await this.boxOf(name);
    return box ? this.page.evaluate(look, `#videoremote${box} video`) : null;
  }

  /** The picture of a person moves, and is that person's; gives the last look at it. */
  untilSees(name, options) {
    return untilMoves(`${this.name} sees ${name}`, () => this.picture(name), name, options);
  }

  /** Bits a second of video, from all, within a while. */
  async videoRate(ms = 2000) {
    const before = await this.videoBytes();
    await this.page.evaluate((wait) => new Promise((done) => setTimeout(done, wait)), ms);
    return ((await this.videoBytes()) - before) * (8000 / ms);
  }

  videoBytes() {
    return this.page.evaluate(async () => {
      let sum = 0;
      for (const pc of window.testPcs) {
        if (pc.connectionState === 'closed') continue;
        for (const stat of (await pc.getStats()).values()) {
          if (stat.type === 'inbound-rtp' && stat.kind === 'video') sum += stat.bytesReceived;
        }
      }
      return sum;
    });
  }
}

/** Everybody sees everybody else. */
export function allSee(people, options) {
  return Promise.all(
    people.flatMap((one) =>
      people.filter((other) => other !== one).map((other) => one.untilSees(other.name, options)),
    ),
  );
}

/** A picture moves, and shows a person; `take` gives one as look does. */
export function untilMoves(what, take, name, { limit = 25_000, frames = 10 } = {}) {
  let first = null;
  return until(
    what,
    async () => {
      const now = await take();
      if (!now) return null;
      if (!first || now.frames < first.frames) first = now;
      const moves = now.frames - first.frames >= frames && now.time > first.time;
      if (moves && isColour(now.colour, COLOURS[name])) return now;
      throw new Error(JSON.stringify({ first, now }));
    },
    { limit },
  );
}

/** Runs in the page: the state of a video element, and the colour below its moving part. */
export function look(selector) {
  const video = document.querySelector(selector);
  if (!video || !video.videoWidth) return null;
  if (video.testFrames === undefined) {
    const count = () => {
      video.testFrames++;
      video.requestVideoFrameCallback(count);
    };
    video.testFrames = -1; // until the first one, from now on
    count();
  }
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [16, 16];
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  pen.drawImage(video, 0, 0, 16, 16);
  return {
    width: video.videoWidth,
    time: video.currentTime,
    frames: video.testFrames,
    colour: [...pen.getImageData(8, 10, 1, 1).data.slice(0, 3)],
  };
}

export function isColour(seen, wanted) {
  return seen.every((value, i) => Math.abs(value - wanted[i]) <= COLOUR_OFF_MAX);
}
