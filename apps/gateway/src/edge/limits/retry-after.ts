/** The header of an answer that may be had later, in whole seconds. */
export const retryAfter = (ms: number) => ({
  'retry-after': String(Math.max(1, Math.ceil(ms / 1_000))),
});
