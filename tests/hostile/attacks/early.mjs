// Tokens whose keys must be fetched from an issuer that does not answer, with frames after each.
import { keepGoing, openWebSocket, webSocketFrame } from './raw-socket.mjs';

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const frame = webSocketFrame(1, 'x'.repeat(900_000));

keepGoing(400, async () => {
  const head = part({ alg: 'RS256', kid: `unknown-${Math.random()}` });
  const socket = await openWebSocket(`${head}.${part({ sub: 'nobody' })}.c2lnbmF0dXJl`);
  socket.resume();
  socket.write(frame);
  socket.write(frame);
  if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve));
});
