import { once } from 'node:events';
import { connect, type Socket as TcpSocket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { FramePace, FramePaces } from '../../apps/gateway/src/edge/limits/frame-pace.js';
import { connected, started, until } from '../support/edge/edge-started.js';

/** An open WebSocket to write anything to, and the code of the close frame that it gets in the end. */
async function rawSocket(port: number): Promise<{ tcp: TcpSocket; code: Promise<number> }> {
  const tcp = connect(port, '127.0.0.1');
  tcp.write(
    'GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  await once(tcp, 'data');
  let read = Buffer.alloc(0);
  tcp.on('data', (data) => {
    read = Buffer.concat([read, data]);
  });
  tcp.on('error', () => undefined);
  const code = new Promise<void>((resolve) => tcp.once('end', resolve)).then(() => {
    const at = read.lastIndexOf(Buffer.from('rate_limited'));
    tcp.destroy();
    return at < 2 ? 0 : read.readUInt16BE(at - 2);
  });
  return { tcp, code };
}

const frame = (opcode: number, text = '') =>
  Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
const many = (count: number, piece: Buffer) => Buffer.concat(Array(count).fill(piece));

describe('what one connection may send', () => {
  it('B1 is little before hello, and the whole limit after it; a long frame costs more', () => {
    let now = 0;
    const pace = new FramePace(1_000, () => now);
    const allowed = (bytes = 0) => {
      let count = 0;
      while (pace.take(bytes) === 'ok') count += 1;
      return count;
    };
    expect(allowed()).toBe(100);
    now += 1_000;
    expect(allowed()).toBe(10);
    pace.saidHello();
    expect(allowed()).toBe(1_900);
    pace.saidHello();
    expect(allowed()).toBe(0);
    now += 10_000;
    expect(allowed(1024 * 1024)).toBe(31);
  });

  it('B1 beyond the limit is refused ten times, then is over; a client that slows down begins anew', () => {
    let now = 0;
    const pace = new FramePace(10, () => now);
    const taken = () => Array.from({ length: 31 }, () => pace.take(0));
    const expected = [...Array(20).fill('ok'), ...Array(10).fill('refused'), 'over'];
    expect(taken()).toEqual(expected);
    now += 60_000;
    pace.saidHello();
    expect(taken()).toEqual(expected);
  });

  it('B1 refused by another limit costs ten more: a client that goes on is slowed, then over', () => {
    let now = 0;
    const pace = new FramePace(1_000, () => now);
    pace.saidHello();
    const refusedAll = () => {
      let taken = 0;
      while (pace.take(0) === 'ok') {
        pace.wasRefused();
        taken += 1;
      }
      return taken;
    };
    expect(refusedAll()).toBe(182);
    now += 1_000;
    expect(refusedAll()).toBe(91);
    for (let i = 0; i < 8; i += 1) expect(pace.take(0)).toBe('refused');
    expect(pace.take(0)).toBe('over');
  });

  it('B1 the connections of a principal share a second limit, and only those that send much are closed', () => {
    let now = 0;
    const paces = new FramePaces({ connection: 1_000, principal: 2_000 }, () => now);
    const [many, quiet, other] = [paces.of('alice'), paces.of('alice'), paces.of('bob')];
    const flooding = [many, ...Array.from({ length: 7 }, () => paces.of('alice'))];
    for (const pace of flooding) pace.saidHello();
    let passed = 0;
    const ended = flooding.map((pace) => {
      for (let sent = 1; ; sent += 1) {
        const paced = pace.take(0);
        if (paced === 'ok') passed += 1;
        if (paced === 'crowded') pace.wasRefused(); // it is answered with rate_limited
        if (paced === 'over') return sent;
      }
    });
    expect(passed).toBe(2_000);
    expect(Math.max(...ended.slice(1))).toBeLessThan(200);
    expect(other.take(0)).toBe('ok');
    for (let at = 0; at < 3; at += 1) expect(quiet.take(0)).toBe('crowded');
    now += 1;
    expect([quiet.take(0), quiet.take(0), quiet.take(0)]).toEqual(['ok', 'ok', 'crowded']);
    now += 60_000;
    expect(Array.from({ length: 50 }, () => quiet.take(0)).every((it) => it === 'ok')).toBe(true);
  });

  it('B1 0 is no limit', () => {
    const pace = new FramePace(0, () => 0);
    expect(Array.from({ length: 10_000 }, () => pace.take(100_000)).includes('refused')).toBe(
      false,
    );
  });

  it.each([
    ['pings of the WebSocket', frame(9)],
    ['pongs of the WebSocket', frame(10)],
    ['empty frames', frame(1)],
    ['pings as frames', frame(1, '{"type":"ping"}')],
  ])('B1 a burst of %s ends its connection, at once and with 4008', async (_what, piece) => {
    const floods: unknown[] = [];
    const { server, told, wsUrl } = await started({ onFlood: (peer) => floods.push(peer) > 0 });
    const other = await connected(wsUrl);
    const { tcp, code } = await rawSocket(server.port);
    tcp.write(many(30_000, piece));
    expect(await code).toBe(4008);
    expect(floods).toEqual([{ principal: 'local', address: '127.0.0.1' }]);
    expect(told.filter(({ what }) => what === 'inbound').length).toBeLessThan(120);
    expect(told.filter(({ detail }) => detail === 'rate_limited')).toHaveLength(10);
    other.ws.send('unharmed');
    await until(() => told.some(({ detail }) => detail === 'unharmed'), 'the other connection');
  });

  it('B1 one of many flooding connections is cut: after a close frame it would still be read', async () => {
    const { server, told } = await started({ onFlood: () => false });
    const { tcp } = await rawSocket(server.port);
    const cut = new Promise((resolve) => tcp.once('close', resolve));
    tcp.write(many(30_000, frame(9)));
    await cut;
    expect(told.filter(({ what }) => what === 'inbound').length).toBeLessThan(120);
    expect(told.at(-1)).toEqual({ what: 'closed' });
  });

  it('B1 pings count before a socket is admitted', async () => {
    const { server, told } = await started({ authenticate: () => new Promise(() => undefined) });
    const { tcp } = await rawSocket(server.port);
    tcp.write(many(65, frame(9)));
    await once(tcp, 'end');
    expect(told).toEqual([]);
  });

  it('B1 what waits for admission has a limit for the whole node', async () => {
    const { wsUrl, server } = await started({
      authenticate: () => new Promise(() => undefined),
      maxPayloadBytes: 1_000_000,
    });
    const early = await Promise.all(Array.from({ length: 18 }, () => connected(wsUrl)));
    const closed: number[] = [];
    for (const { ws, closed: over } of early) {
      over.then(({ code }) => closed.push(code));
      // One after the other: messages that are on their way together have a limit of their own.
      await new Promise((sent) => ws.send('x'.repeat(999_999), sent));
    }
    await until(() => closed.length > 0, 'one that is too much');
    expect(closed).toEqual(closed.map(() => 4008));
    expect(closed.length).toBeLessThan(4);
    expect(server.port).toBeGreaterThan(0);
  });
});
