/**
 * What `npm run model` asks of the models. `define` sets its budgets and leaves checks out; `mode` is
 * `states` (every reachable state: assertions, nothing stuck) or `runs` (every endless run, with weak
 * fairness: `served`). A mutation names the assertion that must fail. `isLarge`: worth an optimized compilation.
 */
const unserved = 'done==';
const outcome = 'outcomes[';
const stale = 'executing==';
const asked = 'turn_id==my_turn[h]';
const uncut = '!(given_up)';
const expires = 'expiry&&';
const kept = 'expiry||';

export const properties = [
  {
    title: 'no fault: two drains, all served in order without the sweep',
    define: { NO_SWEEP: '', M: 3, DRAINS: 2, DELTAS: 1 },
    isLarge: true,
  },
  {
    title: 'stopped past the TTL during a drain',
    define: { EXPIRIES: 1, DRAINS: 1 },
    isLarge: true,
  },
  {
    title: 'stopped past the TTL twice: no stale write',
    define: { EXPIRIES: 2, DELTAS: 1 },
    isLarge: true,
  },
  {
    title: 'the same with the Redlock outside of the data Redis',
    define: { EXPIRIES: 2, QUORUM: '' },
    isLarge: true,
  },
  {
    title: 'the same without the check of turn_id: the fence is enough',
    define: { EXPIRIES: 2, NO_TURN_CHECK: '' },
    isLarge: true,
  },
  {
    title: 'stopped past the TTL, a crash, a bad wake',
    define: { EXPIRIES: 1, CRASHES: 1, BAD_WAKES: 1 },
    isLarge: true,
  },
  {
    title: 'a crash, lost rings, a drain',
    define: { CRASHES: 1, LOST_RINGS: 1, DRAINS: 1 },
    isLarge: true,
  },
  {
    title: 'client resumes, channel cut, hand-over',
    define: { NO_SWEEP: '', CLIENT: '', RESUMES: 1, CUTS: 1, DRAINS: 1, M: 1 },
    isLarge: true,
  },
  {
    title: 'client resumes while two turns run: dense, no double, nothing missed',
    define: { NO_SWEEP: '', CLIENT: '', RESUMES: 1 },
  },
  {
    title: 'two wakes lost or unheard, a drain: the linger finds the message',
    define: { NO_SWEEP: '', NO_TELL: '', M: 3, DRAINS: 1, BAD_WAKES: 2 },
  },
  {
    title: 'a lost reply, a drain: the repeat changes nothing',
    define: { NO_SWEEP: '', DRAINS: 1, LOST_REPLIES: 1 },
  },
  {
    title: 'a refused begin passes its ring on: two bad wakes, a lost reply',
    define: { NO_SWEEP: '', M: 3, BAD_WAKES: 2, LOST_REPLIES: 1 },
  },
  {
    title: 'begun by an append: two wakes late or doubled, a drain',
    define: { NO_SWEEP: '', M: 3, LATE_WAKES: 2, DRAINS: 1 },
    isLarge: true,
  },
  {
    title: 'begun by an append: two wakes late or doubled, a lost reply',
    define: { NO_SWEEP: '', LATE_WAKES: 2, LOST_REPLIES: 1 },
  },
  {
    title: 'begun by an append: a late wake, stopped past the TTL',
    define: { LATE_WAKES: 1, EXPIRIES: 1 },
  },
  {
    title: 'begun by an append: a late wake, a crash, a drain',
    define: { LATE_WAKES: 1, CRASHES: 1, DRAINS: 1 },
  },
  {
    title: 'begun by an append: two wakes lost or unheard, found by a renewal',
    define: { NO_SWEEP: '', LONG_LINGER: '', M: 3, BAD_WAKES: 2, DRAINS: 1 },
  },
  {
    title: 'begun by an append: a lost reply of the commit, no renewal tells',
    define: { NO_SWEEP: '', LONG_LINGER: '', NO_TELL: '', M: 3, LOST_REPLIES: 1 },
  },
  {
    title: 'paused: a bad wake, a drain',
    define: { NO_SWEEP: '', PAUSES: 1, BAD_WAKES: 1, DRAINS: 1 },
  },
  {
    title: 'paused: a bad wake, a crash',
    define: { LONG_LINGER: '', PAUSES: 1, BAD_WAKES: 1, CRASHES: 1 },
  },
  {
    title: 'expiry: attaches, stopped past the TTL',
    define: { TOUCHES: 1, EXPIRIES: 1 },
  },
  {
    title: 'listed until the sweep looks: the look at a lease need not list what has work',
    define: { NO_NET: '', EXPIRIES: 1, CRASHES: 1 },
    isLarge: true,
  },
  {
    title: 'the clock set back: the look at a lease lists what was struck off',
    define: { DUE_STAYS: '', EXPIRIES: 1, CRASHES: 1 },
    isLarge: true,
  },
  {
    title: 'batch renewals: late, after others took a lease, with a Redlock lost',
    model: 'renewals.pml',
    define: {},
    isLarge: true,
  },
  {
    title: 'a quorum: the Redlock is given back after the lease, two drains, no sweep',
    define: { QUORUM: '', NO_SWEEP: '', DRAINS: 2 },
    isLarge: true,
  },
  {
    title: 'a quorum: two nodes have the Redlock at once, stopped past the TTL: no stale write',
    define: { QUORUM: '', TWO_LOCKS: 1, EXPIRIES: 1 },
    isLarge: true,
  },
  {
    title: 'a quorum: no majority renews, the turn is handed over by its holder',
    define: { QUORUM: '', HANDS_BACK: '', EXPIRIES: 1, DELTAS: 1 },
    isLarge: true,
  },
  {
    title: 'a quorum, batch renewals: members first, then the leases; Redlocks lost',
    model: 'renewals.pml',
    define: { QUORUM: '' },
    isLarge: true,
  },
  {
    title: 'always served: a drain, a bad wake, no sweep',
    mode: 'runs',
    define: { NO_SWEEP: '', DRAINS: 1, BAD_WAKES: 1 },
  },
  {
    title: 'always served, then set to expire: stopped past the TTL',
    mode: 'runs',
    define: { EXPIRIES: 1 },
    isLarge: true,
  },
  {
    title: 'always served, then set to expire: a crash, lost rings',
    mode: 'runs',
    define: { CRASHES: 1, LOST_RINGS: 1 },
  },
  {
    title: 'always served: a lost wake, a pause, a linger without end',
    mode: 'runs',
    define: { NO_SWEEP: '', LONG_LINGER: '', BAD_WAKES: 1, PAUSES: 1 },
  },
  {
    title: 'always served: a late wake, a crash, a linger without end',
    mode: 'runs',
    define: { LONG_LINGER: '', LATE_WAKES: 1, CRASHES: 1 },
  },
  {
    title: 'always served, then set to expire: the clock set back, a crash',
    mode: 'runs',
    define: { DUE_STAYS: '', CRASHES: 1 },
  },
];

export const mutations = [
  {
    title: 'no fence: a stale holder writes',
    define: { NO_FENCE: '', EXPIRIES: 1 },
    breaks: stale,
  },
  {
    title: 'no fence and no turn_id: an outcome is written twice',
    define: { NO_FENCE: '', NO_TURN_CHECK: '', ONLY_OUTCOMES: '', EXPIRIES: 1 },
    breaks: outcome,
  },
  {
    title: 'an idle release does not look into the inbox: a wake-up is lost',
    define: { NO_INBOX_LOOK: '', NO_SWEEP: '' },
    breaks: unserved,
  },
  {
    title: 'no sweep: a crash leaves a message behind',
    define: { NO_SWEEP: '', CRASHES: 1 },
    breaks: unserved,
  },
  {
    title: 'a ring that tells what is no more true is dropped: a message waits for the sweep',
    define: { DROP_TOLD: '', NO_SWEEP: '', M: 3 },
    breaks: unserved,
  },
  {
    title: 'a refused begin drops its ring: a message waits for the sweep',
    define: { DROP_REFUSED: '', NO_SWEEP: '', M: 3, BAD_WAKES: 2, LOST_REPLIES: 1 },
    breaks: unserved,
  },
  {
    title: 'no splice by seq: the client gets an event twice',
    define: { NO_SEAM: '', NO_SWEEP: '', CLIENT: '' },
    breaks: 's==(got+1)',
  },
  {
    title: 'read before subscribe: the client misses an event',
    define: { READ_FIRST: '', NO_SWEEP: '', CLIENT: '', RESUMES: 0 },
    breaks: 'got==cursor',
  },
  {
    title: 'no renewal tells: a turn whose wake was lost is never run',
    define: { NO_TELL: '', LONG_LINGER: '', NO_SWEEP: '', BAD_WAKES: 1 },
    breaks: unserved,
  },
  {
    title: 'a late wake is run without comparing',
    define: { NO_COMPARE: '', NO_SWEEP: '', LATE_WAKES: 1 },
    breaks: asked,
  },
  {
    title: 'a late wake is compared with the last turn only',
    define: { LAST_TURN_ONLY: '', NO_SWEEP: '', LATE_WAKES: 1, M: 3 },
    breaks: asked,
  },
  {
    title: 'a wake is run without a look at the own clock: two holders at once',
    define: { NO_OWN_CLOCK: '', EXPIRIES: 1 },
    breaks: stale,
  },
  {
    title: 'an append begins for a holder whose lease is over',
    define: { BEGIN_WHEN_OVER: '', EXPIRIES: 1 },
    breaks: 'until_ahead',
  },
  {
    title: 'an append begins while paused',
    define: { BEGIN_WHEN_PAUSED: '', NO_SWEEP: '', PAUSES: 1 },
    breaks: '!(paused)',
  },
  {
    title: 'a repeated commit answers `idle` while a turn was begun',
    define: { REPEAT_IDLE: '', NO_SWEEP: '', LOST_REPLIES: 1 },
    breaks: 'inbox_len==0',
  },
  {
    title: 'a release un-begins what was streamed of',
    define: { UNBEGIN_STREAMED: '', NO_SWEEP: '', DRAINS: 1, DELTAS: 1 },
    breaks: '!(delta)',
  },
  {
    title: 'an idle release gives up while paused: a begun head is left, a cut that was none',
    define: { IDLE_WHEN_PAUSED: '', NO_SWEEP: '', PAUSES: 1, BAD_WAKES: 1 },
    breaks: uncut,
  },
  {
    title: 'no holder is listed: a session whose holder died idle is kept for ever',
    define: { NOT_LISTED: '', CRASHES: 1 },
    breaks: kept,
  },
  {
    title: 'off the listing while work waits: a slow holder goes on, then dies idle',
    define: { UNLIST_WITH_WORK: '', EXPIRIES: 1, CRASHES: 1 },
    breaks: kept,
  },
  {
    title: 'an attach looks at the time of the lease, not at its token: work expires',
    define: { TOUCH_BY_TIME: '', TOUCHES: 1, EXPIRIES: 1 },
    breaks: expires,
  },
  {
    title: '`due` is believed of a session that was struck off: a message is left behind',
    define: { DUE_STAYS: '', NO_NET: '', CRASHES: 1 },
    breaks: unserved,
  },
  {
    title: 'a commit strikes off, `due` stays: a message is left behind',
    define: { COMMIT_STRIKES_OFF: '', NO_NET: '', CRASHES: 1 },
    breaks: unserved,
  },
  {
    title: 'a batch renews a lease that has passed on',
    model: 'renewals.pml',
    define: { NO_ENTRY_FENCE: '' },
    breaks: 'fence[0]==f0',
  },
  {
    title: 'a batch stops at a refused entry: another lease runs out',
    model: 'renewals.pml',
    define: { STOP_AT_REFUSED: '' },
    breaks: 'f1==0',
  },
  {
    title: 'a batch extends the Redlock of another',
    model: 'renewals.pml',
    define: { EXTEND_ANY: '' },
    breaks: 'lock[',
  },
  {
    title: 'a deadline counts from the answer: a lease is trusted that is over',
    model: 'renewals.pml',
    define: { FROM_ANSWER: '' },
    breaks: 'a_deadline[',
  },
  {
    title:
      'a quorum: turn-begin does not look at the time of the lease: a Redlock lost is a lease taken',
    model: 'renewals.pml',
    define: { QUORUM: '', NO_TIME: '' },
    breaks: 'a_deadline[',
  },
  {
    title: 'an answer is matched by session: a lease of its own is given up',
    model: 'renewals.pml',
    define: { BY_ID: '' },
    breaks: '!=a_fence[',
  },
];
