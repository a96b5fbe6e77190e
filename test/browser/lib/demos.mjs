// Serves Debian's janus-demos as they are, with one file in the place of another: settings.js, which
// names the server. The pages' libraries come from the same package tree.

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const DEMOS = process.env.JANUS_DEMOS ?? '/usr/share/janus/demos';
const OWN = fileURLToPath(new URL('../pages/', import.meta.url));
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
  '.ttf': 'font/ttf',
  '.svg': 'image/svg+xml',
};

/**
 * Pages of the demos below /, pages of our own below /own/. The server that they call is named by
 * the `server` parameter of the page that loads settings.js.
 */
export class DemoPages {
  static async start() {
    if (!existsSync(DEMOS)) throw new Error(`${DEMOS} is not there: install janus-demos`);
    const pages = new DemoPages();
    pages.server = createServer((request, response) => {
      answer(request, response).catch(() => response.writeHead(404).end());
    });
    await new Promise((resolve) => pages.server.listen(0, '127.0.0.1', resolve));
    pages.url = `http://localhost:${pages.server.address().port}`;
    return pages;
  }

  /** The address of a page that uses this server, e.g. ws://localhost:8188. */
  address(page, server, parameters = {}) {
    const query = new URLSearchParams({ ...parameters, server });
    return `${this.url}/${page}?${query}`;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const SETTINGS = `var server = new URLSearchParams(location.search).get('server');
var iceServers = [];
var token = '', apisecret = '';
`;

async function answer(request, response) {
  const { pathname } = new URL(request.url, 'http://localhost');
  const type = TYPES[extname(pathname)] ?? 'application/octet-stream';
  const body = pathname.endsWith('/settings.js') ? SETTINGS : await readFile(fileOf(pathname));
  response.writeHead(200, { 'Content-Type': type, 'Cache-Control': 'no-store' }).end(body);
}

function fileOf(pathname) {
  const path = normalize(decodeURIComponent(pathname));
  return path.startsWith('/own/') ? join(OWN, path.slice('/own/'.length)) : join(DEMOS, path);
}
