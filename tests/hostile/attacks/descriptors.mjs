// Opens 1,000 connections and keeps them: silent, or as WebSockets.
import { given, keepGoing, openTcp, openWebSocket } from './raw-socket.mjs';

const [, , , kind] = process.argv;
keepGoing(1_000, async () => {
  const socket = kind === 'sockets' ? await openWebSocket(given.hostile) : openTcp();
  socket.resume();
  if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve));
});
