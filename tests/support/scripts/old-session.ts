import type { Store } from '@sluice/store';
import type { Redis } from 'ioredis';
import { idOf, refOf } from './scripts-world.js';

/** As layout 1 had it: `m1` has its reply, `m2` and `m3` were one turn, `m4` waits. */
export async function writeOldSession(client: Redis, store: Store, sessionId: string) {
  const id = idOf(refOf(sessionId));
  const { state, inbox, events, messages, seen, pending, sessions, owned } = store.keys.session(id);
  const at = 1_795_941_306_000;
  const entry = (messageId: string, mode = 'collect') =>
    `${messageId} ${at} 0 ${mode} {"c":"text of ${messageId}"}`;
  const accepted = (messageId: string) => ['t', 'a', 'm', messageId, 'p', '0'];
  const final = (messageId: string, ...more: string[]) => [
    ...['t', 'f', 'm', messageId, 'p', '0', 'u', 'turn_1', 'a', '1', 's', 'ok', ...more],
  ];
  const log = [
    ...[accepted('m1'), final('m1', 'c', 'reply to m1'), accepted('m2'), accepted('m3')],
    ...[final('m2', 'i', 'm3'), final('m3', 'c', 'reply to m3', 'g', '{"tokens":3}')],
    accepted('m4'),
  ];
  let bytes = 0;
  for (const [index, fields] of log.entries()) {
    await client.xadd(events, `${index + 1}-0`, 'ts', at, 'b', bytes, ...fields);
    bytes += fields.join('').length;
  }
  const reply = (messageId: string, usage = '') =>
    `a ${messageId} ${at} turn_1 ok ${JSON.stringify({ attempt: 1, usage, content: `reply to ${messageId}`, reason: '' })}`;
  const history = [
    ...[`u ${entry('m1')}`, reply('m1')],
    ...[`u ${entry('m2')}`, `u ${entry('m3')}`, reply('m3', '{"tokens":3}')],
  ];
  const waiting = entry('m4', 'enqueue');
  await client.rpush(messages, ...history);
  await client.rpush(inbox, waiting);
  await client.zadd(seen, 2, 'm1', 5, 'm2', 6, 'm3', String(2 ** 52 + 7), 'm4');
  await client.zadd(pending, at, id);
  for (const listing of [sessions, owned]) await client.zadd(listing, at, id);
  await client.hset(state, {
    ...{ bytes: waiting.length, principal: 'alice', session_id: sessionId, agent: 'echo' },
    ...{ epoch: '1795941306314199', cursor: log.length, metadata: '{}', accepted: 1, fence: at },
    ...{ created_at: at, last_activity: at, log_bytes: bytes, log_floor: 0, ring: 1 },
    ...{ history_bytes: history.join('').length, lease_until: 0, last_turn: 'turn_1' },
    ...{ released: `0 ${at}`, released_ring: '', released_end: '' },
  });
  return { history };
}
