// Loaded before a gateway that runs with --expose-gc: on SIGUSR2 it collects and tells what is left.
process.on('SIGUSR2', () => {
  for (let i = 0; i < 3; i += 1) globalThis.gc();
  const { rss, heapUsed } = process.memoryUsage();
  process.stdout.write(`${JSON.stringify({ msg: 'memory', rss, heapUsed })}\n`);
});
