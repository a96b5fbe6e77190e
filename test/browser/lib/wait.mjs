// Waiting for conditions: no test sleeps for a fixed time.

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Asks until `check()` gives something truthy, and gives that back. `what` is told when it never does,
 * with the last thing that it gave or threw.
 */
export async function until(what, check, { limit = 20_000, every = 100 } = {}) {
  const end = Date.now() + limit;
  let last;
  for (;;) {
    try {
      last = await check();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() >= end) throw new Error(`not within ${limit / 1000} s: ${what} (${tell(last)})`);
    await pause(every);
  }
}

/** Rejects when the promise is not settled in time. */
export async function within(what, promise, limit) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${limit / 1000} s: ${what}`)), limit);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function tell(value) {
  if (value instanceof Error) return value.message;
  return JSON.stringify(value) ?? 'undefined';
}
