// Janode without its Unix sockets, whose native module would have to be compiled.

import { register } from 'node:module';

const text = (code) => `data:text/javascript,${encodeURIComponent(code)}`;
const NO_SOCKETS = text('export function createSocket() { throw new Error("not here"); }');
register(
  text(`export function resolve(name, context, next) {
    if (name !== 'unix-dgram') return next(name, context);
    return { url: ${JSON.stringify(NO_SOCKETS)}, shortCircuit: true };
  }`),
);

export const { default: Janode } = await import('janode');
export const { default: VideoRoom } = await import('janode/plugins/videoroom');
Janode.Logger.setLevel('none');

/** Attaches handles of the video room to one session of a server; all end with the test. */
export async function janodeSession(t, server) {
  const connection = await Janode.connect({
    address: { url: `ws://localhost:${server.ports.ws}` },
  });
  t.atEnd(() => connection.close());
  const session = await connection.create();
  return async () => new Handle(await session.attach(VideoRoom));
}

/** A handle of Janode with its events kept, so that each can be awaited after it came. */
class Handle {
  constructor(janode) {
    this.janode = janode;
    this.events = [];
    this.waiting = [];
    for (const name of Object.values({ ...Janode.EVENT, ...VideoRoom.EVENT })) {
      janode.on(name, (data) => this.keep({ name, data }));
    }
  }

  keep(event) {
    const taker = this.waiting.find(({ fits }) => fits(event));
    if (!taker) {
      this.events.push(event);
      return;
    }
    this.waiting.splice(this.waiting.indexOf(taker), 1);
    taker.resolve(event.data);
  }

  /** The first event of this name, from those that came or are to come, that `suits`. */
  event(name, suits = () => true, limit = 15_000) {
    const fits = (event) => event.name === name && suits(event.data);
    const index = this.events.findIndex(fits);
    if (index >= 0) return Promise.resolve(this.events.splice(index, 1)[0].data);
    return new Promise((resolve, reject) => {
      const taker = { fits, resolve };
      this.waiting.push(taker);
      setTimeout(() => {
        this.waiting = this.waiting.filter((other) => other !== taker);
        const came = this.events.map((event) => event.name).join(', ');
        reject(new Error(`no event ${name} within ${limit / 1000} s (came: ${came || 'none'})`));
      }, limit).unref();
    });
  }
}
