import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const source = fileURLToPath(new URL('../../native/movable-clock.c', import.meta.url));
const compileMs = 20_000;

/** Whether this is Linux with a C compiler: only there the clock of a program can be moved. */
export function canMoveClocks(): boolean {
  if (process.platform !== 'linux') return false;
  const { status } = spawnSync(compiler(), ['--version'], { stdio: 'ignore', timeout: 5_000 });
  return status === 0;
}

const compiler = () => process.env.SLUICE_CC ?? 'cc';

/** Path of the compiled library, made once per version of its source; concurrent callers may each compile it. */
async function library(): Promise<string> {
  const version = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12);
  const path = join(tmpdir(), `sluice-movable-clock-${version}.so`);
  if (existsSync(path)) return path;
  const draft = `${path}.${process.pid}`;
  const args = ['-shared', '-fPIC', '-O2', '-o', draft, source];
  try {
    await promisify(execFile)(compiler(), args, { timeout: compileMs });
  } catch (cause) {
    const text = `a Redis with a movable clock needs Linux and a C compiler: install gcc, or name one in SLUICE_CC`;
    throw new Error(text, { cause });
  }
  renameSync(draft, path);
  return path;
}

export type MovableClock = {
  /** Environment with which a program must be started to see this clock. */
  readonly env: NodeJS.ProcessEnv;
  /** Sets the offset to the machine's clock; negative: behind. Takes effect at once. */
  set(offsetMs: number): void;
};

/** A clock whose offset is kept in `file`, for programs that are started with its `env`. */
export async function makeMovableClock(file: string): Promise<MovableClock> {
  const set = (offsetMs: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(Math.round(offsetMs)));
    const fd = openSync(file, existsSync(file) ? 'r+' : 'w'); // the same file: programs have it mapped
    writeSync(fd, bytes, 0, bytes.length, 0);
    closeSync(fd);
  };
  set(0);
  return { env: { LD_PRELOAD: await library(), SLUICE_CLOCK_FILE: file }, set };
}
