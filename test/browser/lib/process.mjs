// A server as a child process: its output is kept, and it is ended by its own id.

import { spawn } from 'node:child_process';
import { until, within } from './wait.mjs';

const LOG_LINES = 400;

export class Child {
  constructor(command, args, env = {}, { stdin = 'ignore' } = {}) {
    this.lines = [];
    this.process = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: [stdin, 'pipe', 'pipe'],
    });
    this.exited = new Promise((resolve) => {
      this.process.once('error', (error) => resolve({ error }));
      this.process.once('exit', (code, signal) => resolve({ code, signal }));
    });
    this.ended = null;
    this.exited.then((how) => (this.ended = how));
    for (const stream of [this.process.stdout, this.process.stderr]) this.keep(stream);
  }

  get pid() {
    return this.process.pid;
  }

  /** Waits until it says something, or dies. */
  async says(pattern, limit = 20_000) {
    return until(
      `output ${pattern}`,
      () => {
        if (this.ended) return 'ended';
        return this.lines.find((line) => pattern.test(line));
      },
      { limit, every: 20 },
    ).then((line) => {
      if (line === 'ended') throw new Error(`it ended at once:\n${this.tail()}`);
      return line;
    });
  }

  /** Sends a signal and waits for the end: { code, signal, ms }. */
  async end(signal = 'SIGTERM', limit = 15_000) {
    const start = Date.now();
    if (!this.ended) this.process.kill(signal);
    const how = await within(`end after ${signal}`, this.exited, limit).catch(async (error) => {
      this.process.kill('SIGKILL');
      throw error;
    });
    return { ...how, ms: Date.now() - start };
  }

  tail(count = 40) {
    return this.lines.slice(-count).join('\n');
  }

  keep(stream) {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      this.lines.push(...lines);
      this.lines.splice(0, this.lines.length - LOG_LINES);
    });
  }
}
