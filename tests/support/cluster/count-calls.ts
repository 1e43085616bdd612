import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { stopLater } from '@sluice/testkit';

/**
 * Counts from now on how often clients of this Redis call a script. On a socket of its own: ioredis takes
 * a line that comes together with MONITOR's OK for a reply.
 */
export async function countCalls(port: number, sha: string): Promise<() => number> {
  const socket = connect(port, '127.0.0.1');
  stopLater(async () => socket.destroy());
  let calls = 0;
  const isMonitoring = new Promise<void>((resolve) => {
    createInterface({ input: socket }).on('line', (line) => {
      if (line === '+OK') resolve();
      if (line.toLowerCase().includes(`"evalsha" "${sha}"`)) calls += 1;
    });
  });
  socket.write('MONITOR\r\n');
  await isMonitoring;
  return () => calls;
}
