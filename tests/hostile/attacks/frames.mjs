// Small frames without end over eight sockets: `ping` in JSON, WebSocket pings or pongs, empty, no JSON.
import { flood, given, keepGoing, openWebSocket, webSocketFrame } from './raw-socket.mjs';

const [, , , kind, who] = process.argv;
const pieces = {
  json: webSocketFrame(1, '{"type":"ping"}'),
  ping: webSocketFrame(9, ''),
  pong: webSocketFrame(10, ''),
  empty: webSocketFrame(1, ''),
};
const token = who === 'nobody' ? '' : given.hostile;
keepGoing(8, async () => flood(await openWebSocket(token), pieces[kind]));
