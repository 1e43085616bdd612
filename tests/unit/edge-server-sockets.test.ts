import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import type { ServerOptions, Socket } from '../../apps/gateway/src/edge/network/transport.js';
import { credentialsOf } from '../support/edge/auth-made.js';
import { client, connected, started, until } from '../support/edge/edge-started.js';

function first(sockets: readonly Socket[]): Socket {
  const [socket] = sockets;
  if (socket === undefined) throw new Error('no socket is open');
  return socket;
}

describe('upgrade', () => {
  it('takes the credential from header, subprotocol pair or query', async () => {
    const { wsUrl, sockets } = await started({ auth: true });
    const authorization = { headers: { authorization: 'Bearer alice-secret' } };
    await connected(wsUrl, [], authorization);
    const { ws } = await connected(wsUrl, ['sluice.v1', 'bearer.alice-secret']);
    await connected(`${wsUrl}?token=reader-secret`);
    expect(ws.protocol).toBe('sluice.v1');
    expect(sockets.map(({ identity }) => identity.principal)).toEqual(['alice', 'alice', 'reader']);
    expect(new Set(sockets.map(({ id }) => id)).size).toBe(3);
  });

  it.each([
    ['X1 without a credential', '', {}, 'auth_required', 'reauthenticate'],
    ['X1 with a wrong one', '?token=wrong', {}, 'auth_unauthorized', 'reauthenticate'],
    [
      'X3 from a foreign page',
      '?token=alice-secret',
      { origin: 'https://evil.example' },
      'origin_not_allowed',
      'do_not_retry',
    ],
  ])(
    '%s is accepted, gets the reason, and is closed with 4003',
    async (_name, query, options, code, next) => {
      const { wsUrl, told, logged } = await started({ auth: true });
      const refused = client(`${wsUrl}${query}`, ['sluice.v1', 'bearer.'], options);
      const { code: closeCode, reason } = await refused.closed;
      const [frame = ''] = refused.frames;
      expect(JSON.parse(frame)).toEqual({
        type: 'hello_error',
        code,
        message: reason,
        next_step: next,
      });
      expect(refused.frames).toHaveLength(1);
      expect(closeCode).toBe(4003);
      expect(told).toEqual([]);
      expect(logged.join()).not.toContain('secret');
    },
  );

  describe('whose credential takes a while to verify', () => {
    async function undecided(overrides: Partial<ServerOptions> = {}) {
      const decisions = new EventEmitter();
      const decided = once(decisions, 'made');
      const server = await started({
        async authenticate() {
          await decided;
          return credentialsOf([]).authenticate(undefined);
        },
        ...overrides,
      });
      return { ...server, letIn: () => decisions.emit('made') };
    }

    it('X1 gets nothing before it is admitted, and what it sent is then taken in order', async () => {
      const { wsUrl, told, letIn } = await undecided();
      const { ws } = await connected(wsUrl);
      for (const text of ['one', 'two', 'three']) ws.send(text);
      await new Promise((passed) => ws.ping('', undefined, () => setTimeout(passed, 50)));
      expect(told).toEqual([]);
      letIn();
      await until(() => told.length >= 7, 'three messages');
      expect(told.filter(({ what }) => what !== 'inbound')).toEqual([
        { what: 'open' },
        { what: 'message', detail: 'one' },
        { what: 'message', detail: 'two' },
        { what: 'message', detail: 'three' },
      ]);
    });

    it('B1 may send 64 frames and twice max_payload, no more', async () => {
      const { wsUrl, told } = await undecided();
      const many = await connected(wsUrl);
      for (let n = 0; n < 65; n++) many.ws.send('x');
      expect((await many.closed).code).toBe(4008);
      const large = await connected(wsUrl);
      for (let n = 0; n < 3; n++) large.ws.send('x'.repeat(900));
      expect((await large.closed).code).toBe(4008);
      expect(told).toEqual([]);
    });

    it('X1 one that has gone is forgotten, and D1 one that is verified too late is sent elsewhere', async () => {
      let isDraining = false;
      const { wsUrl, told, letIn, logged } = await undecided({ isDraining: () => isDraining });
      const gone = await connected(wsUrl);
      gone.ws.send('hello?');
      gone.ws.terminate();
      await gone.closed;
      const late = await connected(wsUrl);
      isDraining = true;
      letIn();
      expect(await late.closed).toEqual({ code: 1012, reason: 'service_restart' });
      expect(told).toEqual([]);
      expect(logged).toEqual([]);
    });
  });

  it('D1 while draining is refused with 503 and Retry-After; open sockets go on', async () => {
    let isDraining = false;
    const { wsUrl, told } = await started({ isDraining: () => isDraining });
    const before = await connected(wsUrl);
    isDraining = true;
    const late = client(wsUrl);
    const [, response] = await once(late.ws, 'unexpected-response');
    expect(response.statusCode).toBe(503);
    expect(response.headers['retry-after']).toBe('1');
    before.ws.send('still here');
    await until(() => told.some(({ detail }) => detail === 'still here'), 'the message');
  });
});

describe('frames', () => {
  it('passes text on, and reports what is binary or too large; the connection stays', async () => {
    const { wsUrl, told } = await started();
    const { ws } = await connected(wsUrl);
    ws.send('grüß dich \u{1f44b}');
    ws.send(Buffer.from('binary'));
    ws.send('x'.repeat(1_001));
    ws.send('x'.repeat(4_000));
    ws.send('y'.repeat(1_000));
    await until(() => told.filter(({ what }) => what !== 'inbound').length >= 6, 'six events');
    expect(told.filter(({ what }) => what !== 'inbound')).toEqual([
      { what: 'open' },
      { what: 'message', detail: 'grüß dich \u{1f44b}' },
      { what: 'refused', detail: 'invalid_frame' },
      { what: 'refused', detail: 'payload_too_large' },
      { what: 'refused', detail: 'payload_too_large' },
      { what: 'message', detail: 'y'.repeat(1_000) },
    ]);
  });

  it('X4 cuts a frame beyond 4 x max_payload and invalid UTF-8, and lives', async () => {
    const { wsUrl, told } = await started();
    const large = await connected(wsUrl);
    large.ws.send('x'.repeat(4_001));
    expect((await large.closed).code).toBe(1006);
    const broken = await connected(wsUrl);
    broken.ws.send(Buffer.from([0xc3, 0x28]), { binary: false });
    expect((await broken.closed).code).toBe(1006);
    await connected(wsUrl);
    expect(told.filter(({ what }) => what === 'closed')).toHaveLength(2);
    expect(told.filter(({ what }) => what === 'message')).toHaveLength(0);
  });

  it('X4 a listener that throws ends that connection, not the node', async () => {
    const events = { told: 0 };
    const server = await started({
      socketEvents: {
        open: () => undefined,
        message: () => {
          throw new Error('a bug');
        },
        refused: () => undefined,
        drained: () => undefined,
        inbound: () => undefined,
        closed: () => {
          events.told += 1;
        },
      },
    });
    const { ws, closed } = await connected(server.wsUrl);
    ws.send('private words');
    expect(await closed).toEqual({ code: 1011, reason: 'internal' });
    expect(events.told).toBe(1);
    expect(server.logged.join()).toContain('a bug');
    expect(server.logged.join()).not.toContain('private words');
    await connected(server.wsUrl);
  });

  it('sends, and answers `closed` after the close', async () => {
    const { wsUrl, sockets, told } = await started();
    const { frames, closed } = await connected(wsUrl);
    const socket = first(sockets);
    expect(socket.send('one')).toBe('sent');
    expect(socket.send('two')).toBe('sent');
    socket.close(1012, 'service_restart');
    expect(told.at(-1)).toEqual({ what: 'closed' });
    expect(socket.send('three')).toBe('closed');
    expect(socket.bufferedBytes()).toBe(0);
    socket.close(1012, 'again');
    socket.cut();
    expect(await closed).toEqual({ code: 1012, reason: 'service_restart' });
    expect(frames).toEqual(['one', 'two']);
    expect(told.filter(({ what }) => what === 'closed')).toHaveLength(1);
  });

  it('cuts a reason to 123 bytes between characters', async () => {
    const { wsUrl, sockets } = await started();
    const { closed } = await connected(wsUrl);
    first(sockets).close(4003, 'ü'.repeat(100));
    expect((await closed).reason).toBe('ü'.repeat(61));
  });
});

describe('slow readers', () => {
  const frame = 'x'.repeat(1_000_000);

  /** Sends until the kernel takes no more, and 2 MB on top. */
  function fill(socket: Socket): number {
    let count = 0;
    while (socket.bufferedBytes() < 2_000_000 && count < 100) {
      expect(socket.send(frame)).not.toBe('dropped');
      count += 1;
    }
    return count;
  }

  it('E9 one that reads on gets everything that was buffered, then the close', async () => {
    const { wsUrl, sockets, told } = await started();
    const { ws, frames, closed } = await connected(wsUrl);
    ws.pause();
    const socket = first(sockets);
    const count = fill(socket);
    socket.close(1013, 'slow_consumer');
    expect(told.at(-1)).toEqual({ what: 'closed' });
    ws.resume();
    expect(await closed).toEqual({ code: 1013, reason: 'slow_consumer' });
    expect(frames).toHaveLength(count);
  });

  it('E9 one that reads nothing more is cut 2 s after the close', async () => {
    const { wsUrl, sockets } = await started();
    const { ws, frames, closed } = await connected(wsUrl);
    ws.pause();
    const socket = first(sockets);
    const count = fill(socket);
    socket.close(1013, 'slow_consumer');
    await new Promise((resolve) => setTimeout(resolve, 2_200));
    ws.resume();
    expect((await closed).code).toBe(1006);
    expect(frames.length).toBeLessThan(count);
  });

  it('E3 what a listener sends when the backlog has drained goes out, also what fits in part', async () => {
    let sent = 0;
    const refill = (socket: Socket) => {
      // Without a pause, so that the client cannot read meanwhile: the last frame goes out in part.
      while (socket.bufferedBytes() === 0 && sent < 100) {
        expect(socket.send(frame)).not.toBe('dropped');
        sent += 1;
      }
    };
    const server = await started({ drained: refill });
    const { ws, frames } = await connected(server.wsUrl);
    ws.pause();
    refill(first(server.sockets));
    const before = sent;
    ws.resume();
    await until(() => sent > before, 'the backlog drained');
    await until(() => frames.length >= sent && sent >= 100, 'every frame');
  });

  it('tells when the backlog has drained', async () => {
    const { wsUrl, sockets, told } = await started();
    const { ws } = await connected(wsUrl);
    ws.pause();
    const socket = first(sockets);
    fill(socket);
    ws.resume();
    await until(() => told.some(({ what }) => what === 'drained'), 'drained');
    await until(() => socket.bufferedBytes() === 0, 'an empty backlog');
  });
});

describe('liveness', () => {
  it('pings, and takes pongs as signs of life', async () => {
    const { wsUrl, told } = await started({ heartbeatIntervalMs: 50 });
    const { ws } = await connected(wsUrl);
    await until(() => told.filter(({ what }) => what === 'inbound').length >= 5, 'five pongs');
    expect(ws.readyState).toBe(ws.OPEN);
  });

  it('closes a silent peer with 4002 after two heartbeats', async () => {
    const { wsUrl } = await started({ heartbeatIntervalMs: 100 });
    const startedMs = performance.now();
    const { closed } = await connected(wsUrl, [], { autoPong: false });
    expect(await closed).toEqual({ code: 4002, reason: 'liveness_timeout' });
    const tookMs = performance.now() - startedMs;
    expect(tookMs).toBeGreaterThan(190);
    expect(tookMs).toBeLessThan(1_000);
  });
});

describe('listening', () => {
  it('refuses a port that another server has', async () => {
    const { server } = await started();
    await expect(started({ port: server.port })).rejects.toMatchObject({ status: 75 });
  });

  it('closeListener keeps what is open, close cuts it', async () => {
    const { server, wsUrl } = await started();
    const { ws, closed } = await connected(wsUrl);
    server.closeListener();
    const late = connect(server.port, '127.0.0.1');
    const [error] = await once(late, 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    expect(ws.readyState).toBe(ws.OPEN);
    server.close();
    expect((await closed).code).toBe(1006);
    server.close();
  });
});
