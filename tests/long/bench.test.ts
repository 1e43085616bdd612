import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, jest } from '@jest/globals';
import { startChild, stopLater } from '@sluice/testkit';

// Each command starts programs one after the other, which is slow on a busy machine.
jest.setTimeout(150_000);

const script = fileURLToPath(new URL('../../scripts/bench.mjs', import.meta.url));

type Row = Record<string, unknown>;

/** Runs a command, without the caller's own BIN. */
async function bench(line: string, more: Record<string, string> = {}) {
  const { BIN: _, ...env } = process.env;
  const args = line === '' ? [] : line.split(' ');
  const child = startChild(process.execPath, [script, ...args], { env: { ...env, ...more } });
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const forget = stopLater(async () => {
    child.kill('SIGTERM');
    await closed;
  });
  closed.then(forget);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { status: await closed, stdout, stderr };
}

/** Runs a command with `--json`; returns its rows, by program. */
async function rowsOf(line: string) {
  const { status, stdout, stderr } = await bench(`${line} --json`);
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  const report = JSON.parse(stdout);
  const rows: Row[] = report.rows;
  expect(report).toMatchObject({
    command: line.split(' ')[0],
    at: expect.stringMatching(/^\d{4}-/),
    machine: { cores: expect.any(Number), redis: expect.stringMatching(/^\d+\./) },
    parameters: expect.any(Object),
    load_limited: rows.some((row) => row.load_limited === true),
  });
  return { report, rows, programs: rows.map(({ program }) => program) };
}

const above = (least: number) => ({
  asymmetricMatch: (value: unknown) => typeof value === 'number' && value > least,
  toString: () => `a number above ${least}`,
});

/** Fields about the load itself, in each row. */
const load = {
  load_cpu_share: above(0),
  load_busy_share: above(0),
  load_lag_p99_ms: above(-1),
  load_limited: expect.any(Boolean),
};
const latency = { p50_ms: above(0), p99_ms: above(0), max_ms: above(0) };

function expectOrdered(row: Row): void {
  const { p50_ms, p99_ms, max_ms } = row;
  const values = [p50_ms, p99_ms, max_ms].map(Number);
  expect(values).toEqual([...values].sort((a, b) => a - b));
}

describe('npm run bench', () => {
  it('turns: rates, ratios and commands of Sluice, the floor and the peer', async () => {
    // Processor time is counted in ticks of 10 ms: the floor needs one for 200 turns.
    const size = '--rounds 1 --sessions 5 --messages 200 --rate 100 --seconds 1';
    const { report, rows, programs } = await rowsOf(`turns ${size}`);
    expect(programs).toEqual(
      ['serial', 'pipelined', 'paced'].flatMap(() => ['sluice', 'floor', 'peer']),
    );
    for (const row of rows) {
      expect(row).toMatchObject({
        ...{ ...load, ...latency, faults: 0, turns_per_s: above(10) },
        ...{ node_s_per_1000: above(0), commands_per_turn: above(5), evalsha_per_turn: above(1) },
      });
      expectOrdered(row);
      if (row.mode === 'paced') expect(row.turns_per_s).not.toBeGreaterThan(150);
      if (row.program === 'floor') expect(Number(row.evalsha_per_turn)).toBeCloseTo(2, 0);
    }
    expect(report.ratios).toHaveLength(6);
    expect(report.ratios[0]).toMatchObject({
      ...{ mode: 'serial', compared: 'sluice / floor', turns: above(0), p99: above(0) },
    });
    expect(report.rounds).toHaveLength(9);
  });

  it('cold: the same load for each program', async () => {
    const { rows, programs } = await rowsOf(
      'cold --sessions 20 --rounds 2 --period 1000 --linger 0s',
    );
    expect(programs).toEqual(['sluice', 'floor', 'peer']);
    for (const row of rows) {
      expect(row).toMatchObject({ ...load, ...latency, faults: 0, turns_per_s: 20 });
      expect(row.commands_per_turn).toEqual(above(5));
      expectOrdered(row);
    }
    // Without lingering each turn takes a new lease.
    expect(rows[0]?.commands_per_turn).toEqual(above(50));
  });

  it('streaming: each reader gets each reply whole', async () => {
    const { rows, programs } = await rowsOf(
      'streaming --replies 4 --tokens 20 --gap 20 --readers 2',
    );
    expect(programs).toEqual(['sluice', 'floor', 'peer']);
    for (const row of rows) {
      expect(row).toMatchObject({ ...load, ...latency, faults: 0, finals: 8 });
      expect(row).toMatchObject({ tokens_per_delta: above(0.99), bytes_per_token: above(10) });
      expectOrdered(row);
    }
  });

  it('idle: what a silent connection and an idle session cost', async () => {
    const { rows, programs } = await rowsOf(
      'idle --connections 200 --calm 1 --seconds 1 --sessions 20',
    );
    expect(programs).toEqual(['sluice', 'floor', 'peer']);
    for (const row of rows) {
      expect(row).toMatchObject({
        ...{ ...load, faults: 0, connections: 200, attached_per_s: above(1) },
        ...{ node_kb_each: above(0), redis_bytes_per_session: above(2_000) },
      });
    }
  });

  it('soak: what grows is said, while sessions come and go', async () => {
    const { rows, programs } = await rowsOf(
      'soak --sessions 10 --life 2 --period 200 --seconds 12 --warmup 4',
    );
    expect(programs).toEqual(['sluice']);
    expect(rows[0]).toMatchObject({
      ...{ ...load, ...latency, faults: 0, turns: above(200), node_mb: above(10) },
      ...{ redis_mb: above(0.5), keys: above(20), keys_grown_percent: above(-50) },
    });
  });

  it('storm: all are whole again, and those who talk are answered', async () => {
    const { rows, programs } = await rowsOf('storm --clients 60 --events 6 --talking 4 --before 2');
    expect(programs).toEqual(['sluice', 'peer']);
    for (const row of rows) {
      expect(row).toMatchObject({
        ...{ ...load, faults: 0, clients: 60, whole: 60, all_whole_s: above(0) },
        ...{ talk_p99_before_ms: above(0), talk_p99_during_ms: above(-1), talk_unanswered: 0 },
        // 0: all were whole before any talking session sent a message
      });
    }
  });

  it('drain: a node with idle leases ends by itself', async () => {
    const { rows } = await rowsOf('drain --leases 50');
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      ...{ program: 'sluice', leases: 50, exit_status: 0, exit_s: above(0), faults: 0 },
      commands_per_lease: above(1),
    });
  });

  it('takeover: what a dead node held is answered by the two that are left', async () => {
    const { rows } = await rowsOf('takeover --conversations 50');
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      ...{ program: 'sluice', conversations: 50, held_by_dead: 50, answered: 50, limit_s: 12 },
      ...{ ...load, ...latency, in_time: true, faults: 0 },
    });
  });

  it('BIN measures another checkout beside this one, and --keep writes the report', async () => {
    const keep = join(tmpdir(), `sluice-bench-${process.pid}.json`);
    const BIN = fileURLToPath(new URL('../..', import.meta.url));
    const size = '--rounds 1 --sessions 2 --messages 5 --modes serial --programs sluice,other';
    try {
      const { status, stdout } = await bench(`turns ${size} --keep ${keep}`, { BIN });
      expect(status).toBe(0);
      expect(stdout).toMatch(/^mode +program +turns_per_s/);
      expect(stdout).toMatch(/^serial +other /m);
      expect(stdout).toMatch(/^serial +sluice \/ other /m);
      expect(JSON.parse(readFileSync(keep, 'utf8'))).toMatchObject({ other: BIN });
    } finally {
      rmSync(keep, { force: true });
    }
  });
});

describe('the command line of npm run bench', () => {
  it('alone prints one line per command', async () => {
    const { status, stdout } = await bench('');
    expect(status).toBe(0);
    for (const name of [
      'turns',
      'cold',
      'streaming',
      'idle',
      'storm',
      'drain',
      'takeover',
      'soak',
    ]) {
      expect(stdout).toMatch(new RegExp(`^  ${name} +\\w`, 'm'));
    }
  });

  it('--help names the options of a command, with their defaults', async () => {
    const { status, stdout } = await bench('takeover --help');
    expect(status).toBe(0);
    expect(stdout).toMatch(/--conversations +.*\(10000\)/);
  });

  it('says what is wrong, with status 2', async () => {
    const cases: [string, RegExp][] = [
      [
        'tunrs',
        /unknown command tunrs: turns, cold, streaming, idle, storm, drain, takeover, soak$/m,
      ],
      ['turns --rounds 0', /turns: --rounds 0: give a whole number, 1 or more$/m],
      ['turns --sessions many', /turns: --sessions many: give a whole number, 1 or more$/m],
      ['turns --modes serial,fast', /--modes serial,fast: give some of serial,pipelined,paced$/m],
      ['cold --linger soon', /cold: --linger soon: give a duration, as 500ms, 10s or 5m$/m],
      ['storm --programs floor', /--programs floor: give some of sluice,peer; other needs BIN=/],
      ['idle --speed 3', /idle: Unknown option '--speed'$/m],
    ];
    for (const [line, why] of cases) {
      const { status, stdout, stderr } = await bench(line);
      expect({ line, status, stdout }).toEqual({ line, status: 2, stdout: '' });
      expect(stderr).toMatch(why);
    }
    const { status, stderr } = await bench('turns', { BIN: '/nowhere' });
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: expect.stringMatching(/BIN=\/nowhere: no checkout with bin\/sluice/),
    });
  });
});
