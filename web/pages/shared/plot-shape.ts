// The shapes of a plot over time: pure functions from figures to SVG paths.

export interface PlotPoint {
  atMs: number;
  /** Null: not known at that time; the line has a gap there. */
  value: number | null;
}

export interface PlotSeries {
  /** May be empty when there is only one. */
  name: string;
  /** By rising time. */
  points: readonly PlotPoint[];
}

/** The upper end of the scale: 1, 2 or 5 times a power of ten, at least 1. */
export function plotTop(series: readonly PlotSeries[], spanMs: number): number {
  const from = newestOf(series) - spanMs;
  let highest = 1;
  for (const { points } of series) {
    for (const { atMs, value } of points) {
      if (value !== null && atMs >= from) highest = Math.max(highest, value);
    }
  }
  const power = 10 ** Math.floor(Math.log10(highest));
  return ([1, 2, 5].find((factor) => factor * power >= highest) ?? 10) * power;
}

/** One path for each line, from the plot's left end (oldest) to its right end (newest). */
export function plotLines(
  series: readonly PlotSeries[],
  spanMs: number,
  width: number,
  height: number,
): string[] {
  const newest = newestOf(series);
  const top = plotTop(series, spanMs);
  return series.map(({ points }) => {
    let path = '';
    let pen = 'M';
    for (const { atMs, value } of points) {
      if (value === null || newest - atMs > spanMs) {
        pen = 'M';
        continue;
      }
      const x = width - ((newest - atMs) / spanMs) * width;
      const y = height - (Math.max(0, value) / top) * height;
      path += `${pen}${round(x)} ${round(y)}`;
      pen = 'L';
    }
    return path;
  });
}

/** The lowest and the highest figure that is shown; null when there is none. */
export function plotRange(line: PlotSeries, spanMs: number): { low: number; high: number } | null {
  const from = newestOf([line]) - spanMs;
  const shown = line.points.flatMap(({ atMs, value }) =>
    value !== null && atMs >= from ? [value] : [],
  );
  if (shown.length === 0) return null;
  return { low: Math.min(...shown), high: Math.max(...shown) };
}

function newestOf(series: readonly PlotSeries[]): number {
  return Math.max(0, ...series.map(({ points }) => points.at(-1)?.atMs ?? 0));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
