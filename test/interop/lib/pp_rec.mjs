// Janus' converter of recordings, and a look at what it makes.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { decodeErrors, probe } from '../../browser/lib/probe.mjs';
import { colourOf } from './receiver.mjs';

const run = promisify(execFile);

/** Makes a file of this kind beside the .mjr; gives what ffprobe says of it, and its last colour. */
export async function convert(mjr, kind) {
  const made = mjr.replace(/mjr$/, kind);
  await run('janus-pp-rec', ['--disable-colors', mjr, made]);
  const errors = await decodeErrors(made);
  if (errors) throw new Error(`${made}: ${errors}`);
  const facts = await probe(made);
  return facts.video ? { ...facts, colour: await colourOf(made) } : facts;
}
