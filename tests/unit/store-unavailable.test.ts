import { expect, it } from '@jest/globals';
import { refusalOf, StoreFull, StoreRefused } from '../../packages/store/src/redis/unavailable.js';

const reply = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' });

it.each([
  'LOADING Redis is loading the dataset in memory',
  "READONLY You can't write against a read only replica.",
  'MASTERDOWN Link with MASTER is down',
  'MISCONF Redis is configured to save RDB snapshots',
  'NOREPLICAS Not enough good replicas to write.',
  'BUSY Redis is busy running a script.',
  'NOPERM this user has no permissions to run the command',
  "ERR The user executing the script can't run this command or subcommand script: 1",
  'NOAUTH Authentication required.',
  'WRONGPASS invalid username-password pair',
  'CLUSTERDOWN Hash slot not served',
  'TRYAGAIN Multiple keys request during rehashing of slot',
  'ERR max number of clients reached',
])('C3 an error reply about the server is tried again: %s', (words) => {
  const refusal = refusalOf(reply(words));
  expect(refusal).toBeInstanceOf(StoreRefused);
  expect(refusal?.message).toBe(words);
});

it.each([
  'WRONGTYPE Operation against a key holding the wrong kind of value',
  'ERR syntax error',
  'ERR user_script:12: attempt to compare nil with number script: 1',
  'BUSYGROUP Consumer Group name already exists',
  'BUSYKEY Target key name already exists.',
])('C3 an error reply about the call is a fault of ours, and is not tried again: %s', (words) => {
  expect(refusalOf(reply(words))).toBeUndefined();
});

it('C3 a full Redis is a refusal of its own kind, also within a transaction', () => {
  const queued = reply("OOM command not allowed when used memory > 'maxmemory'.");
  const exec = Object.assign(reply('EXECABORT Transaction discarded'), {
    previousErrors: [queued],
  });
  expect(refusalOf(queued)).toBeInstanceOf(StoreFull);
  expect(refusalOf(exec)).toBeInstanceOf(StoreFull);
});
