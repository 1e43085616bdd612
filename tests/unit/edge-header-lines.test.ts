import { connect } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { started } from '../support/edge/edge-started.js';

/** All that the server answers to these lines, until it ends the connection. */
function answerTo(port: number, lines: readonly string[], body = ''): Promise<string> {
  return new Promise((resolve) => {
    const tcp = connect(port, '127.0.0.1');
    let text = '';
    const over = () => {
      tcp.destroy();
      resolve(text);
    };
    tcp.on('data', (data) => {
      text += data;
      if (text.startsWith('HTTP/1.1 101')) over();
    });
    tcp.on('error', over);
    tcp.on('close', over);
    tcp.write(`${lines.join('\r\n')}\r\n\r\n${body}`);
  });
}

const upgrade = [
  'GET /ws HTTP/1.1',
  'Host: 127.0.0.1',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];

describe('headers in several lines', () => {
  it('X1 Sec-WebSocket-Protocol is one list, with the credential in either line', async () => {
    const { server, sockets } = await started({ auth: true });
    const lines = ['sluice.v1', 'bearer.alice-secret'].map((it) => `Sec-WebSocket-Protocol: ${it}`);
    for (const both of [lines, lines.toReversed()]) {
      const text = await answerTo(server.port, [...upgrade, ...both]);
      expect(text.toLowerCase()).toContain('sec-websocket-protocol: sluice.v1\r\n');
    }
    expect(sockets.map(({ identity }) => identity.principal)).toEqual(['alice', 'alice']);
  });

  it.each([
    ['Content-Length', '3', '39'],
    ['Content-Length', '39', '3'],
    ['Host', '127.0.0.1', 'localhost'],
    ['Origin', 'https://app.example', 'https://evil.example'],
    ['Authorization', 'Bearer alice-secret', 'Bearer reader-secret'],
  ])('X4 two different lines of %s are 400, and the connection ends', async (name, one, other) => {
    let asked = 0;
    const run = () => {
      asked += 1;
    };
    const { server } = await started({
      routes: [{ method: 'POST', path: '/', access: 'public', run }],
    });
    const host = name === 'Host' ? [] : ['Host: 127.0.0.1'];
    const lines = ['POST / HTTP/1.1', ...host, `${name}: ${one}`, `${name}: ${other}`];
    const body = name === 'Content-Length' ? 'x'.repeat(Number(one)) : '';
    const text = await answerTo(server.port, lines, body);
    expect(text).toMatch(/^HTTP\/1.1 400 .*"code":"invalid_frame"/s);
    expect(text).toContain(name.toLowerCase());
    const hidden = 'POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';
    await answerTo(server.port, lines, name === 'Content-Length' ? `abc${hidden}` : hidden);
    expect(asked).toBe(0);
    const twice = [...upgrade.slice(0, 1), ...upgrade.slice(name === 'Host' ? 2 : 1)];
    const both = [...twice, `${name}: ${one}`, `${name}: ${other}`];
    expect(await answerTo(server.port, both)).toMatch(/^HTTP\/1.1 400 /);
  });
});
