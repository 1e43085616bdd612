/** What a run of jest counts as, and what becomes of a file that passes only when it is run again. */

/**
 * The counts of jest's own results, undefined when it wrote none. A file that could not be run is one
 * failed test.
 */
export function countResults(results, status) {
  const files = (results?.testResults ?? []).map(({ name, status, assertionResults }) => ({
    name,
    isFailed: status === 'failed',
    passed: assertionResults.filter((it) => it.status === 'passed').length,
  }));
  const passed = results?.numPassedTests ?? 0;
  const failed = results ? results.numFailedTests + results.numRuntimeErrorTestSuites : 0;
  // Whatever made jest fail counts: no results, no tests, a broken worker.
  return { passed, failed: status === 0 ? failed : Math.max(failed, 1), files };
}

/** The counts of both runs, and the files that failed in the first run only. */
export function joinRuns(first, second) {
  const again = new Map(second.files.map((file) => [file.name, file]));
  const repeated = first.files.filter(({ isFailed }) => isFailed);
  const passedBefore = repeated.reduce((sum, { passed }) => sum + passed, 0);
  return {
    passed: first.passed - passedBefore + second.passed,
    failed: second.failed,
    failedOnce: repeated
      .map(({ name }) => name)
      .filter((name) => again.get(name)?.isFailed === false),
  };
}

const isDay = (text) => /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text));
const isText = (text) => typeof text === 'string' && text.trim() !== '';

function parseList(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The files that may fail once, and what is wrong with the list; `today` is a day as in `until`. */
export function parseKnown(text, today) {
  const known = parseList(text);
  if (!Array.isArray(known)) return { known: [], faults: ['not a list in JSON'] };
  const faults = known.flatMap(({ file, reason, until }, index) => {
    const found = [];
    if (!isText(file)) found.push('no file');
    if (!isText(reason)) found.push('no reason');
    if (!isDay(until)) found.push('no day until which it holds, as in 2027-01-31');
    else if (until < today) found.push(`held until ${until}`);
    return found.map((fault) => `${isText(file) ? file : `entry ${index + 1}`}: ${fault}`);
  });
  return { known, faults };
}

/**
 * One line for each file that failed once and passed alone, and how many failed tests they count as:
 * with `isStrict` each file that is not listed is one.
 */
export function judgeFailedOnce(files, known, isStrict) {
  const entryOf = (file) => known.find((entry) => entry.file === file);
  const lines = files.map((file) => {
    const entry = entryOf(file);
    return entry ? `${file} (known until ${entry.until}: ${entry.reason})` : file;
  });
  return { lines, failed: isStrict ? files.filter((file) => !entryOf(file)).length : 0 };
}
