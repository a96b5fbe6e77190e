// The calls API of the server, and the list that keeps itself fresh. Answers are checked field by
// field: a field that is missing or wrong becomes "not known", never a broken page.

export type RecordingState = 'none' | 'recording' | 'processing' | 'ready' | 'failed';

export interface CallRow {
  id: string;
  caller: string;
  callee: string;
  startedMs: number;
  answeredMs: number | null;
  endedMs: number | null;
  durationMs: number | null;
  endReason: string | null;
  recording: {
    state: RecordingState;
    progress: number;
    error: string | null;
    bytes: number | null;
    url: string | null;
  };
}

/** The server wants the agent key (HTTP 401 or 403). */
export class KeyNeeded extends Error {}

const STATES: readonly RecordingState[] = ['none', 'recording', 'processing', 'ready', 'failed'];

export class CallsApi {
  /** Sent as a bearer token when it is not empty. */
  key = '';

  constructor(private readonly fetcher: typeof fetch = (...args) => fetch(...args)) {}

  async list(before?: string, limit = 50): Promise<CallRow[]> {
    const query = new URLSearchParams({ limit: String(limit), ...(before ? { before } : {}) });
    const body = await this.request(`/api/calls?${query.toString()}`, 'GET');
    return Array.isArray(body.calls) ? body.calls.flatMap(toRow) : [];
  }

  /** An address that plays without the key for a while. */
  async recordingLink(id: string): Promise<string> {
    const path = `/api/calls/${encodeURIComponent(id)}/recording-link`;
    const { url } = await this.request(path, 'POST');
    if (typeof url !== 'string' || !url.startsWith('/')) throw new Error('no address was given');
    return url;
  }

  private async request(path: string, method: string): Promise<Record<string, unknown>> {
    const response = await this.fetcher(path, {
      method,
      headers: this.key ? { Authorization: `Bearer ${this.key}` } : {},
      cache: 'no-store',
    });
    if (response.status === 401 || response.status === 403) throw new KeyNeeded();
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    return objectOf(await response.json());
  }
}

/** Newer rows replace older ones of the same id; sorted, newest first. */
export function mergeRows(old: readonly CallRow[], fresh: readonly CallRow[]): CallRow[] {
  const byId = new Map(old.map((row) => [row.id, row]));
  for (const row of fresh) byId.set(row.id, row);
  return [...byId.values()].sort((a, b) => b.startedMs - a.startedMs);
}

/** True while a row will change by itself soon. */
export function isMoving(row: CallRow): boolean {
  return row.endedMs === null || ['recording', 'processing'].includes(row.recording.state);
}

export function toRow(value: unknown): CallRow[] {
  const row = objectOf(value);
  const id = typeof row.id === 'number' ? String(row.id) : textOf(row.id);
  const startedMs = numberOf(row.started_ms);
  if (!id || startedMs === null) return [];
  return [
    {
      id,
      caller: textOf(row.caller) ?? '',
      callee: textOf(row.callee) ?? '',
      startedMs,
      answeredMs: numberOf(row.answered_ms),
      endedMs: numberOf(row.ended_ms),
      durationMs: numberOf(row.duration_ms),
      endReason: textOf(row.end_reason),
      recording: toRecording(objectOf(row.recording)),
    },
  ];
}

function toRecording(value: Record<string, unknown>): CallRow['recording'] {
  return {
    state: STATES.find((known) => known === value.state) ?? 'none',
    progress: Math.min(100, Math.max(0, Math.round(numberOf(value.progress) ?? 0))),
    error: textOf(value.error),
    bytes: numberOf(value.bytes),
    url: textOf(value.url),
  };
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value ? value : null;
}
