/**
 * Every error this library throws is a `TringError` with a stable `code`: programs test the code,
 * people read the message (English, for logs; pages have their own sentences for each code).
 */
export class TringError extends Error {
  /** Stable and lower-case, e.g. `permission-denied`. */
  readonly code: string;
  /** True when doing the same again later may work without anything else being changed. */
  readonly retryable: boolean;

  constructor(
    code: string,
    message: string,
    options: { retryable?: boolean; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/**
 * The server cannot be reached, or the session is gone.
 *
 * Codes: `unreachable` (no transport opened), `connection-lost` (the connection broke before the
 * answer came), `session-lost` (the server no longer knows the session), `timeout` (no answer in
 * time), `closed` (this end closed the session), `queue-full` (too much waits for a reconnect).
 */
export class ConnectionError extends TringError {}

/** The server refused a request: a Janus API error object. `code` is `janus-<number>`. */
export class JanusError extends TringError {
  /** The number of the Janus API's error table, e.g. 458 SESSION_NOT_FOUND. */
  readonly janusCode: number;

  constructor(janusCode: number, reason: string) {
    super(`janus-${janusCode}`, reason);
    this.janusCode = janusCode;
  }
}

/** A plugin refused a request: `error_code` in its data. `code` is `plugin-<number>`. */
export class PluginError extends TringError {
  /** The number of the plugin's own error table, e.g. 476 USERNAME_TAKEN of videocall. */
  readonly pluginCode: number;

  constructor(pluginCode: number, reason: string) {
    super(`plugin-${pluginCode}`, reason);
    this.pluginCode = pluginCode;
  }
}

/** Why the camera or microphone could not be had. */
export type MediaErrorCode =
  | 'permission-denied'
  | 'permission-dismissed'
  | 'blocked-by-system'
  | 'blocked-by-policy'
  | 'not-found'
  | 'in-use'
  | 'constraints'
  | 'aborted'
  | 'unsupported'
  | 'unknown';

/** What a person can do about a media error, best first. */
export type MediaWayOn = 'retry' | 'audio-only' | 'other-settings';

const WAYS_ON: Record<MediaErrorCode, readonly MediaWayOn[]> = {
  'permission-denied': ['retry', 'audio-only'],
  'permission-dismissed': ['retry', 'audio-only'],
  'blocked-by-system': ['retry', 'audio-only'],
  'blocked-by-policy': [],
  'not-found': ['audio-only', 'retry', 'other-settings'],
  'in-use': ['retry', 'audio-only', 'other-settings'],
  constraints: ['other-settings', 'audio-only'],
  aborted: ['retry', 'audio-only'],
  unsupported: [],
  unknown: ['retry', 'audio-only'],
};

/** getUserMedia failed. */
export class MediaError extends TringError {
  declare readonly code: MediaErrorCode;
  /** `constraints` only: the constraint that no device meets, e.g. `width` or `deviceId`. */
  readonly constraint: string | undefined;
  /** True when a camera was asked for. */
  readonly askedForVideo: boolean;
  /** False when only a camera was asked for. */
  readonly askedForAudio: boolean;
  /** What can be done about it, best first. */
  readonly waysOn: readonly MediaWayOn[];

  constructor(
    code: MediaErrorCode,
    message: string,
    options: {
      askedForVideo: boolean;
      askedForAudio?: boolean;
      constraint?: string | undefined;
      cause?: unknown;
    },
  ) {
    super(code, message, { retryable: WAYS_ON[code].includes('retry'), cause: options.cause });
    this.constraint = options.constraint;
    this.askedForVideo = options.askedForVideo;
    this.askedForAudio = options.askedForAudio ?? true;
    const both = this.askedForVideo && this.askedForAudio;
    this.waysOn = WAYS_ON[code].filter((way) => way !== 'audio-only' || both);
  }
}

/**
 * Gives one code to what browsers throw from getUserMedia. The names are those of the Media Capture
 * specification and the older ones still seen; the finer cases are told apart by the message.
 */
export function toMediaError(
  error: unknown,
  askedForVideo: boolean,
  askedForAudio = true,
): MediaError {
  if (error instanceof MediaError) return error;
  const { name, message, constraint } = describe(error);
  return new MediaError(codeOf(name, message), message || name || 'getUserMedia failed', {
    askedForVideo,
    askedForAudio,
    constraint: constraint || undefined,
    cause: error,
  });
}

function describe(error: unknown): { name: string; message: string; constraint: string } {
  const source = typeof error === 'object' && error !== null ? error : {};
  const text = (key: string): string => {
    const value = (source as Record<string, unknown>)[key];
    return typeof value === 'string' ? value : '';
  };
  return { name: text('name'), message: text('message'), constraint: text('constraint') };
}

function codeOf(name: string, message: string): MediaErrorCode {
  switch (name) {
    case 'NotAllowedError':
    case 'PermissionDeniedError':
      return deniedCode(message);
    case 'SecurityError':
      return 'blocked-by-policy';
    case 'NotFoundError':
    case 'DevicesNotFoundError':
      return 'not-found';
    case 'NotReadableError':
    case 'TrackStartError':
      return 'in-use';
    case 'OverconstrainedError':
    case 'ConstraintNotSatisfiedError':
      return 'constraints';
    case 'AbortError':
    case 'InvalidStateError':
      return 'aborted';
    default:
      return 'unknown';
  }
}

function deniedCode(message: string): MediaErrorCode {
  if (/dismissed/i.test(message)) return 'permission-dismissed';
  if (/by system/i.test(message)) return 'blocked-by-system';
  if (/policy/i.test(message)) return 'blocked-by-policy';
  return 'permission-denied';
}
