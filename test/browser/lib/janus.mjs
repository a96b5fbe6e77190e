// Debian's Janus, the peer that figures are compared with and that room tests were proved on, on free
// ports and with the least configuration that serves HTTP and WebSocket.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freeTcpPort } from './ports.mjs';
import { Child } from './process.mjs';
import { until } from './wait.mjs';

const LIBRARIES = process.env.JANUS_LIBRARIES ?? '/usr/lib/x86_64-linux-gnu/janus';

export class Janus {
  /** `lite`: it waits for the checks of the clients, and so uses no path that they did not choose. */
  static async start({ lite = false } = {}) {
    const janus = new Janus();
    janus.lite = lite;
    janus.ports = { http: await freeTcpPort(), ws: await freeTcpPort() };
    janus.dir = await mkdtemp(join(tmpdir(), 'janus-browser-'));
    for (const [name, text] of Object.entries(janus.configuration())) {
      await writeFile(join(janus.dir, name), text);
    }
    janus.child = new Child(process.env.JANUS ?? '/usr/bin/janus', [
      `--configs-folder=${janus.dir}`,
      `--config=${join(janus.dir, 'janus.jcfg')}`,
      '--disable-colors',
    ]);
    await until('Janus answers', async () => {
      if (janus.child.ended) throw new Error(janus.child.tail());
      return (await fetch(`http://localhost:${janus.ports.http}/janus/info`)).ok;
    });
    return janus;
  }

  configuration() {
    return {
      'janus.jcfg': `general: {
  configs_folder = "${this.dir}"
  plugins_folder = "${LIBRARIES}/plugins"
  transports_folder = "${LIBRARIES}/transports"
  debug_level = 4
}
nat: {
  ice_lite = ${this.lite}
}
plugins: {
  disable = "${UNUSED_PLUGINS}"
}
transports: {
  disable = "${UNUSED_TRANSPORTS}"
}
`,
      'janus.transport.http.jcfg': `general: { http = true, port = ${this.ports.http}, https = false }
admin: { admin_http = false }
`,
      'janus.transport.websockets.jcfg': `general: { ws = true, ws_port = ${this.ports.ws}, wss = false }
admin: { admin_ws = false }
`,
      'janus.plugin.videoroom.jcfg': 'general: {}\n',
    };
  }

  async stop() {
    await this.child.end('SIGTERM');
  }

  async remove() {
    await rm(this.dir, { recursive: true, force: true });
  }
}

const UNUSED_PLUGINS = [
  'audiobridge',
  'duktape',
  'lua',
  'nosip',
  'recordplay',
  'sip',
  'streaming',
  'textroom',
  'voicemail',
]
  .map((name) => `libjanus_${name}.so`)
  .join(',');
const UNUSED_TRANSPORTS = ['mqtt', 'nanomsg', 'pfunix', 'rabbitmq']
  .map((name) => `libjanus_${name}.so`)
  .join(',');
