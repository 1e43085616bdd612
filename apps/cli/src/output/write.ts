import { exitStatus, StartError } from '@sluice/runtime';

/** Writes to stdout; resolves when the system has taken the text, so that the caller waits for a slow reader. */
export function write(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (!error) return resolve();
      reject(new StartError(`cannot write to stdout: ${error.message}`, exitStatus.tempFail));
    });
  });
}

export async function writeLines(lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await write(`${lines.join('\n')}\n`);
}
