import { describe, expect, it } from '@jest/globals';

type File = { readonly name: string; readonly isFailed: boolean; readonly passed: number };
type Counts = { readonly passed: number; readonly failed: number; readonly files: readonly File[] };
type Known = { readonly file?: string; readonly reason?: string; readonly until?: string };
type Results = {
  countResults(results: unknown, status: number): Counts;
  joinRuns(first: Counts, second: Counts): object;
  parseKnown(text: string, today: string): { known: Known[]; faults: string[] };
  judgeFailedOnce(files: readonly string[], known: readonly Known[], isStrict: boolean): object;
};

// A module of the set-up has no types: its path is not known to the compiler.
const path = new URL('../../scripts/lib/test-results.mjs', import.meta.url).href;
const { countResults, joinRuns, judgeFailedOnce, parseKnown }: Results = await import(path);

const fileOf = (name: string, ...statuses: string[]) => ({
  name,
  status: statuses.includes('passed') && !statuses.includes('failed') ? 'passed' : 'failed',
  assertionResults: statuses.map((status) => ({ status })),
});
const resultsOf = (passed: number, failed: number, ...testResults: object[]) => ({
  numPassedTests: passed,
  numFailedTests: failed,
  numRuntimeErrorTestSuites: 0,
  testResults,
});

describe('what jest wrote', () => {
  it('counts tests, and a file that could not be run as one failed test', () => {
    const results = resultsOf(2, 1, fileOf('a', 'passed', 'passed', 'failed'), fileOf('b'));
    expect(countResults({ ...results, numRuntimeErrorTestSuites: 1 }, 1)).toEqual({
      passed: 2,
      failed: 2,
      files: [
        { name: 'a', isFailed: true, passed: 2 },
        { name: 'b', isFailed: true, passed: 0 },
      ],
    });
  });

  it('is one failure when jest failed and names none, or wrote nothing', () => {
    expect(countResults(resultsOf(1, 0, fileOf('a', 'passed')), 1).failed).toBe(1);
    expect(countResults(undefined, 1)).toEqual({ passed: 0, failed: 1, files: [] });
  });
});

describe('a second run of the files that failed', () => {
  const first = countResults(
    resultsOf(2, 2, fileOf('a', 'passed', 'failed'), fileOf('b', 'failed'), fileOf('c', 'passed')),
    1,
  );

  it('replaces their tests, and names those that passed now', () => {
    const again = [fileOf('a', 'passed', 'passed'), fileOf('b', 'failed')];
    const second = countResults(resultsOf(2, 1, ...again), 1);
    expect(joinRuns(first, second)).toEqual({ passed: 3, failed: 1, failedOnce: ['a'] });
  });

  it('names none when it wrote nothing', () => {
    const second = countResults(undefined, 1);
    expect(joinRuns(first, second)).toEqual({ passed: 1, failed: 1, failedOnce: [] });
  });
});

describe('a file that failed once and passed alone', () => {
  const known = [{ file: 'b', reason: 'the port of the agent may be taken', until: '2026-06-30' }];
  const lines = ['a', 'b (known until 2026-06-30: the port of the agent may be taken)'];

  it('is told, and fails a strict run unless it is listed', () => {
    expect(judgeFailedOnce(['a', 'b'], known, false)).toEqual({ lines, failed: 0 });
    expect(judgeFailedOnce(['a', 'b'], known, true)).toEqual({ lines, failed: 1 });
    expect(judgeFailedOnce(['b'], known, true)).toMatchObject({ failed: 0 });
    expect(judgeFailedOnce([], known, true)).toEqual({ lines: [], failed: 0 });
  });

  it('is listed with its reason and the last day on which that holds', () => {
    const faultsOf = (list: unknown, today: string) =>
      parseKnown(JSON.stringify(list), today).faults;
    expect(parseKnown(JSON.stringify(known), '2026-06-30')).toEqual({ known, faults: [] });
    expect(faultsOf(known, '2026-07-01')).toEqual(['b: held until 2026-06-30']);
    const until = '2026-06-30';
    const entries = [{ file: 'a', until }, { file: 'c', reason: 'slow', until: 'soon' }, {}];
    expect(faultsOf(entries, '2026-01-01')).toEqual([
      'a: no reason',
      'c: no day until which it holds, as in 2027-01-31',
      'entry 3: no file',
      'entry 3: no reason',
      'entry 3: no day until which it holds, as in 2027-01-31',
    ]);
    expect(faultsOf({}, '2026-01-01')).toEqual(['not a list in JSON']);
    expect(parseKnown('[', '2026-01-01').faults).toEqual(['not a list in JSON']);
  });
});
