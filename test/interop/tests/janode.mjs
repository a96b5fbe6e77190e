// Janode, a client library for applications on servers: all that it can ask a video room, and each
// event that it can tell. The media are those of browsers. What it makes a room do, programs of others
// take up: ffmpeg its forwarded RTP, janus-pp-rec its recordings.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DemoPages } from '../../browser/lib/demos.mjs';
import { check, test } from '../../browser/lib/harness.mjs';
import { COLOURS, giveCamera, isColour, look, untilMoves } from '../../browser/lib/room.mjs';
import { pause, until } from '../../browser/lib/wait.mjs';
import { Janode, VideoRoom, janodeSession } from '../lib/janode.mjs';
import { convert } from '../lib/pp_rec.mjs';
import { SRTP_KEY, receive } from '../lib/receiver.mjs';

const EVENT = VideoRoom.EVENT;
const ROOM = 5001;
const SECRET = 'for managers';
const KEY = 'for administrators'; // Tring forwards for them alone
const LAYERS = [
  { rid: 'h', maxBitrate: 600_000 },
  { rid: 'm', maxBitrate: 200_000, scaleResolutionDownBy: 2 },
];

/** A page for media; its signalling is done here. */
class Media {
  constructor(page, name) {
    this.page = page;
    this.name = name;
  }

  publish(options) {
    return this.page.evaluate((o) => window.peer.publish(o), options);
  }

  accept(answer) {
    return this.page.evaluate((a) => window.peer.accept(a), answer);
  }

  answer(offer) {
    return this.page.evaluate((o) => window.peer.answer(o), offer);
  }

  close() {
    return this.page.evaluate(() => window.peer.close());
  }

  picture(mid) {
    return this.page.evaluate(look, `video[data-mid="${mid}"]`);
  }

  untilSees(name, mid) {
    return untilMoves(`${this.name} sees ${name}`, () => this.picture(mid), name);
  }
}

async function world(t, env = {}) {
  const pages = await DemoPages.start();
  t.atEnd(() => pages.stop());
  const attach = await janodeSession(t, await t.server({ env }));
  const media = async (name) => {
    const page = await t.page();
    await giveCamera((script, argument) => page.addInitScript(script, argument), name);
    await page.goto(`${pages.url}/own/peer.html`);
    return new Media(page, name);
  };
  return { attach, media };
}

/** A request must be refused, with this error. */
async function refused(code, promise) {
  const error = await promise.then(
    () => new Error('it was allowed'),
    (reason) => reason,
  );
  check(`${error.message} is ${code}`, error.message.startsWith(`${code} `));
}

/** Joins as a publisher and publishes; gives { handle, media, feed, streams }. */
async function publisher({ attach, media }, name, { join = {}, ...options } = {}) {
  const handle = await attach();
  const joined = await handle.janode.joinPublisher({ room: ROOM, display: name, ...join });
  const own = await media(name);
  const jsep = await own.publish(options);
  const published = await handle.janode.publish({ audio: true, video: true, jsep });
  await own.accept(published.jsep);
  await handle.event(Janode.EVENT.HANDLE_WEBRTCUP);
  return { handle, media: own, feed: joined.feed, joined, streams: published.streams };
}

const midOf = (streams, type, feed) =>
  streams.find((one) => one.type === type && (!feed || one.feed_id === feed)).mid;

async function manage({ attach }) {
  const { janode } = await attach();
  check('no room yet', (await janode.exists({ room: ROOM })).exists === false);
  const created = await janode.create({
    room: ROOM,
    description: 'Janode was here',
    max_publishers: 4,
    secret: SECRET,
    bitrate: 1_000_000,
    notify_joining: true,
    talking_events: true,
    talking_packets_threshold: 10,
    talking_level_threshold: 100,
  });
  check('the room is created', created.room === ROOM && created.permanent === false);
  await refused(427, janode.create({ room: ROOM }));
  check('it exists', (await janode.exists({ room: ROOM })).exists === true);
  const { list } = await janode.list();
  const found = list.find(({ room }) => room === ROOM);
  check('it is listed', found.description === 'Janode was here' && found.max_publishers === 4);
  check('nobody is in it', found.num_participants === 0);
  return janode;
}

/** Only who has a token may come in, as long as that is wished. */
async function allow({ attach }, manager) {
  const edit = (action, list) => manager.allow({ room: ROOM, action, list, secret: SECRET });
  const { janode } = await attach();
  await refused(433, manager.allow({ room: ROOM, action: 'enable', secret: 'a guess' }));
  await edit('enable');
  check('the list is told', (await edit('add', ['ticket', 'other'])).list.includes('ticket'));
  await refused(433, janode.joinPublisher({ room: ROOM, display: 'x' }));
  await refused(433, janode.joinPublisher({ room: ROOM, display: 'x', token: 'a guess' }));
  const { list } = await edit('remove', ['ticket']);
  check('one is left', list.length === 1 && list[0] === 'other');
  const joined = await janode.joinPublisher({ room: ROOM, display: 'x', token: 'other' });
  check('with a token', joined.feed > 0 && joined.publishers.length === 0);
  await janode.leave();
  // Janode wants a list in the reply, which Janus has none of here.
  const disable = { request: 'allowed', room: ROOM, action: 'disable', secret: SECRET };
  const reply = await manager.message(disable);
  check('it is disabled', reply.plugindata.data.videoroom === 'success');
}

test(
  'interop: Janode in a video room',
  async (t) => {
    const w = await world(t);
    const manager = await manage(w);
    await allow(w, manager);

    const ann = await publisher(w, 'ann');
    const bob = await publisher(w, 'bob', { layers: LAYERS });
    check('bob is told of ann', bob.joined.publishers[0]?.feed === ann.feed);
    await ann.handle.event(EVENT.VIDEOROOM_PUB_PEER_JOINED, ({ feed }) => feed === bob.feed);
    const news = await ann.handle.event(EVENT.VIDEOROOM_PUB_LIST);
    check('ann is told of bob', news.publishers[0].feed === bob.feed);
    const video = news.publishers[0].streams.find(({ type }) => type === 'video');
    check('and of his layers', video.simulcast === true && video.codec === 'vp8');
    await ann.handle.event(EVENT.VIDEOROOM_TALKING, ({ talking }) => talking === true);

    const { participants } = await manager.listParticipants({ room: ROOM, secret: SECRET });
    const publishing = participants.filter((one) => one.publisher).map(({ display }) => display);
    check('both are listed', publishing.sort().join() === 'ann,bob');

    const cas = await subscribe(w, ann, bob);
    await moderate(cas, ann, manager);
    await leaving(w, cas, ann, bob, manager);
    return `${cas.handle.events.length + ann.handle.events.length} other events`;
  },
  { limit: 150_000 },
);

/** cas sees ann, then bob in the place of ann, then both; with pauses. */
async function subscribe(w, ann, bob) {
  const handle = await w.attach();
  const media = await w.media('cas');
  const joined = await handle.janode.joinSubscriber({ room: ROOM, streams: [{ feed: ann.feed }] });
  check('sound and picture', joined.streams.length === 2 && joined.jsep.type === 'offer');
  await handle.janode.start({ jsep: await media.answer(joined.jsep) });
  await handle.event(Janode.EVENT.HANDLE_WEBRTCUP);
  const mid = midOf(joined.streams, 'video');
  await media.untilSees('ann', mid);

  await handle.janode.pause();
  await untilStill(media, mid);
  await handle.janode.start({});
  await media.untilSees('ann', mid);

  const switched = await handle.janode.switch({
    streams: ['audio', 'video'].map((type) => ({
      feed: bob.feed,
      mid: midOf(bob.streams, type),
      sub_mid: midOf(joined.streams, type),
    })),
  });
  check(
    'the streams are told',
    switched.streams.every(({ feed_id }) => feed_id === bob.feed),
  );
  await media.untilSees('bob', mid);
  const substream = await handle.event(EVENT.VIDEOROOM_SC_SUBSTREAM_LAYER);
  check('of which m-line the layer is', substream.mid === mid);
  await handle.janode.configure({ streams: [{ mid, substream: 0 }] });
  await handle.event(
    EVENT.VIDEOROOM_SC_SUBSTREAM_LAYER,
    ({ sc_substream_layer }) => sc_substream_layer === 0,
  );
  await media.untilSees('bob', mid);

  const more = await handle.janode.update({ subscribe: [{ feed: ann.feed }] });
  check('four streams', more.streams.length === 4 && more.jsep.type === 'offer');
  await handle.janode.start({ jsep: await media.answer(more.jsep) });
  await media.untilSees('ann', midOf(more.streams, 'video', ann.feed));
  await media.untilSees('bob', mid);
  const less = await handle.janode.update({ unsubscribe: [{ feed: bob.feed }] });
  await handle.janode.start({ jsep: await media.answer(less.jsep) });
  const left = less.streams.filter(({ active }) => active);
  check('two are left', left.length === 2 && left.every(({ feed_id }) => feed_id === ann.feed));
  return { handle, media, mid: midOf(more.streams, 'video', ann.feed) };
}

async function untilStill(media, mid) {
  await until('no picture comes', async () => {
    const before = (await media.picture(mid)).frames;
    await pause(700);
    return (await media.picture(mid)).frames === before;
  });
}

/** ann's camera is muted by the manager, her name and bitrate change. Not all of it is in Janode. */
async function moderate(cas, ann, manager) {
  const mid = midOf(ann.streams, 'video');
  for (const mute of [true, false]) {
    const body = { request: 'moderate', room: ROOM, secret: SECRET, id: ann.feed, mid, mute };
    const reply = await manager.message(body);
    check('moderated', reply.plugindata.data.videoroom === 'success');
    if (mute) await untilStill(cas.media, cas.mid);
  }
  await ann.handle.janode.configure({ keyframe: true });
  await cas.media.untilSees('ann', cas.mid);
  const configured = await ann.handle.janode.configure({ display: 'Anna', bitrate: 300_000 });
  check('configured', configured.configured === 'ok');
}

/** bob is thrown out, ann unpublishes and leaves, the room goes. */
async function leaving({ attach }, cas, ann, bob, manager) {
  const renamed = await bob.handle.event(EVENT.VIDEOROOM_DISPLAY);
  check('of the new name', renamed.feed === ann.feed && renamed.display === 'Anna');
  await manager.kick({ room: ROOM, feed: bob.feed, secret: SECRET });
  const kicked = await bob.handle.event(EVENT.VIDEOROOM_LEAVING);
  check('bob is told why', kicked.reason === 'kicked');
  const gone = await ann.handle.event(EVENT.VIDEOROOM_KICKED);
  check('ann is told, too', gone.feed === bob.feed);

  const { feed } = await ann.handle.janode.unpublish();
  check('ann unpublished', feed === ann.feed);
  const jsep = await ann.media.publish();
  const again = await ann.handle.janode.configure({ audio: true, video: true, jsep });
  await ann.media.accept(again.jsep);
  await ann.handle.event(Janode.EVENT.HANDLE_WEBRTCUP);
  const record = { room: ROOM, secret: SECRET, record: false };
  check('recording is off', (await manager.enable_recording(record)).record === false);
  await cas.handle.janode.leave();
  const dan = await attach();
  await dan.janode.joinPublisher({ room: ROOM, display: 'dan' });
  await ann.handle.janode.leave();
  const left = await dan.event(EVENT.VIDEOROOM_LEAVING);
  check('who left', left.feed === ann.feed);
  await refused(433, manager.destroy({ room: ROOM, secret: 'a guess' }));
  await manager.destroy({ room: ROOM, secret: SECRET });
  await dan.event(EVENT.VIDEOROOM_DESTROYED);
  check('it is gone', (await manager.exists({ room: ROOM })).exists === false);
}

test('interop: ffmpeg decodes what is forwarded', async (t) => {
  const w = await world(t, { TRING_VIDEOROOM_ADMIN_KEY: KEY });
  const { janode: manager } = await w.attach();
  const keys = { secret: SECRET, admin_key: KEY };
  await manager.create({ room: ROOM, max_publishers: 1, bitrate: 600_000, ...keys });
  const ann = await publisher(w, 'ann');
  for (const srtp of [false, true]) {
    const { ports, decoded } = await receive(t, { srtp });
    await (srtp ? forwardSrtp : forward)(manager, ann, ports);
    const { colour, level } = await withKeyFrames(ann, decoded);
    check(`ann's colour, not ${colour}`, isColour(colour, COLOURS.ann));
    check(`her microphone: ${level}`, level > 0.01);
    await stopForwarding(manager, ann, ports);
  }
});

const streamsFor = ({ streams }, ports) => [
  { mid: midOf(streams, 'audio'), port: ports.audio, pt: 111 },
  { mid: midOf(streams, 'video'), port: ports.video, pt: 96 },
];

async function forward(manager, ann, ports) {
  const { forwarders } = await manager.startForward({
    room: ROOM,
    feed: ann.feed,
    host: '127.0.0.1',
    secret: SECRET,
    admin_key: KEY,
    streams: streamsFor(ann, ports),
  });
  check('two forwarders', forwarders.length === 2);
}

/** Janode has no words for it. */
async function forwardSrtp(manager, ann, ports) {
  const reply = await manager.message({
    request: 'rtp_forward',
    room: ROOM,
    publisher_id: ann.feed,
    host: '127.0.0.1',
    secret: SECRET,
    admin_key: KEY,
    srtp_suite: 80,
    srtp_crypto: SRTP_KEY,
    streams: streamsFor(ann, ports),
  });
  const { forwarders } = reply.plugindata.data;
  check('two forwarders', forwarders.length === 2 && forwarders.every(({ srtp }) => srtp));
}

/** Nobody asks for key frames on the way of a forwarder: the publisher does. */
async function withKeyFrames(ann, decoded) {
  let done = false;
  decoded.finally(() => (done = true)).catch(() => {});
  await until(
    'it is decoded',
    async () => {
      await ann.handle.janode.configure({ keyframe: true });
      return done;
    },
    { every: 1000, limit: 30_000 },
  );
  return decoded;
}

async function stopForwarding(manager, { feed }, ports) {
  const listed = async () => {
    const { forwarders } = await manager.listForward({ room: ROOM, secret: SECRET });
    return forwarders.find((one) => one.feed === feed)?.forwarders ?? [];
  };
  const all = await listed();
  const ids = all.map((one) => one.audio_stream ?? one.video_stream);
  const where = all.map((one) => one.audio_port ?? one.video_port);
  check('both are listed', where.sort().join() === [ports.audio, ports.video].sort().join());
  for (const stream of ids) {
    const keys = { secret: SECRET, admin_key: KEY };
    const stopped = await manager.stopForward({ room: ROOM, feed, stream, ...keys });
    check('stopped', stopped.stream === stream && stopped.feed === feed);
  }
  check('none is left', (await listed()).length === 0);
}

test('interop: janus-pp-rec converts what a room recorded', async (t) => {
  const folder = join(await t.folder(), 'room');
  const w = await world(t, { TRING_VIDEOROOM_MJR_DIR: folder });
  const { janode: manager } = await w.attach();
  await manager.create({ room: ROOM, max_publishers: 1, record: true, rec_dir: folder });
  const ann = await publisher(w, 'ann');
  await pause(4000);
  await ann.handle.janode.leave();
  const names = await until('two files', async () => {
    const found = (await readdir(folder)).filter((name) => name.endsWith('.mjr'));
    return found.length === 2 ? found : null;
  });
  const name = (medium, index) => {
    const pattern = new RegExp(
      `^videoroom-${ROOM}-user-${ann.feed}-\\d+-${medium}-${index}\\.mjr$`,
    );
    const found = names.find((one) => pattern.test(one));
    check(`a name for ${medium} in ${names}`, found);
    return join(folder, found);
  };
  const sound = await convert(name('audio', 0), 'opus');
  check('sound in Opus', sound.audio.codec === 'opus' && sound.seconds > 3);
  const picture = await convert(name('video', 1), 'webm');
  check('pictures in VP8', picture.video.codec === 'vp8' && picture.seconds > 3);
  check(`ann's colour, not ${picture.colour}`, isColour(picture.colour, COLOURS.ann));
  return `${sound.seconds.toFixed(1)} s of sound, ${picture.seconds.toFixed(1)} s of pictures`;
});
