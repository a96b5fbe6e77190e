// The text of /metrics: names, labels, values. Rates come of two readings.

export interface MetricRow {
  /** With its labels: `tring_media_dropped_total{reason="dtls"}`. */
  name: string;
  value: number;
}

export function parseMetrics(text: string): MetricRow[] {
  return text.split('\n').flatMap((line) => {
    const match = /^([a-z_:][\w:]*(?:\{[^}]*\})?) (\S+)$/i.exec(line);
    const value = Number(match?.[2]);
    return match?.[1] && Number.isFinite(value) ? [{ name: match[1], value }] : [];
  });
}

/** Each counter's growth a second; a counter that has become less began anew. */
export function ratesOf(
  now: Record<string, number>,
  before: Record<string, number>,
  ms: number,
): Record<string, number> {
  if (ms <= 0) return {};
  return Object.fromEntries(
    Object.entries(now).flatMap(([name, value]) => {
      const old = before[name];
      return old === undefined || value < old ? [] : [[name, ((value - old) * 1000) / ms]];
    }),
  );
}
