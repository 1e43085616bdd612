// 400 WebSockets, each with a message as long as the node accepts, without its end; after a `hello` or without.
import { given, keepGoing, openWebSocket, webSocketFrame } from './raw-socket.mjs';

const [, , , greeting] = process.argv;
const hello = { type: 'hello', agent_id: 'echo', session_id: 'unfinished' };
const PART = 1_000_000;
const first = webSocketFrame(1, 'x'.repeat(PART), false);
const more = webSocketFrame(0, 'x'.repeat(PART), false);

keepGoing(400, async () => {
  const socket = await openWebSocket(given.hostile);
  socket.resume();
  if (greeting !== undefined) socket.write(webSocketFrame(1, JSON.stringify(hello)));
  socket.write(first);
  for (let at = 0; at < 3; at += 1) socket.write(more);
  if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve));
});
