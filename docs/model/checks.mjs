/**
 * What `npm run model` asks of the model. `define` sets its budgets and leaves checks out; `mode` is
 * `states` (every reachable state: assertions, nothing stuck) or `runs` (every endless run, with weak
 * fairness: `served`). A mutation names the assertion that must fail.
 */
const [unserved, outcome, stale] = ['done==', 'outcomes[', 'executing=='];

export const properties = [
  {
    title: 'no fault: two drains, all served in order without the sweep',
    define: { NO_SWEEP: '', M: 3, DRAINS: 2, DELTAS: 1 },
  },
  {
    title: 'two wakes lost or unheard, a drain: the linger finds the message',
    define: { NO_SWEEP: '', M: 3, DRAINS: 1, BAD_WAKES: 2 },
  },
  {
    title: 'a lost reply, a drain: the repeat changes nothing',
    define: { NO_SWEEP: '', DRAINS: 1, LOST_REPLIES: 1 },
  },
  {
    title: 'a refused begin passes its ring on: two bad wakes, a lost reply, a drain',
    define: { NO_SWEEP: '', M: 3, DRAINS: 1, BAD_WAKES: 2, LOST_REPLIES: 1 },
  },
  {
    title: 'stopped past the TTL twice: no stale write',
    define: { EXPIRIES: 2, DELTAS: 1 },
  },
  {
    title: 'the same with the Redlock outside of the data Redis',
    define: { EXPIRIES: 2, QUORUM: '' },
  },
  {
    title: 'the same without the check of turn_id: the fence is enough',
    define: { EXPIRIES: 2, NO_TURN_CHECK: '' },
  },
  {
    title: 'stopped past the TTL during a drain',
    define: { EXPIRIES: 1, DRAINS: 1, DELTAS: 1 },
  },
  {
    title: 'stopped past the TTL, a crash, a bad wake',
    define: { EXPIRIES: 1, CRASHES: 1, BAD_WAKES: 1 },
  },
  {
    title: 'a crash, lost rings, a drain',
    define: { CRASHES: 1, LOST_RINGS: 1, DRAINS: 1 },
  },
  {
    title: 'client resumes while two turns run: dense, no double, nothing missed',
    define: { NO_SWEEP: '', CLIENT: '', RESUMES: 1 },
  },
  {
    title: 'client resumes, channel cut, hand-over',
    define: { NO_SWEEP: '', CLIENT: '', RESUMES: 1, CUTS: 1, DRAINS: 1, M: 1 },
  },
  {
    title: 'always served: a drain, a bad wake, no sweep',
    mode: 'runs',
    define: { NO_SWEEP: '', DRAINS: 1, BAD_WAKES: 1 },
  },
  {
    title: 'always served: stopped past the TTL, a bad wake',
    mode: 'runs',
    define: { EXPIRIES: 1, BAD_WAKES: 1 },
  },
  {
    title: 'always served: a crash, lost rings',
    mode: 'runs',
    define: { CRASHES: 1, LOST_RINGS: 1 },
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
    title: 'release does not look into the inbox: a wake-up is lost',
    define: { NO_INBOX_LOOK: '', NO_SWEEP: '' },
    breaks: unserved,
  },
  {
    title: 'no sweep: a crash leaves a message behind',
    define: { NO_SWEEP: '', CRASHES: 1 },
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
];
