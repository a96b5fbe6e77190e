// The constraint try-out: from what is in the fields to what getUserMedia gets, and back into words.

export const BOUNDS = ['min', 'ideal', 'max', 'exact'] as const;
export type Bound = (typeof BOUNDS)[number];

export const QUANTITIES = ['width', 'height', 'frameRate'] as const;
export type Quantity = (typeof QUANTITIES)[number];

export type Bounds = Partial<Record<Bound, number>>;
export type Facing = 'user' | 'environment';

export interface TryOut {
  quantities: Record<Quantity, Bounds>;
  /** Null: any camera. */
  facing: { bound: 'ideal' | 'exact'; mode: Facing } | null;
}

export const NOTHING_ASKED: TryOut = {
  quantities: { width: {}, height: {}, frameRate: {} },
  facing: null,
};

export interface SizePreset {
  id: string;
  name: string;
  width: number;
  height: number;
}

export const SIZE_PRESETS: readonly SizePreset[] = [
  { id: 'qvga', name: 'QVGA', width: 320, height: 240 },
  { id: 'vga', name: 'VGA', width: 640, height: 480 },
  { id: 'hd', name: 'HD', width: 1280, height: 720 },
  { id: 'full-hd', name: 'Full HD', width: 1920, height: 1080 },
  { id: '4k', name: '4K', width: 3840, height: 2160 },
  { id: '8k', name: '8K', width: 7680, height: 4320 },
];

export const RATE_PRESETS: readonly number[] = [5, 15, 30, 60];

/** A width that no camera has, to see what a browser says then. */
export const IMPOSSIBLE_WIDTH = 100_000;

export function withSize(tryOut: TryOut, width: number, height: number): TryOut {
  const quantities = { ...tryOut.quantities, width: { exact: width }, height: { exact: height } };
  return { ...tryOut, quantities };
}

export function impossible(): TryOut {
  return {
    ...NOTHING_ASKED,
    quantities: { ...NOTHING_ASKED.quantities, width: { exact: IMPOSSIBLE_WIDTH } },
  };
}

/** One field changed: a number, or null when it was emptied. */
export function withBound(
  tryOut: TryOut,
  quantity: Quantity,
  bound: Bound,
  value: number | null,
): TryOut {
  const { [bound]: _before, ...others } = tryOut.quantities[quantity];
  const bounds = value === null ? others : { ...others, [bound]: value };
  return { ...tryOut, quantities: { ...tryOut.quantities, [quantity]: bounds } };
}

/** What getUserMedia gets as `video`; true when nothing is asked for. */
export function toVideoConstraints(tryOut: TryOut, camera?: string): MediaTrackConstraints | true {
  const constraints: MediaTrackConstraints = {};
  for (const quantity of QUANTITIES) {
    const bounds = tryOut.quantities[quantity];
    if (Object.keys(bounds).length > 0) constraints[quantity] = { ...bounds };
  }
  if (tryOut.facing) constraints.facingMode = { [tryOut.facing.bound]: tryOut.facing.mode };
  if (camera) constraints.deviceId = { exact: camera };
  return Object.keys(constraints).length > 0 ? constraints : true;
}

/** "12.5" -> 12.5; "" -> null; what is no positive number -> undefined. */
export function readField(text: string): number | null | undefined {
  const trimmed = text.trim().replace(',', '.');
  if (trimmed === '') return null;
  const value = Number(trimmed);
  return Number.isFinite(value) && value > 0 ? value : undefined;
}

const NAMES: Record<Quantity, { name: string; unit: string }> = {
  width: { name: 'a picture width', unit: 'pixels' },
  height: { name: 'a picture height', unit: 'pixels' },
  frameRate: { name: 'a frame rate', unit: 'pictures a second' },
};

const BOUND_WORDS: Record<Bound, string> = {
  exact: 'exactly',
  min: 'at least',
  max: 'at most',
  ideal: 'about',
};

const FACINGS: Record<Facing, string> = {
  user: 'a camera that faces you',
  environment: 'a camera that faces away from you',
};

/** What was asked for by one constraint, e.g. "a picture width of exactly 1,000,000 pixels". */
export function askedFor(tryOut: TryOut, constraint: string): string | null {
  if (constraint === 'facingMode') return tryOut.facing ? FACINGS[tryOut.facing.mode] : null;
  const quantity = QUANTITIES.find((known) => known === constraint);
  if (!quantity) return null;
  const bounds = BOUNDS.flatMap((bound) => {
    const value = tryOut.quantities[quantity][bound];
    // What is ideal can always be missed.
    if (value === undefined || bound === 'ideal') return [];
    return [`${BOUND_WORDS[bound]} ${value.toLocaleString('en-GB')}`];
  });
  if (bounds.length === 0) return null;
  const { name, unit } = NAMES[quantity];
  return `${name} of ${bounds.join(' and ')} ${unit}`;
}

/** What a track does, e.g. "1280 × 720 pixels, 30 pictures a second". */
export function settingsWords(settings: MediaTrackSettings): string {
  const parts: string[] = [];
  if (settings.width && settings.height)
    parts.push(`${settings.width} × ${settings.height} pixels`);
  if (settings.frameRate) parts.push(`${Math.round(settings.frameRate)} pictures a second`);
  const facing = (['user', 'environment'] as const).find((mode) => mode === settings.facingMode);
  if (facing) parts.push(FACINGS[facing]);
  return parts.join(', ');
}
