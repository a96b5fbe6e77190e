// Goal: a plot shows what was measured, newest at the right, and has a gap where nothing was known.

import { expect, it } from 'vitest';
import { plotLines, plotRange, plotTop, type PlotSeries } from '../shared/plot-shape.js';

const line = (...values: (number | null)[]): PlotSeries => ({
  name: '',
  points: values.map((value, second) => ({ atMs: second * 1000, value })),
});

it('ends the scale at a round figure', () => {
  expect(plotTop([line(0.2)], 10_000)).toBe(1);
  expect(plotTop([line(3)], 10_000)).toBe(5);
  expect(plotTop([line(12)], 10_000)).toBe(20);
  expect(plotTop([line(700)], 10_000)).toBe(1000);
  expect(plotTop([line(20)], 10_000)).toBe(20);
  expect(plotTop([], 10_000)).toBe(1);
});

it('draws the newest point at the right end', () => {
  expect(plotLines([line(0, 5, 10)], 2000, 100, 50)).toEqual(['M0 50L50 25L100 0']);
});

it('has a gap where nothing is known, and forgets what is too old', () => {
  expect(plotLines([line(10, 10, null, 10)], 2000, 100, 50)).toEqual(['M0 0M100 0']);
  expect(plotLines([line(null)], 2000, 100, 50)).toEqual(['']);
});

it('puts all lines on one scale', () => {
  expect(plotLines([line(0, 10), line(0, 5)], 1000, 100, 50)).toEqual([
    'M0 50L100 0',
    'M0 50L100 25',
  ]);
});

it('tells the range that is shown', () => {
  expect(plotRange(line(90, 3, null, 7), 2000)).toEqual({ low: 3, high: 7 });
  expect(plotRange(line(null), 2000)).toBeNull();
});
