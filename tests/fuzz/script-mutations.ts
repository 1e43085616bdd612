import { createHash } from 'node:crypto';
import type { Scripts } from './real-session.js';

/** A fault in one script: what of its text is replaced. */
export type ScriptMutation = {
  readonly name: string;
  readonly script: keyof Scripts;
  readonly from: string;
  readonly to: string;
  /** Few sequences find it: left to `npm run mutations`. */
  readonly isRare?: true;
};

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
    from: "if fenced then return { 'fenced' } end",
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
    from: 'if tonumber(number) > tonumber(s[2]) then',
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
    from: "'batch', 'attempt', 'abort', 'hand_overs'",
    to: "'batch', 'attempt', 'hand_overs'",
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
    from: "redis.call('HDEL', state, 'holder', 'token')",
    to: '',
  },
  {
    name: 'an abort is forgotten by the commit',
    script: 'turnCommit',
    from: "if s[5] and status ~= 'aborted' then",
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
    from: 'if a[6] and not handed_too_often then return attempt, cuts, word end',
    to: '',
  },
  {
    name: 'a failure of the agent counts as a cut attempt',
    script: 'turnBegin',
    from: 'if not a[5] then cuts = cuts + 1 end',
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
    from: "if retry_wait() > 0 then return { 'refused', 'waits' } end",
    to: '',
  },
  {
    name: 'the sweep rings for a head that waits',
    script: 'pendingSweep',
    from: 'elseif retry_wait(state) > 0 then',
    to: 'elseif false then',
  },
  {
    name: 'an abort is forgotten by a retry',
    script: 'turnRetry',
    from: "if s[3] then return { 'aborted', s[3] } end",
    to: '',
  },
  {
    name: 'a batch grows at its second start',
    script: 'turnBegin',
    from: "'turn_word', word, 'attempt', attempt, 'cuts', cuts,",
    to: "'turn_word', word, 'batch', head_size(), 'attempt', attempt, 'cuts', cuts,",
  },
  {
    name: 'an old peek is good enough',
    script: 'turnBegin',
    from: "if (s[2] or '0') ~= fence or s[9] then",
    to: 'if s[9] then',
  },
  {
    name: 'the mark of a ring is kept',
    script: 'turnBegin',
    from: "s[8] == ring and 'ring_mark' or 'handed'",
    to: "'handed'",
  },
  {
    name: 'a release does not look into the inbox',
    script: 'turnRelease',
    from: "if pending_count > 0 and how == 'idle' and not stands then return { 'more' } end",
    to: '',
  },
  {
    name: 'a started message can be cancelled',
    script: 'messageCancel',
    from: 'local BLOCK, started = 8, tonumber(s[2] or 0)',
    to: 'local BLOCK, started = 8, 0',
  },
  {
    name: 'the cursor is not saved',
    script: 'messageCancel',
    from: "  redis.call('HSET', state, 'cursor', cursor, ",
    to: "  redis.call('HSET', state, ",
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
    from: '(known or s[1]) and call_answer()',
    to: 'nil',
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
    from: "redis.call('HINCRBY', state, 'bytes', -bytes)",
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
    from: "if stands_still() then return { 'refused', 'paused' } end",
    to: '',
  },
  {
    name: 'a commit goes on in a paused session',
    script: 'turnCommit',
    from: "elseif fetch == '1' and not stands_still() then",
    to: "elseif fetch == '1' then",
  },
  {
    name: 'a release rings for a paused session',
    script: 'turnRelease',
    from: 'local stands = pending_count > 0 and stands_still()',
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
    from: 'and s[7] == created_at',
    to: '',
    isRare: true,
  },
  {
    name: 'a pause holds back an abort',
    script: 'turnBegin',
    from: 'return not (s[1] and s[2])',
    to: 'return true',
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
    from: 'if not stands_still(state) then',
    to: 'if true then',
  },
  {
    name: 'a message rings for a paused session',
    script: 'inboxAppend',
    from: 'if not stands_still() then',
    to: 'if true then',
  },
];

/** The scripts with one of them wrong. */
export function mutate(scripts: Scripts, { name, script, from, to }: ScriptMutation): Scripts {
  const right = scripts[script];
  if (!('source' in right) || !right.source.includes(from)) {
    throw new Error(`${name}: there is no such text in ${script}`);
  }
  const source = right.source.replace(from, to);
  const sha = createHash('sha1').update(source).digest('hex');
  return { ...scripts, [script]: { ...right, source, sha } };
}
