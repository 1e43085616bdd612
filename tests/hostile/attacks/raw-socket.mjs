import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

/** The argument of every hostile program. */
export const given = JSON.parse(process.argv[2] ?? '{}');
const { hostname, port } = new URL(given.url);

/** A TCP connection to the node. When the node ends it, that is no error. */
export function openTcp() {
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.on('error', () => undefined);
  return socket;
}

/** A WebSocket without a library. `token` '': no credentials. Resolves with its socket when it is open or closed. */
export function openWebSocket(token) {
  const socket = openTcp();
  const credential = token === '' ? '' : `Authorization: Bearer ${token}\r\n`;
  const address = given.address === undefined ? '' : `X-Forwarded-For: ${given.address}\r\n`;
  const key = randomBytes(16).toString('base64');
  socket.write(
    `GET /ws HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `${address}${credential}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  return new Promise((resolve) => {
    socket.once('data', () => resolve(socket));
    socket.once('close', () => resolve(socket));
  });
}

/** One masked frame, with a mask of zeros; opcode 1 text, 9 ping, 10 pong. `isLast` false: to be continued. */
export function webSocketFrame(opcode, payload, isLast = true) {
  const body = Buffer.from(payload);
  const first = (isLast ? 0x80 : 0) | opcode;
  const mask = Buffer.alloc(4);
  if (body.length < 126)
    return Buffer.concat([Buffer.from([first, 0x80 | body.length]), mask, body]);
  if (body.length < 65_536) {
    const head = Buffer.from([first, 0x80 | 126, body.length >> 8, body.length & 255]);
    return Buffer.concat([head, mask, body]);
  }
  const head = Buffer.alloc(10);
  head[0] = first;
  head[1] = 0x80 | 127;
  head.writeBigUInt64BE(BigInt(body.length), 2);
  return Buffer.concat([head, mask, body]);
}

/** Sends the same bytes again and again, as fast as possible; resolves when the connection is closed. */
export function flood(socket, piece) {
  const many = Buffer.concat(Array(Math.max(1, Math.ceil(262_144 / piece.length))).fill(piece));
  return new Promise((resolve) => {
    const more = () => {
      while (!socket.destroyed && socket.writable && socket.write(many));
    };
    socket.on('drain', more);
    socket.on('close', resolve);
    socket.resume();
    more();
  });
}

/** Keeps `count` attacks going for ever: one that ends is begun again. Prints `counts` every 500 ms. */
export function keepGoing(count, attack, counts = {}) {
  counts.begun = 0;
  const loop = async () => {
    for (;;) {
      counts.begun += 1;
      await attack();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  for (let at = 0; at < count; at += 1) loop();
  setInterval(() => console.log(JSON.stringify(counts)), 500);
  return counts;
}
