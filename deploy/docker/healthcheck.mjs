// HEALTHCHECK of the image: is this node ready? Status 1 while it starts, drains, or lacks its Redis.
const port = process.env.SLUICE_GATEWAY__PORT || 8765;
const answer = await fetch(`http://127.0.0.1:${port}/ready`, {
  signal: AbortSignal.timeout(2_000),
}).catch(() => undefined);
process.exitCode = answer?.ok ? 0 : 1;
