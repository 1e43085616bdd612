import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { stopAll } from '@sluice/testkit';
import { commands, usage, usageOf } from './commands.js';
import { type Command, type Started, UsageError } from './options.js';
import { otherCheckout } from './programs/programs.js';
import { startBenchRedis } from './programs/redis.js';
import { type Result, type Row, roundedRow } from './report/rows.js';
import { table } from './report/table.js';

/** The command line is wrong (docs/reference/cli.md). */
const WRONG_USAGE = 2;

async function machine() {
  const redis = await startBenchRedis();
  const { version } = redis;
  await redis.stop();
  const [first] = cpus();
  const cores = cpus().length;
  return { cores, cpu: first?.model ?? '', node: process.version, redis: version };
}

const tables = ({ rows, ratios = [] }: Result): string =>
  [rows, ratios]
    .filter((it) => it.length > 0)
    .map(table)
    .join('\n\n');

async function measure({ name }: Command, { parameters, json, keep, run }: Started) {
  const about = { command: name, at: new Date().toISOString(), machine: await machine() };
  const rounded = (rows: readonly Row[] = []) => rows.map(roundedRow);
  const { rows, ratios, rounds } = await run();
  const result = { rows: rounded(rows), ratios: rounded(ratios), rounds: rounded(rounds) };
  const load_limited = result.rows.some((row) => row.load_limited === true);
  const bin = otherCheckout();
  const report = { ...about, ...(bin ? { other: bin } : {}), parameters, load_limited, ...result };
  const text = JSON.stringify(report, undefined, 2);
  if (keep) writeFileSync(keep, `${text}\n`);
  process.stdout.write(`${json ? text : tables(result)}\n`);
  if (load_limited) {
    process.stderr.write('load_limited: the load itself was busy or late; see bench/README.md\n');
  }
}

function commandNamed(name: string): Command {
  const found = commands.find((command) => command.name === name);
  if (found) return found;
  throw new UsageError(`unknown command ${name}: ${commands.map((it) => it.name).join(', ')}`);
}

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help') {
    process.stdout.write(`${usage()}\n`);
    return 0;
  }
  try {
    const command = commandNamed(name);
    if (args.includes('--help')) {
      process.stdout.write(`${usageOf(command)}\n`);
      return 0;
    }
    await measure(command, command.parse(args));
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`npm run bench: ${error.message}\n`);
      return WRONG_USAGE;
    }
    process.stderr.write(`npm run bench: ${error instanceof Error ? error.stack : error}\n`);
    return 1;
  } finally {
    await stopAll();
  }
}

process.exit(await main(process.argv.slice(2)));
