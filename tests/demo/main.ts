import { constants } from 'node:os';
import { within } from '@sluice/runtime';
import { startRedis, stopAll } from '@sluice/testkit';
import { type Judgement, judge } from './judge.js';
import { Screen } from './screen.js';
import { Story } from './story.js';

const limitMs = 55_000;

const { stdout } = process;
const screen = new Screen({
  isTerminal: stdout.isTTY,
  hasColours: stdout.isTTY && stdout.hasColors(),
  write: (text) => stdout.write(text),
});

let isEnding = false;
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    if (isEnding) return;
    isEnding = true;
    screen.plain('  interrupted: stopping everything');
    void stopAll().finally(() => process.exit(128 + constants.signals[name]));
  });
}
// A closed pipe is no error; everything is stopped as usual.
stdout.on('error', () => undefined);

function show({ rows, faults }: Judgement): void {
  screen.plain();
  const width = Math.max(...rows.map(([, value]) => value.length));
  for (const [name, value] of rows) {
    screen.plain(`  ${name.padEnd(24)}${screen.paint('bold', value.padStart(width))}`);
  }
  screen.plain();
  for (const fault of faults) screen.plain(`  ${screen.paint('red', fault)}`);
  if (faults.length > 0) {
    screen.plain('  This run has failed.');
    return;
  }
  const good = 'Nothing was lost, doubled or reordered: each word was seen once, in its place.';
  screen.plain(`  ${screen.paint('green', good)}`);
  screen.plain(
    `  ${screen.paint('dim', 'Next: npm start, a page to talk to. npm run chaos, this with 40 sessions.')}`,
  );
}

async function main(): Promise<number> {
  screen.plain();
  screen.plain(`  ${screen.paint('bold', 'Three nodes, one Redis, one conversation.')}`);
  screen.plain('  A node is killed, a connection is cut, a node is told to stop.');
  screen.plain();
  const server = process.env.SLUICE_REDIS_SERVER;
  const redis = await startRedis(server ? { server } : {});
  screen.line('redis', 'ready, private to this run');
  const seen = await within(Story.play(screen, redis.url), limitMs);
  if (!seen) throw new Error(`it has not ended within ${limitMs / 1_000} s`);
  const judgement = judge(seen);
  show(judgement);
  return judgement.faults.length > 0 ? 1 : 0;
}

let status = 1;
try {
  status = await main();
} catch (error) {
  if (!isEnding) {
    screen.plain(`  ${screen.paint('red', error instanceof Error ? error.message : `${error}`)}`);
  }
}
if (!isEnding) {
  isEnding = true;
  await stopAll();
  process.exit(status);
}
