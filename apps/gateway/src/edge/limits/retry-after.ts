/** The header `retry-after`: whole seconds, at least 1. */
export const retryAfter = (ms: number) => ({
  'retry-after': String(Math.max(1, Math.ceil(ms / 1_000))),
});
