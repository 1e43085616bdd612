import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '@sluice/testkit';
import { plainEnv, startScript } from '../support/setup/setup-clone.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const limitMs = 60_000;

/** Processes whose temporary directory is this one; they inherit it from the demo. */
function livingWith(dir: string): string[] {
  if (!existsSync('/proc/self/environ')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`TMPDIR=${dir}\0`);
      } catch {
        return false;
      }
    });
}

describe('npm run demo', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'sluice-demo-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const start = () =>
    startScript(root, [process.execPath, 'scripts/demo.mjs'], plainEnv({ TMPDIR: dir }));
  const isClean = async () => {
    await eventually(() => livingWith(dir).length === 0);
    expect(readdirSync(dir)).toEqual([]);
  };

  it('S2 C1 D5 shows that nothing is lost, in under a minute, and leaves nothing behind', async () => {
    const startedMs = performance.now();
    const demo = start();
    const code = await demo.exited;
    await demo.closed;
    const text = demo.text();
    expect({ code, text: code === 0 ? '' : text }).toEqual({ code: 0, text: '' });
    expect(performance.now() - startedMs).toBeLessThan(limitMs);

    const value = (name: string) => new RegExp(`^  ${name} +(.+)$`, 'm').exec(text)?.[1];
    expect(value('messages acknowledged')).toBe('12');
    expect(value('outcomes')).toBe('12');
    for (const name of ['lost', 'doubled', 'reordered', 'overlapping turns']) {
      expect([name, value(name)]).toEqual([name, '0']);
    }
    expect(value('slowest hand-over')).toMatch(/^\d+ ms$/);
    expect(value('takeover')).toMatch(/^\d+ ms$/);

    for (const told of [
      /node-a {2}killed \(SIGKILL\) in the middle of message 4/,
      /reconnected through node-[bc] after \d+ ms/,
      /Resuming processing \(3 pending messages\)\.\.\./,
      /retry_stream: starting message 4 again/,
      /node-[bc] {2}takes message 4 over, \d+\.\d s after the kill/,
      /connection cut in the middle of message 6/,
      /node-[bc] {2}told to stop \(SIGTERM\) in the middle of message 8/,
      /going_away/,
      /got the session from node-[bc], handed over: pause \d+ ms/,
      /ended with status 0/,
      /Next: npm start/,
    ]) {
      expect(text).toMatch(told);
    }
    // A file gets no colours, and whole lines; each reply is in them once, besides its void parts.
    expect(text.includes('\x1b')).toBe(false);
    expect(text.match(/starts this sentence again\.$/gm)).toHaveLength(1);
    await isClean();
  }, 90_000);

  it('stops everything on Ctrl-C', async () => {
    const demo = start();
    await demo.seen(/agent {4}2 {2}/, 40_000);
    expect(livingWith(dir).length).toBeGreaterThan(0);
    // A terminal sends the signal to the whole group.
    process.kill(-Number(demo.child.pid), 'SIGINT');
    expect(await demo.exited).toBe(130);
    await demo.closed;
    expect(demo.text()).not.toMatch(/failed|Error/);
    await isClean();
  }, 60_000);
});
