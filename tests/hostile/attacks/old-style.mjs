// 2,000 connections of one session without cursor, one hello after the other.
import { given, keepGoing, openWebSocket, webSocketFrame } from './raw-socket.mjs';

const hello = { type: 'hello', agent_id: 'echo', session_id: 'crowd' };
const frame = webSocketFrame(1, JSON.stringify(hello));

keepGoing(2_000, async () => {
  const socket = await openWebSocket(given.hostile);
  socket.resume();
  socket.write(frame);
  if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve));
});
