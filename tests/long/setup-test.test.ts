import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { endAll, makeClone, plainEnv, startScript } from '../support/setup/setup-clone.js';

const jestTest = (title: string, body: string) =>
  `import { expect, it } from '@jest/globals';\n\nit('${title}', () => {\n  ${body}\n});\n`;

/** Fails where `mark` is missing, and leaves it there. */
const onceTest = `import { existsSync, writeFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';

it('fails once', () => {
  const mark = new URL('mark', import.meta.url);
  const isThere = existsSync(mark);
  writeFileSync(mark, '');
  expect(isThere).toBe(true);
});
`;

/** Not the repository's own configuration: links that lead out of the clone must not be checked. */
const biomeConfig = `{
  "files": { "includes": ["tests/**/*.ts"] },
  "formatter": { "indentStyle": "space" },
  "javascript": { "formatter": { "quoteStyle": "single" } }
}
`;

describe('npm test', () => {
  let clone: ReturnType<typeof makeClone>;
  const write = (file: string, text: string) => writeFileSync(join(clone.dir, 'tests', file), text);

  beforeEach(() => {
    clone = makeClone();
    mkdirSync(join(clone.dir, 'tests', 'unit'), { recursive: true });
    const options = { composite: false, declaration: false, noEmit: true, rootDir: '..' };
    const config = {
      extends: '../tsconfig.base.json',
      compilerOptions: options,
      include: ['**/*.ts'],
    };
    write('tsconfig.json', `${JSON.stringify(config)}\n`);
    writeFileSync(join(clone.dir, 'biome.json'), biomeConfig);
    write('unit/good.test.ts', jestTest('adds', 'expect(1 + 1).toBe(2);'));
  });
  afterEach(async () => {
    await endAll(clone.dir);
    clone.remove();
  });
  const lastLine = (text: string) => text.trimEnd().split('\n').at(-1);

  it('counts a failed test, a file that does not run and a type that does not fit', async () => {
    write('bad.test.ts', jestTest('is wrong', 'expect(1 + 1).toBe(3);'));
    write('broken.test.ts', `import './missing.js';\n`);
    const script = startScript(clone.dir, ['.ci/run'], plainEnv());
    expect(await script.exited).not.toBe(0);
    await script.closed;
    expect(script.text()).toContain('types of the tests: failed');
    expect(lastLine(script.text())).toBe('1 passed, 3 failed');
  }, 60_000);

  it('passes arguments on as a choice of tests, and says so in one last line', async () => {
    write('other.test.ts', jestTest('is not chosen', 'expect(1).toBe(1);'));
    const words = [process.execPath, 'scripts/test.mjs', 'tests/unit/good'];
    const script = startScript(clone.dir, words, plainEnv());
    expect(await script.exited).toBe(0);
    await script.closed;
    expect(lastLine(script.text())).toBe('1 passed, 0 failed');
  }, 60_000);

  it('fails with CI=true when a file failed once and is not listed', async () => {
    write('once.test.ts', onceTest);
    const words = [process.execPath, 'scripts/test.mjs', 'tests/once'];
    const runOnce = async () => {
      rmSync(join(clone.dir, 'tests', 'mark'), { force: true });
      const script = startScript(clone.dir, words, plainEnv({ CI: 'true' }));
      await script.closed;
      expect(script.text()).toMatch(/failed once, .*\ntests\/once\.test\.ts/);
      return lastLine(script.text());
    };
    expect(await runOnce()).toBe('1 passed, 1 failed');
    const known = [{ file: 'tests/once.test.ts', reason: 'it is meant to', until: '9999-12-31' }];
    write('known-flaky.json', JSON.stringify(known));
    expect(await runOnce()).toBe('1 passed, 0 failed');
  }, 120_000);
});
