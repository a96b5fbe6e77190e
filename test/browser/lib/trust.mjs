// A certificate authority of a test's own, the certificates that it issues, and browsers' folders in
// which they find it among those that they trust.

import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export class Authority {
  /** One that is in its folder already, as ca.pem and ca.key. */
  constructor(folder) {
    this.folder = folder;
    this.cert = join(folder, 'ca.pem');
    this.key = join(folder, 'ca.key');
  }

  static async create(folder) {
    const made = new Authority(folder);
    await run('openssl', [
      ...['req', '-x509', ...KEY, '-days', '2', '-subj', '/CN=Authority of a test'],
      ...['-addext', 'keyUsage=critical,keyCertSign', '-keyout', made.key, '-out', made.cert],
    ]);
    return made;
  }

  /** For names such as 'IP:192.0.2.1' and 'DNS:relay.test'; the paths of its PEM files. */
  async issue(...names) {
    const [key, cert] = [join(this.folder, 'key.pem'), join(this.folder, 'cert.pem')];
    await run('openssl', [
      ...['req', '-x509', ...KEY, '-days', '2', '-subj', '/CN=relay'],
      ...['-addext', `subjectAltName=${names}`, '-addext', 'basicConstraints=CA:FALSE'],
      ...['-CA', this.cert, '-CAkey', this.key, '-keyout', key, '-out', cert],
    ]);
    return { key, cert };
  }

  /** The home folder of somebody who trusts it, for Chromium. */
  async home() {
    await this.#trustedIn(join(this.folder, '.pki', 'nssdb'));
    return this.folder;
  }

  /** The same as a profile of Firefox. */
  async profile() {
    return this.#trustedIn(join(this.folder, 'firefox'));
  }

  /** Both have it from a database of NSS. */
  async #trustedIn(database) {
    const certutil = (...args) => run('certutil', ['-d', `sql:${database}`, ...args]);
    await mkdir(database, { recursive: true });
    await certutil('-N', '--empty-password');
    await certutil('-A', '-n', 'test', '-t', 'C,,', '-i', this.cert);
    return database;
  }
}
