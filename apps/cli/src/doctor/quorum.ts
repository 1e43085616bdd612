import { type Config, redisAddress } from '@sluice/gateway';
import {
  infoField,
  inspectMember,
  type MemberReport,
  redisRemedy,
  withoutSecrets,
} from '@sluice/store';
import { fail, ok, type Verdict, warn } from '../redis-checks/check.js';
import type { Finding } from './report.js';

/** A call to a member may take a tenth of the TTL; this is much of a short one. */
const SLOW_MS = 50;
/** Redlock allows clocks that run at other speeds, not ones that are set while it counts. */
const SKEW_MS = 1_000;

/** Looks at each member of `lease.quorum`: reachable, a master, a server of its own, fit to keep Redlocks. */
export async function checkQuorum({ lease, redis }: Config): Promise<Finding[]> {
  const urls = lease.quorum;
  const tls = tlsOf(redis);
  const looks = await Promise.allSettled(
    urls.map((url) => inspectMember({ url, tls }, redis.prefix)),
  );
  const places = urls.map(withoutSecrets);
  const servers = looks.map((look) =>
    look.status === 'fulfilled' ? infoField(look.value.info, 'run_id') : '',
  );
  return looks.flatMap((look, at): Finding[] => {
    const place = places[at] ?? '';
    if (look.status === 'rejected') return [unreached(place, look.reason)];
    const server = servers[at] ?? '';
    const first = servers.indexOf(server);
    const twin = server !== '' && first < at ? places[first] : undefined;
    return judge(look.value, { place, twin }).map((verdict) => ({ check: 'quorum', ...verdict }));
  });
}

/** The files of `redis.tls`; the check of the data Redis has told what is wrong with them. */
function tlsOf(redis: Config['redis']) {
  try {
    return redisAddress(redis, () => {}).tls;
  } catch {
    return undefined;
  }
}

function unreached(place: string, reason: unknown): Finding {
  const why = reason instanceof Error ? reason.message : String(reason);
  const remedy = redisRemedy(why).todo.replaceAll('redis.url', 'lease.quorum');
  return { status: 'FAIL', check: 'quorum', what: `quorum member ${place}: ${why}`, remedy };
}

function judge(
  report: MemberReport,
  { place, twin }: { readonly place: string; readonly twin: string | undefined },
): Verdict[] {
  const { info, refusal, refusedWrite, isFull, latencyMs, clockSkewMs, server } = report;
  const of = `quorum member ${place}`;
  const policy = infoField(info, 'maxmemory_policy');
  const replicas = Number(infoField(info, 'connected_slaves') || 0);
  const keeps = infoField(info, 'aof_enabled') === '1';
  const found: Verdict[] = [];
  if (refusal) found.push(fail(`${of}: ${refusal.what}`, 'name a master of its own'));
  if (twin !== undefined) {
    const what = `${of} is the same server as ${twin}: it has one vote, not two`;
    found.push(fail(what, 'name an independent master on another host'));
  }
  if (refusedWrite !== undefined) {
    const remedy = 'give its user the rights that docs/operate/security.md lists for members';
    found.push(fail(`${of}: ${refusedWrite}`, remedy));
  }
  if (policy !== '' && policy !== 'noeviction') {
    const what = `${of}: maxmemory-policy ${policy} may evict Redlocks`;
    found.push(fail(what, 'CONFIG SET maxmemory-policy noeviction, and in redis.conf'));
  }
  if (isFull) found.push(fail(`${of}: maxmemory is nearly used up`, 'raise it, or delete data'));
  if (replicas > 0) {
    const what = `${of} has ${replicas} replicas: one that is promoted may lack Redlocks`;
    found.push(warn(what, 'take a master without failover; two others stand in for it'));
  }
  if (latencyMs > SLOW_MS) {
    const what = `${of}: latency ${latencyMs.toFixed(0)} ms`;
    found.push(warn(what, 'bring it nearer, or raise lease.ttl'));
  }
  if (Math.abs(clockSkewMs) > SKEW_MS) {
    const what = `${of}: clock ${clockSkewMs.toFixed(0)} ms off this machine's`;
    found.push(warn(what, 'set it by NTP, without jumps while it runs'));
  }
  if (found.length > 0) return found;
  const disk = keeps ? 'keeps its Redlocks on disk' : 'gets its Redlocks back after a restart';
  return [ok(`${of}: ${server}, ${disk}`)];
}
