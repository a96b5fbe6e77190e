// The server under test, on free ports, with a data folder of its own.

import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freeTcpPort, freeUdpPort } from './ports.mjs';
import { Child } from './process.mjs';
import { until } from './wait.mjs';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const QUICK_END_MS = 6000;

export function tringProgram() {
  const program = process.env.TRING_BIN ?? join(ROOT, 'build/release/src/server/tring');
  if (!existsSync(program)) throw new Error(`${program} is not built; TRING_BIN names another`);
  return program;
}

export class Tring {
  /**
   * Starts one. `env`: TRING_* of its configuration. `wrap`: turns the command line into another
   * one, which must become the server by exec.
   */
  static async start({ env = {}, wrap = (command) => command } = {}) {
    const tring = new Tring();
    tring.dataDir = await mkdtemp(join(tmpdir(), 'tring-browser-'));
    tring.ports = {
      http: await freeTcpPort(),
      ws: await freeTcpPort(),
      admin: await freeTcpPort(),
      media: await freeUdpPort(),
      turn: await freeUdpPort(),
      turnTls: await freeTcpPort(),
    };
    tring.env = env;
    tring.wrap = wrap;
    await tring.launch();
    return tring;
  }

  get url() {
    return `http://localhost:${this.ports.http}`;
  }

  async launch() {
    const [command, ...args] = this.wrap([tringProgram(), '--data', this.dataDir]);
    this.child = new Child(command, args, {
      TRING_HTTP_PORT: String(this.ports.http),
      TRING_HTTP_WS_PORT: String(this.ports.ws),
      TRING_ADMIN_PORT: String(this.ports.admin),
      TRING_MEDIA_PORT: String(this.ports.media),
      TRING_TURN_PORT: String(this.ports.turn),
      TRING_TURN_TLS_PORT: String(this.ports.turnTls),
      TRING_SERVER_LOG_LEVEL: 'debug',
      ...this.env,
    });
    await this.child.says(/is ready/);
  }

  /** As a power cut would: nothing is said goodbye to. */
  async kill() {
    await this.child.end('SIGKILL');
  }

  /** Ctrl-C: it must end well, and soon. */
  async stop() {
    const { code, signal, ms } = await this.child.end('SIGTERM');
    if (code !== 0)
      throw new Error(`the server ended with ${code ?? signal}:\n${this.child.tail()}`);
    if (ms > QUICK_END_MS) throw new Error(`the server took ${ms} ms to end`);
  }

  async remove() {
    await rm(this.dataDir, { recursive: true, force: true });
  }

  // The calls API

  async api(path, method = 'GET') {
    const key = this.env.TRING_WEB_AGENT_KEY;
    const headers = key ? { Authorization: `Bearer ${key}` } : {};
    const response = await fetch(this.url + path, { method, headers });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
    return response.json();
  }

  async calls() {
    return (await this.api('/api/calls?limit=50')).calls;
  }

  /** The newest call, once its recording is in this state. */
  async recording(state, limit = 60_000) {
    return until(
      `recording ${state}`,
      async () => {
        const [call] = await this.calls();
        if (call?.recording.state === state) return call;
        if (state !== 'failed' && call?.recording.state === 'failed') {
          throw new Error(call.recording.error);
        }
        return null;
      },
      { limit, every: 100 },
    );
  }

  /** The address of a finished recording, signed. */
  async recordingUrl(call) {
    const { url } = await this.api(`/api/calls/${call.id}/recording-link`, 'POST');
    return this.url + url;
  }

  /** Puts a finished recording into a folder; gives the file's path. */
  async download(call, folder) {
    const response = await fetch(await this.recordingUrl(call));
    const type = response.headers.get('content-type');
    if (!/^video\/webm/.test(type)) throw new Error(`${response.status}, ${type}`);
    const file = join(folder, 'call.webm');
    await writeFile(file, Buffer.from(await response.arrayBuffer()));
    return file;
  }
}
