// Sends requests again and again over open connections, and reads no answer.
import { given, keepGoing, openTcp } from './raw-socket.mjs';

const [, , , path, everyMs, who] = process.argv;
const credential = who === 'nobody' ? '' : `Authorization: Bearer ${given.hostile}\r\n`;
const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${credential}\r\n`);

keepGoing(20, () => {
  const socket = openTcp();
  socket.pause();
  const timer = setInterval(() => socket.write(request), Number(everyMs));
  return new Promise((resolve) => {
    const over = () => {
      clearInterval(timer);
      socket.destroy();
      resolve();
    };
    socket.on('close', over);
    socket.on('error', over);
    // The end of a connection is not noticed while it is not read.
    setTimeout(over, 10_000).unref();
  });
});
