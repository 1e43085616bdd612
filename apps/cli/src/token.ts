import { loadAuth, signToken } from '@sluice/gateway';
import { exitStatus, parseDurationMs, StartError } from '@sluice/runtime';

export type TokenOptions = {
  readonly config?: string;
  readonly principal: string;
  readonly ttl: string;
  readonly scopes: string;
  readonly flags: Readonly<Record<string, string>>;
};

const known = ['read', 'write', 'operate', 'admin'] as const;

/** Prints a signed token for trying out; nothing else goes to stdout. */
export async function token({ config: file, flags, ...options }: TokenOptions): Promise<number> {
  const auth = loadAuth({ file, flags, env: process.env, cwd: process.cwd() });
  console.log(await signToken(auth, claimsOf(options)));
  return exitStatus.ok;
}

function claimsOf({ principal, ttl, scopes }: Pick<TokenOptions, 'principal' | 'ttl' | 'scopes'>) {
  const ttlMs = parseDurationMs(ttl);
  if (ttlMs === undefined || ttlMs < 1_000) {
    throw wrong(`--ttl ${ttl}: give a duration of at least 1s, such as 10m, 1h or 7d`);
  }
  if (!/^[^\n\r\0]{1,256}$/.test(principal)) {
    throw wrong('--principal: give a name of 1 to 256 characters');
  }
  const named = scopes.split(/[\s,]+/).filter(Boolean);
  const unknown = named.find((scope) => !known.some((one) => one === scope));
  if (unknown !== undefined) throw wrong(`--scopes ${unknown}: give some of ${known.join(', ')}`);
  return { principal, ttlMs, scopes: known.filter((scope) => named.includes(scope)) };
}

const wrong = (message: string) => new StartError(message, exitStatus.usage);
