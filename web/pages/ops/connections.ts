// The rows of the lists: read, filtered, sorted, grouped.

import { at, countOf, listOf, numberOf, objectOf, textOf, type Json } from './json.js';
import { fromColumns, toValues, type Sample, type Values } from './samples.js';

export interface Connection {
  session: number;
  handle: number;
  plugin: string;
  who: string;
  peer: string;
  room: string;
  role: string;
  opaqueId: string;
  call: string;
  client: string;
  createdMs: number;
  upMs: number | null;
  state: 'idle' | 'connecting' | 'up';
  iceState: string;
  latest: Values | null;
}

export interface LiveList {
  nowMs: number;
  sessions: number;
  handles: number;
  peers: number;
  /** How many the server found; it may have sent fewer. */
  matching: number;
  rows: Connection[];
}

export interface PastConnection {
  id: string;
  plugin: string;
  who: string;
  peer: string;
  room: string;
  role: string;
  call: string;
  reason: string;
  startedMs: number;
  upMs: number | null;
  endedMs: number;
  path: { type: string; protocol: string; local: string; remote: string } | null;
  codecs: string;
  metrics: Record<string, { mean: number; max: number }>;
  totals: Record<string, number>;
  drops: Record<string, number>;
  facts: Json;
  series: Sample[];
  ofCall: { id: string; caller: string; callee: string; recording: string } | null;
}

const STATES = ['idle', 'connecting', 'up'] as const;

function toConnection(value: unknown): Connection[] {
  const row = objectOf(value);
  const session = numberOf(row.session_id);
  const handle = numberOf(row.handle_id);
  if (session === null || handle === null) return [];
  return [
    {
      session,
      handle,
      plugin: textOf(row.plugin),
      who: textOf(row.who),
      peer: textOf(row.peer),
      room: textOf(row.room),
      role: textOf(row.role),
      opaqueId: textOf(row.opaque_id),
      call: textOf(row.call),
      client: textOf(row.client),
      createdMs: countOf(row.created_ms),
      upMs: numberOf(row.up_ms),
      state: STATES.find((state) => state === row.state) ?? 'idle',
      iceState: textOf(row.ice_state),
      latest: row.latest ? toValues(row.latest) : null,
    },
  ];
}

export function toLiveList(value: unknown): LiveList {
  const rows = listOf(at(value, 'connections')).flatMap(toConnection);
  return {
    nowMs: numberOf(at(value, 'now_ms')) ?? Date.now(),
    sessions: countOf(at(value, 'sessions')),
    handles: countOf(at(value, 'handles')),
    peers: countOf(at(value, 'peers')),
    matching: numberOf(at(value, 'matching')) ?? rows.length,
    rows,
  };
}

function numbersOf(value: unknown): Record<string, number> {
  return Object.fromEntries(
    Object.entries(objectOf(value)).flatMap(([name, count]) =>
      typeof count === 'number' ? [[name, count]] : [],
    ),
  );
}

function pathOf(value: unknown): PastConnection['path'] {
  const path = objectOf(value);
  if (!path.remote) return null;
  return {
    type: textOf(path.type),
    protocol: textOf(path.protocol),
    local: textOf(path.local),
    remote: textOf(path.remote),
  };
}

export function toPast(value: unknown): PastConnection[] {
  const row = objectOf(value);
  const id = textOf(row.id);
  const endedMs = numberOf(row.ended_ms);
  if (!id || endedMs === null) return [];
  const call = objectOf(row.of_call);
  return [
    {
      id,
      plugin: textOf(row.plugin),
      who: textOf(row.who),
      peer: textOf(row.peer),
      room: textOf(row.room),
      role: textOf(row.role),
      call: textOf(row.call),
      reason: textOf(row.reason),
      startedMs: countOf(row.started_ms),
      upMs: numberOf(row.up_ms),
      endedMs,
      path: pathOf(row.path),
      codecs: textOf(row.codecs),
      metrics: Object.fromEntries(
        Object.entries(objectOf(row.metrics)).map(([name, metric]) => [
          name,
          { mean: countOf(at(metric, 'mean')), max: countOf(at(metric, 'max')) },
        ]),
      ),
      totals: numbersOf(row.totals),
      drops: numbersOf(at(row.totals, 'drops')),
      facts: row,
      series: fromColumns(row.series),
      ofCall: call.id
        ? {
            id: textOf(call.id),
            caller: textOf(call.caller),
            callee: textOf(call.callee),
            recording: textOf(call.recording),
          }
        : null,
    },
  ];
}

/** "janus.plugin.videoroom" -> "videoroom" */
export function pluginName(plugin: string): string {
  return plugin.split('.').at(-1) ?? plugin;
}

export function bitrateOf(values: Values | null, way: 'in' | 'out'): number | null {
  if (!values) return null;
  const [audio, video] = [values[`audio_${way}_bps`], values[`video_${way}_bps`]];
  return audio === null && video === null ? null : (audio ?? 0) + (video ?? 0);
}

export function worstLoss(values: Values | null): number | null {
  const known = [values?.loss_in_ppm, values?.loss_out_ppm].filter((v) => typeof v === 'number');
  return known.length > 0 ? Math.max(...known) : null;
}

// Filter, sort, group

export const SORTS = ['who', 'state', 'age', 'rtt', 'loss', 'in', 'out'] as const;
export type Sort = (typeof SORTS)[number];

export function filterRows(rows: readonly Connection[], text: string): Connection[] {
  const part = text.trim().toLowerCase();
  if (!part) return [...rows];
  return rows.filter((row) =>
    [
      row.who,
      row.peer,
      row.room,
      row.role,
      row.plugin,
      row.client,
      row.call,
      row.opaqueId,
      row.state,
      String(row.session),
      String(row.handle),
    ].some((field) => field.toLowerCase().includes(part)),
  );
}

function keyOf(row: Connection, sort: Sort): number | string | null {
  switch (sort) {
    case 'who':
      return row.who.toLowerCase() || null;
    case 'state':
      return STATES.indexOf(row.state);
    case 'age':
      return -row.createdMs;
    case 'rtt':
      return row.latest?.rtt_us ?? null;
    case 'loss':
      return worstLoss(row.latest);
    case 'in':
    case 'out':
      return bitrateOf(row.latest, sort);
  }
}

/** What is not known comes last, whichever way; equal ones in the order of their ids, so that rows do
 * not jump about. */
export function sortRows(rows: readonly Connection[], sort: Sort, down: boolean): Connection[] {
  const sign = down ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [left, right] = [keyOf(a, sort), keyOf(b, sort)];
    if (left !== right) {
      if (left === null) return 1;
      if (right === null) return -1;
      return left < right ? -sign : sign;
    }
    return a.handle - b.handle;
  });
}

export interface Group {
  key: string;
  kind: 'room' | 'call' | 'other';
  name: string;
  rows: Connection[];
}

/** Those of one room together, and the two sides of a call; in the order of the first of each. */
export function groupRows(rows: readonly Connection[]): Group[] {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    const group = groupOf(row);
    const known = groups.get(group.key);
    if (known) known.rows.push(row);
    else groups.set(group.key, { ...group, rows: [row] });
  }
  return [...groups.values()];
}

function groupOf(row: Connection): Omit<Group, 'rows'> {
  if (row.room) {
    return { key: `room ${row.plugin} ${row.room}`, kind: 'room', name: row.room };
  }
  if (row.peer) {
    const pair = [row.who, row.peer].sort();
    return { key: `call ${pair.join('\n')}`, kind: 'call', name: pair.join(' – ') };
  }
  return { key: `other ${row.plugin}`, kind: 'other', name: pluginName(row.plugin) };
}
