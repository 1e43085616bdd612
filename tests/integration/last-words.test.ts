import { text } from 'node:stream/consumers';
import { expect, it } from '@jest/globals';
import { startChild } from '@sluice/testkit';

/** A node's own listener, and a call to Redis that nobody caught: as ioredis would throw it. */
const program = `
  import { makeLog } from './apps/gateway/dist/log.js';
  import { onUncaught } from './apps/gateway/dist/node/last-words.js';
  onUncaught(makeLog({ level: 'info', pretty: false }, { node_id: 'n' }));
  const command = { name: 'evalsha', args: ['sha', 'LEASE-TOKEN', 'what the user said'] };
  const error = Object.assign(new Error('WRONGTYPE no'), { name: 'ReplyError', command });
  HOW;
  setTimeout(() => console.log('went on'), 2_000);
`;

it.each(['Promise.reject(error)', 'setImmediate(() => { throw error; })'])(
  'X6 %s: the process ends with one line, and no argument of the call in it',
  async (how) => {
    const source = program.replace('HOW', how);
    const child = startChild(process.execPath, ['--input-type=module', '-e', source]);
    const ended = new Promise((resolve) => child.once('close', resolve));
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    expect(await ended).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      level: 'fatal',
      err: { type: 'ReplyError', message: 'WRONGTYPE no' },
    });
    expect(stdout + stderr).not.toMatch(/LEASE-TOKEN|user said|went on/);
  },
);
