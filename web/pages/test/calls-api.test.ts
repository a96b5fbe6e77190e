// Goal: the list of calls survives whatever the server answers.

import { describe, expect, it } from 'vitest';
import { CallsApi, KeyNeeded, isMoving, mergeRows, toRow } from '../agent/calls-api.js';

const ROW = {
  id: '12',
  caller: 'customer-1',
  callee: 'agent:Ann',
  started_ms: 1000,
  answered_ms: 2000,
  ended_ms: 9000,
  duration_ms: 7000,
  end_reason: 'Hung up',
  recording: { state: 'ready', progress: 100, error: null, bytes: 5, url: '/x' },
};

function api(status: number, body: unknown) {
  const asked: { path: string; init: RequestInit | undefined }[] = [];
  const made = new CallsApi((path, init) => {
    asked.push({ path: path as string, init });
    return Promise.resolve(new Response(JSON.stringify(body), { status }));
  });
  return { api: made, asked };
}

describe('the calls API', () => {
  it('reads a row', () => {
    expect(toRow(ROW)).toEqual([
      {
        id: '12',
        caller: 'customer-1',
        callee: 'agent:Ann',
        startedMs: 1000,
        answeredMs: 2000,
        endedMs: 9000,
        durationMs: 7000,
        endReason: 'Hung up',
        recording: { state: 'ready', progress: 100, error: null, bytes: 5, url: '/x' },
      },
    ]);
  });

  it('leaves out what is no row, and unknown fields of a row', () => {
    for (const wrong of [null, 5, {}, { id: 'x' }, { started_ms: 1 }])
      expect(toRow(wrong)).toEqual([]);
    const [row] = toRow({ id: 5, started_ms: 1, recording: { state: 'odd', progress: 700 } });
    expect(row).toMatchObject({ id: '5', recording: { state: 'none', progress: 100 } });
  });

  it('asks for pages, with the key when there is one', async () => {
    const { api: calls, asked } = api(200, { calls: [ROW] });
    expect(await calls.list('40')).toHaveLength(1);
    calls.key = 'secret';
    await calls.list();
    expect(asked[0]?.path).toBe('/api/calls?limit=50&before=40');
    expect(asked[0]?.init?.headers).toEqual({});
    expect(asked[1]?.init?.headers).toEqual({ Authorization: 'Bearer secret' });
  });

  it('says that the key is needed', async () => {
    await expect(api(403, {}).api.list()).rejects.toBeInstanceOf(KeyNeeded);
    await expect(api(500, {}).api.list()).rejects.not.toBeInstanceOf(KeyNeeded);
  });

  it('takes a link of this server only', async () => {
    const good = api(200, { url: '/api/calls/1/recording.webm?sig=2' });
    expect(await good.api.recordingLink('a/b')).toContain('sig=2');
    expect(good.asked[0]).toMatchObject({ path: '/api/calls/a%2Fb/recording-link' });
    await expect(api(200, { url: 'https://elsewhere/' }).api.recordingLink('1')).rejects.toThrow();
  });

  it('merges fresh rows into old ones, newest first', () => {
    const [old] = toRow({ ...ROW, recording: { state: 'processing' } });
    const [older] = toRow({ ...ROW, id: '11', started_ms: 500 });
    const [fresh] = toRow(ROW);
    if (!old || !older || !fresh) throw new Error('no row');
    expect(isMoving(old)).toBe(true);
    expect(mergeRows([older, old], [fresh])).toEqual([fresh, older]);
    expect(isMoving(fresh)).toBe(false);
  });
});
