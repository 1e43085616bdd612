import { exitStatus, StartError } from '@sluice/runtime';
import { plainWords } from '../primary/sentinel.js';
import { tlsAlert } from '../server/tls-alert.js';
import { type RedisAddress, withoutSecrets } from './address.js';
import { OLDEST_TEXT } from './server-check.js';
import { StoreUnavailable } from './unavailable.js';

type Remedy = { readonly reason: RegExp; readonly status: number; readonly todo: string };

const { tempFail, config } = exitStatus;
/** What to do about a right that is missing. */
export const RIGHTS_REMEDY = 'give this user the rights that docs/operate/security.md lists';

/** By the words of Redis, of Node's sockets and of OpenSSL; the first that fits. */
const remedies: readonly Remedy[] = [
  {
    reason: /^no sentinel knows/,
    status: tempFail,
    todo: 'set redis.sentinel.name to the name in `sentinel monitor` of their configuration',
  },
  {
    reason: /^no sentinel names a primary: .*(WRONGPASS|NOAUTH|NOPERM)/,
    status: tempFail,
    todo: 'correct sentinel_username and sentinel_password of redis.sentinel, and its rights',
  },
  {
    reason: /^no sentinel names/,
    status: tempFail,
    todo: 'start the sentinels, or set redis.sentinel.nodes to where they are',
  },
  {
    // This may pass: a password is changed on both sides, one after the other.
    reason: /^(WRONGPASS|NOAUTH)|invalid password|without any password configured/,
    status: tempFail,
    todo: 'correct the user and the password of redis.url (REDIS_URL, redis.url_file)',
  },
  { reason: /^NOPERM/, status: config, todo: RIGHTS_REMEDY },
  { reason: /^READONLY|^MASTERDOWN/, status: tempFail, todo: 'set redis.url to the primary' },
  {
    reason: /max number of clients/,
    status: tempFail,
    todo: 'raise its maxclients, or close connections that nobody needs; a node takes five or six',
  },
  {
    reason: /^BUSY\b/,
    status: tempFail,
    todo: 'a script runs there for too long: wait for it, or end it with SCRIPT KILL',
  },
  {
    reason: /^NOREPLICAS/,
    status: tempFail,
    todo: 'connect the replicas that its min-replicas-to-write asks for, or lower that',
  },
  { reason: /^LOADING/, status: tempFail, todo: 'it serves when its data is loaded' },
  { reason: /^OOM|nearly used up/, status: tempFail, todo: 'raise its maxmemory, or delete data' },
  { reason: /^MISCONF/, status: tempFail, todo: 'its log says why it cannot write to its disk' },
  {
    reason: /^(MOVED|ASK|CLUSTERDOWN|CROSSSLOT)/,
    status: config,
    todo: 'it is part of a Redis Cluster: set redis.cluster.nodes in place of redis.url, and look at CLUSTER INFO',
  },
  {
    reason: /^WRONGTYPE/,
    status: config,
    todo: 'another program has it: set another redis.prefix',
  },
  {
    reason: /cluster support disabled/,
    status: config,
    todo: 'it is no Redis Cluster: set redis.url in place of redis.cluster.nodes',
  },
  {
    reason: /unknown command/,
    status: config,
    todo: `${OLDEST_TEXT}, or ${RIGHTS_REMEDY}`,
  },
  {
    reason: /alert: (certificate required|handshake failure)/,
    status: config,
    todo: 'it asks for a client certificate: set redis.tls.cert_file and redis.tls.key_file',
  },
  {
    reason: /alert: certificate expired/,
    status: config,
    todo: 'the certificate of redis.tls.cert_file has expired: renew it',
  },
  {
    reason: /alert: (unknown ca|.*certificate)/,
    status: config,
    todo: 'Redis does not take redis.tls.cert_file: give a certificate that a CA of Redis has signed',
  },
  {
    reason: /certificate has expired|certificate is not yet valid/,
    status: config,
    todo: 'renew the certificate of Redis, or look at the clock of this machine',
  },
  {
    reason: /altnames/,
    status: config,
    todo: 'its certificate is for other names: correct the host of redis.url, or set redis.tls.server_name',
  },
  {
    reason: /self-signed|unable to verify|unable to get|certificate/,
    status: config,
    todo: 'redis.tls.ca_file (or NODE_EXTRA_CA_CERTS) names the CA that signed its certificate',
  },
  {
    reason: /wrong version number|SSL|TLS/,
    status: config,
    todo: 'that port speaks no TLS: set redis.url to redis://, or to its port with TLS',
  },
  {
    reason: /RESP|ECONNRESET|ETIMEDOUT|no answer|timed out/,
    status: tempFail,
    todo: 'look whether it is reachable, a Redis, with TLS (rediss://) or without, and has loaded its data',
  },
];

/** What to do about a Redis that does not take us; `reason` is the message of the error. */
export function redisRemedy(reason: string): Pick<Remedy, 'status' | 'todo'> {
  const found = remedies.find((one) => one.reason.test(reason));
  return found ?? { status: tempFail, todo: 'start it, or set redis.url or REDIS_URL' };
}

/** Why a node cannot start with this Redis, and what to do about it; other errors stay as they are. */
export function startFault({ url }: RedisAddress, error: unknown): unknown {
  if (error instanceof StartError || !(error instanceof Error)) return error;
  const { cause } = error;
  const fault = error instanceof StoreUnavailable && cause instanceof Error ? cause : error;
  // The arguments of a command may hold secrets (X6).
  const said = tlsAlert(fault.message) ?? fault.message.split(', with args')[0] ?? '';
  const why = plainWords(said.replace(/\.$/, ''));
  const { status, todo } = redisRemedy(why);
  return new StartError(`Redis at ${withoutSecrets(url)}: ${why}; ${todo}`, status);
}
