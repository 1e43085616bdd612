import type { RealLease, RealSession } from './real-session.js';
import type { Answer, Presented, SessionModel } from './session-model.js';

/** Calls for many leases, all of one session: each node that believes to hold it presents its own. */
export type Many = 'renew_many' | 'release_many';

const TTL_MS = 600_000;

/** What the model predicts, and what a real Redis answers. */
export function callMany(
  kind: Many,
  { model, real }: { readonly model: SessionModel; readonly real: RealSession },
  held: readonly { readonly model: Presented; readonly real: RealLease }[],
): readonly [() => Answer, () => Promise<Answer>] {
  const ask = kind === 'renew_many' ? askRenewals : askReleases;
  return [
    () => predict(model, kind, held),
    async () => ({ word: 'looked', answers: await ask(real, held) }),
  ];
}

function predict(
  { s }: SessionModel,
  kind: Many,
  held: readonly { readonly model: Presented }[],
): Answer {
  const renew = (by: Presented): Answer => {
    if (s.leaseKey !== by.token) return { word: 'unlocked' };
    s.isLive = true;
    return { word: 'renewed', abort: s.abort, waits: s.inbox.length > 0 };
  };
  const release = (by: Presented): Answer => {
    if (s.inbox.length > 0) return { word: 'more' };
    s.released = { ...by, ring: '', isHanded: false };
    Object.assign(s, { isLive: false, holder: undefined, token: undefined });
    if (s.leaseKey === by.token) s.leaseKey = undefined;
    return { word: 'released' };
  };
  const answers = held.map(({ model: by }): Answer => {
    if (s.token === by.token && s.fence === by.fence)
      return kind === 'renew_many' ? renew(by) : release(by);
    const { released } = s;
    const isRepeat = released?.token === by.token && released.fence === by.fence;
    const isAgain = isRepeat && kind === 'release_many' && !released.isHanded;
    return { word: isAgain ? 'released' : 'fenced' };
  });
  return { word: 'looked', answers };
}

const about = ({ options: { keys }, id }: RealSession, held: readonly { real: RealLease }[]) => ({
  session_prefix: keys.partition(keys.partitionOf(id)).sessionPrefix,
  leases: JSON.stringify(held.map(({ real }) => [id, real.token, String(real.fence)])),
});

async function askRenewals(real: RealSession, held: readonly { real: RealLease }[]) {
  const { connection, keys, scripts } = real.options;
  const given = { ...about(real, held), ttl: TTL_MS };
  const replies = await connection.run(scripts.leasesRenew, keys.session(real.id), given);
  return replies.map((reply): Answer => {
    if (reply.kind !== 'renewed') return { word: reply.kind };
    return { word: reply.kind, abort: reply.abort, waits: reply.waits };
  });
}

async function askReleases(real: RealSession, held: readonly { real: RealLease }[]) {
  const { connection, keys, scripts } = real.options;
  const given = { ...about(real, held), resume_window: TTL_MS };
  const replies = await connection.run(scripts.leasesRelease, keys.session(real.id), given);
  return replies.map((reply): Answer => ({ word: reply.kind }));
}
