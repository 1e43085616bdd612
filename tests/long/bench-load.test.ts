import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type WebSocket, WebSocketServer } from 'ws';
import { Faults } from '../../bench/load/faults.js';
import { keepPace } from '../../bench/load/keep-pace.js';
import { Latencies } from '../../bench/load/latencies.js';
import { isLimit, OwnLoad } from '../../bench/load/own-load.js';
import { settle, Talker } from '../../bench/load/talker.js';
import { attachTo } from '../../bench/load/web-socket.js';

describe('Latencies', () => {
  it('keeps three digits of each percentile, and the slowest', () => {
    const latencies = new Latencies();
    for (let ms = 1; ms <= 1_000; ms += 1) latencies.record(ms);
    const { p50_ms, p99_ms, p999_ms, max_ms } = latencies.summary();
    for (const [found, meant] of [
      [p50_ms, 500],
      [p99_ms, 990],
      [p999_ms, 999],
      [max_ms, 1_000],
    ] as const) {
      expect(Math.abs(found - meant) / meant).toBeLessThan(0.002);
    }
  });

  it('counts values out of its range as its limits, and returns 0 when empty', () => {
    const latencies = new Latencies();
    expect(latencies.summary()).toEqual({ p50_ms: 0, p99_ms: 0, p999_ms: 0, max_ms: 0 });
    latencies.record(-5);
    latencies.record(3_600_000);
    expect(latencies.count).toBe(2);
    expect(latencies.summary().p50_ms).toBe(0);
    expect(latencies.summary().max_ms).toBeGreaterThan(599_000);
  });
});

/** Answers each message at once; while it stalls, it keeps the answers and sends them all afterwards. */
class Stalling {
  readonly #server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  #held: (() => void)[] | undefined;

  static async start(): Promise<Stalling> {
    const server = new Stalling();
    await once(server.#server, 'listening');
    return server;
  }

  private constructor() {
    this.#server.on('connection', (socket) => {
      socket.on('message', (data) => this.#receive(socket, JSON.parse(String(data))));
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  stallFor(ms: number): void {
    this.#held = [];
    setTimeout(() => {
      const held = this.#held ?? [];
      this.#held = undefined;
      for (const answer of held) answer();
    }, ms);
  }

  close(): void {
    for (const socket of this.#server.clients) socket.terminate();
    this.#server.close();
  }

  #receive(socket: WebSocket, { type }: { type: string }): void {
    const frame = type === 'hello' ? { type: 'hello_ok' } : { type: 'response', status: 'final' };
    const answer = () => socket.send(JSON.stringify(frame));
    if (this.#held) this.#held.push(answer);
    else answer();
  }
}

describe('a program that stalls once', () => {
  const faults = new Faults();
  let server: Stalling | undefined;
  let talker: Talker | undefined;
  async function start() {
    const started = await Stalling.start();
    server = started;
    const attached = await Talker.attach(attachTo(started.port, 'echo'), faults);
    talker = attached;
    const latencies = new Latencies();
    attached.latencies = latencies;
    return { server: started, talker: attached, latencies };
  }
  afterEach(() => {
    talker?.cut();
    server?.close();
    expect(faults.total).toBe(0);
  });

  it('is in the percentiles of messages that are due at fixed times', async () => {
    const { server, talker, latencies } = await start();
    // The stall delays the messages of 300 ms out of 1 s, by 150 ms on average.
    setTimeout(() => server.stallFor(300), 300);
    const lag = new Latencies();
    await keepPace({ count: 200, everyMs: 5, lag }, (_, dueMs) => talker.send('x', dueMs));
    expect(await settle([talker], 5_000)).toBe(0);
    expect(latencies.count).toBe(200);
    expect(lag.count).toBe(200);
    const { p99_ms, max_ms } = latencies.summary();
    expect(p99_ms).toBeGreaterThan(250);
    expect(max_ms).toBeGreaterThan(280);
    expect(latencies.percentileMs(80)).toBeGreaterThan(50);
  });

  it('delays only one message of a closed loop, so that most of its percentiles do not show the stall', async () => {
    const { server, talker, latencies } = await start();
    setTimeout(() => server.stallFor(300), 20);
    await talker.pipelined(0);
    await talker.serial(2_000);
    expect(latencies.summary().max_ms).toBeGreaterThan(250);
    expect(latencies.percentileMs(99.8)).toBeLessThan(250);
  });
});

describe('a load that is late', () => {
  const busyFor = (ms: number) => {
    const untilMs = performance.now() + ms;
    while (performance.now() < untilMs);
  };

  it('counts latency from when a message was due, tells its lag, and is marked', async () => {
    const own = new OwnLoad();
    const dues: number[] = [];
    const startMs = performance.now();
    await keepPace({ count: 20, everyMs: 10, lag: own.lag }, (index, dueMs) => {
      dues.push(dueMs - startMs);
      if (index === 5) busyFor(120);
    });
    expect(dues).toHaveLength(20);
    for (const [index, due] of dues.entries()) expect(Math.abs(due - index * 10)).toBeLessThan(5);
    const summary = own.summary();
    expect(summary.load_lag_p99_ms).toBeGreaterThan(80);
    expect(summary.load_limited).toBe(true);
  });

  it('or has no time left, is marked as well', async () => {
    const own = new OwnLoad();
    for (let turn = 0; turn < 10; turn += 1) {
      busyFor(30);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const summary = own.summary();
    expect(summary.load_cpu_share).toBeGreaterThan(0);
    expect(summary.load_busy_share).toBeGreaterThan(0.9);
    expect(summary.load_limited).toBe(true);
  });

  it('is not marked while it has time and keeps it', () => {
    expect(isLimit(0.5, 2)).toBe(false);
    expect(isLimit(0.95, 2)).toBe(true);
    expect(isLimit(0.5, 40)).toBe(true);
  });
});
