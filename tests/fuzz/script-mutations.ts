import { createHash } from 'node:crypto';
import { historyMutations, type ScriptMutation } from './history-mutations.js';
import type { Scripts } from './real-session.js';

/** Faults that the model must find. */
export const mutations: readonly ScriptMutation[] = [
  {
    name: 'a commit does not look at the fence',
    script: 'turnCommit',
    from: "if fenced then return { 'fenced' } end",
    to: '',
  },
  {
    name: 'a renewal does not look at the fence',
    script: 'leaseRenew',
    from: "if fenced then return { s.ended and 'ended' or 'fenced' } end",
    to: '',
  },
  {
    name: 'a release does not look at the fence',
    script: 'turnRelease',
    from: "if fenced then return { 'fenced' } end",
    to: '',
  },
  {
    name: 'a delta is logged again when it is sent again',
    script: 'eventsAppend',
    from: 'if tonumber(number) > tonumber(s.delta) then',
    to: 'if true then',
  },
  {
    name: 'an interrupt goes before the started head',
    script: 'inboxAppend',
    from: '  position = started\n',
    to: '  position = 0\n',
  },
  {
    name: 'interrupts are not in their order',
    script: 'inboxAppend',
    from: "while at and entry_mode(at) == 'interrupt' do",
    to: 'while false do',
  },
  {
    name: 'a message is accepted again',
    script: 'inboxAppend',
    from: 'if known then',
    to: 'if false then',
  },
  {
    name: 'a holder that nobody hears keeps its lease',
    script: 'inboxAppend',
    from: "if (heard == 0 or type(heard) == 'table') and",
    to: 'if heard == -1 and',
  },
  {
    name: 'an abort outlives its turn',
    script: 'turnCommit',
    from: "'batch', 'abort', 'hand_overs'",
    to: "'batch', 'hand_overs'",
  },
  {
    name: 'an abort that is sent again stops another message',
    script: 'turnAbort',
    from: 'if by == call then',
    to: 'if false then',
  },
  {
    name: 'an abort by name stops the head',
    script: 'turnAbort',
    from: 'if entry_id(entry) == message_id then at = i end',
    to: 'at = 1',
  },
  {
    name: 'a head that nobody runs is stopped without a ring',
    script: 'turnAbort',
    from: 'if not leave_done() and begun',
    to: 'if not leave_done() and false',
  },
  {
    name: 'a stopped head keeps its holder',
    script: 'turnAbort',
    from: "  for _, field in ipairs({ 'holder', 'token' }) do put(field, false) end\n",
    to: '',
  },
  {
    name: 'an abort is forgotten by the commit',
    script: 'turnCommit',
    from: "if s.abort and status ~= 'aborted' then",
    to: 'if false then',
  },
  {
    name: 'a turn that is begun again is no new attempt',
    script: 'turnBegin',
    from: "return attempt + 1, cuts, 'begun'",
    to: "return attempt, cuts, 'begun'",
  },
  {
    name: 'a hand-over counts as an attempt',
    script: 'turnBegin',
    from: 'if s.handed and not handed_too_often then return attempt, cuts, word end',
    to: '',
  },
  {
    name: 'a failure of the agent counts as a cut attempt',
    script: 'turnBegin',
    from: 'if not s.retry_at then cuts = cuts + 1 end',
    to: 'cuts = cuts + 1',
  },
  {
    name: 'the last attempt is never the last',
    script: 'turnBegin',
    from: "if word ~= 'alone' and not handed_too_often then",
    to: 'if not handed_too_often then',
  },
  {
    name: 'a wait does not keep a turn from beginning',
    script: 'turnBegin',
    from: "if retry_wait(s) > 0 then return { 'refused', 'waits' } end",
    to: '',
  },
  {
    name: 'the sweep rings for a head that waits',
    script: 'pendingSweep',
    from: 'elseif retry_wait(r) > 0 then',
    to: 'elseif false then',
  },
  {
    name: 'an abort is forgotten by a retry',
    script: 'turnRetry',
    from: "if s.abort then return { 'aborted', s.abort } end",
    to: '',
  },
  {
    name: 'a batch grows at its second start',
    script: 'turnBegin',
    from: 'if not again then head_start(turn_id, first) end',
    to: 'head_start(turn_id, first)',
  },
  {
    name: 'an old peek is good enough',
    script: 'turnBegin',
    from: "if (s.fence or '0') ~= fence or s.ended then",
    to: 'if s.ended then',
  },
  {
    name: 'a ring tells of a head that was started that it is free',
    script: 'inboxAppend',
    from: "local free = ring ~= '' and started == 0",
    to: "local free = ring ~= ''",
  },
  {
    name: 'a head that was to be interrupted is stopped for another reason',
    script: 'turnAbort',
    from: 'begun and s.abort or reason',
    to: 'reason',
  },
  {
    name: 'the mark of a ring is kept',
    script: 'turnBegin',
    from: "if s.ring_mark == ring then put('ring_mark', false) end",
    to: '',
  },
  {
    name: 'a started message can be cancelled',
    script: 'messageCancel',
    from: 'local BLOCK, started = 8, tonumber(s.batch or 0)',
    to: 'local BLOCK, started = 8, 0',
  },
  {
    name: 'the cursor is not saved',
    script: 'messageCancel',
    from: "  put('cursor', cursor)\n",
    to: '',
  },
  {
    name: 'a session that is ended keeps its lease',
    script: 'sessionEnd',
    from: "redis.call('DEL', inbox, messages, seen, lease)",
    to: "redis.call('DEL', inbox, messages, seen)",
  },
  {
    name: 'a batch has 33 messages',
    script: 'turnBegin',
    from: 'local BATCH_MAX = 32',
    to: 'local BATCH_MAX = 33',
  },
  {
    name: 'a repeated acceptance is taken for a message sent again',
    script: 'inboxAppend',
    from: 'if known or s.ended then',
    to: 'if false then',
  },
  {
    name: 'a message sent again is taken for a repeated call',
    script: 'inboxAppend',
    from: 'made == call and',
    to: 'true and',
  },
  {
    name: 'a repeated end ends the next session',
    script: 'sessionEnd',
    from: "if recorded then return { 'ended', recorded } end",
    to: '',
  },
  {
    name: 'a repeated sweep draws again',
    script: 'pendingSweep',
    from: 'if by == call then',
    to: 'if false then',
  },
  {
    name: 'the bytes of a batch are not given back',
    script: 'turnCommit',
    from: "put('bytes', tonumber(s.bytes) - bytes)",
    to: '',
  },
  {
    name: 'a session that is ended stays in the listings',
    script: 'sessionEnd',
    from: "redis.call('ZREM', owned, id)",
    to: '',
  },
  {
    name: 'a session with work expires',
    script: 'inboxAppend',
    from: '  expiry_remove()\n',
    to: '',
  },
  {
    name: 'a turn begins in a paused session',
    script: 'turnBegin',
    from: "if stands_still(s) then return { 'refused', 'paused' } end",
    to: '',
  },
  {
    name: 'a commit goes on in a paused session',
    script: 'turnCommit',
    from: "local begins = next_first and fetch == '1' and not is_paused(s)",
    to: "local begins = next_first and fetch == '1'",
  },
  {
    name: 'a release rings for a paused session',
    script: 'turnRelease',
    from: 'local stands = first and stands_still(s)',
    to: 'local stands = false',
  },
  {
    name: 'a copy that comes late counts',
    script: 'pauseCopy',
    from: 'if tonumber(number) > tonumber(copied) then',
    to: 'if true then',
  },
  {
    name: 'a repeated pause of an ended session pauses the next',
    script: 'sessionPause',
    from: 'and s.created_at == created_at',
    to: '',
  },
  {
    name: 'a pause holds back an abort',
    script: 'turnBegin',
    from: 'return is_paused(r) and not (r.batch and r.abort)',
    to: 'return is_paused(r)',
  },
  {
    name: 'a resumed session is not rung for',
    script: 'sessionPause',
    from: 'if turns then\n    ring =',
    to: 'if false then\n    ring =',
  },
  {
    name: 'the sweep rings for a paused session',
    script: 'pendingSweep',
    from: 'if stands then return end',
    to: '',
  },
  {
    name: 'a message rings for a paused session',
    script: 'inboxAppend',
    from: 'if not (paused and not (s.batch and s.abort)) then',
    to: 'if true then',
  },
  {
    name: 'a message begins a turn while its session is paused',
    script: 'inboxAppend',
    from: 'waiting == 0 and not paused and s.last_turn',
    to: 'waiting == 0 and s.last_turn',
  },
  {
    name: 'a message begins the turn of another that waits before it',
    script: 'inboxAppend',
    from: 'turn_id and waiting == 0 and not paused',
    to: 'turn_id and not paused',
  },
  {
    name: 'a message takes a session for listed that the sweep has struck off',
    script: 'inboxAppend',
    from: 'local listed = live and s.due and tonumber(s.due) > now and',
    to: 'local listed = live and s.due and',
  },
  {
    name: 'a turn that a message began is begun again by its holder',
    script: 'turnBegin',
    from: 'if holding and s.batch then return head_reply(s.turn_word) end',
    to: '',
  },
  {
    name: 'a repeated commit hides the turn that a message began since',
    script: 'turnCommit',
    from: "if s.batch then return head_reply('next') end",
    to: '',
  },
  {
    name: 'a turn that is given back without having run costs an attempt',
    script: 'turnRelease',
    from: "if s.abort or s.delta ~= '0' then put('handed', 1) else head_forget() end",
    to: '',
  },
  {
    name: 'a turn that is given back forgets what was streamed of it',
    script: 'turnRelease',
    from: "if s.abort or s.delta ~= '0' then put('handed', 1) else head_forget() end",
    to: "if s.abort then put('handed', 1) else head_forget() end",
  },
  {
    name: 'a turn that is given back forgets that it is to be aborted',
    script: 'turnRelease',
    from: "if s.abort or s.delta ~= '0' then put('handed', 1) else head_forget() end",
    to: "if s.delta ~= '0' then put('handed', 1) else head_forget() end",
  },
  {
    name: 'a renewal does not say that something waits',
    script: 'leaseRenew',
    from: 'waits and 1 or 0',
    to: '0',
  },
  {
    name: 'an expiry is set while somebody holds the session',
    script: 'sessionAttach',
    from: 'if pending == 0 and not s.token then',
    to: 'if pending == 0 then',
  },
  {
    name: 'a cancelled message sets an expiry under a lease',
    script: 'messageCancel',
    from: 'if not s.token then expiry_set',
    to: 'if true then expiry_set',
  },
  {
    name: 'a lease that is given up leaves its session without an expiry',
    script: 'turnRelease',
    from: 'else expiry_set(now + resume_window) end',
    to: 'end',
  },
  {
    name: 'a session whose holder died idle never expires',
    script: 'pendingSweep',
    from: "redis.call('HDEL', state_of(id), 'token', 'holder')",
    to: 'if r.token then return end',
  },
  {
    name: 'no sweep looks at a new lease',
    script: 'turnBegin',
    from: "if not holding then redis.call('ZADD', held, s.lease_until, id) end",
    to: '',
  },
  {
    name: 'a batch renewal renews a lease that has passed on',
    script: 'leasesRenew',
    from: 'local fenced = s.token ~= token or s.fence ~= fence\n',
    to: "local fenced = false if s.token ~= token then token = redis.call('GET', lease_of(id)) end\n",
  },
  {
    name: 'a batch renewal prolongs what has no Redlock any more',
    script: 'leasesRenew',
    from: "local is_locked = extended == '1' or not extended and redis.call('GET', lease_of(id)) == token",
    to: 'local is_locked = true',
  },
  {
    name: 'a batch release gives up what still has work',
    script: 'leasesRelease',
    from: "if redis.call('LLEN', inbox_of(id)) > 0 then return { 'more' } end",
    to: '',
  },
  ...historyMutations,
];

/** The scripts with this fault in one of them. Throws when its text is not there. */
export function mutate(scripts: Scripts, { name, script, from, to }: ScriptMutation): Scripts {
  const right = scripts[script];
  if (!('source' in right) || !right.source.includes(from)) {
    throw new Error(`${name}: there is no such text in ${script}`);
  }
  const source = right.source.replace(from, to);
  const sha = createHash('sha1').update(source).digest('hex');
  return { ...scripts, [script]: { ...right, source, sha } };
}
