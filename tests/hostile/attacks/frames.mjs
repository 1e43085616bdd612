// Endless small frames over eight sockets: `ping` in JSON, WebSocket pings or pongs, or empty ones.
import { flood, given, keepGoing, openWebSocket, webSocketFrame } from './raw-socket.mjs';

const [, , , kind, who] = process.argv;
const pieces = {
  json: webSocketFrame(1, '{"type":"ping"}'),
  ping: webSocketFrame(9, ''),
  pong: webSocketFrame(10, ''),
  empty: webSocketFrame(1, ''),
};
const hello = webSocketFrame(1, JSON.stringify({ type: 'hello', agent_id: 'echo' }));
const token = who === 'nobody' ? '' : given.hostile;

keepGoing(8, async () => {
  const socket = await openWebSocket(token);
  if (who === 'greeting') socket.write(hello);
  await flood(socket, pieces[kind]);
});
