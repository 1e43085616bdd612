import type { CheckOrigin, OriginOutcome } from './identity.js';

export type OriginRule = {
  readonly allowedOrigins: readonly string[];
  /** Credentials are asked for, so that a page cannot act in the name of the person at the browser. */
  readonly authRequired: boolean;
};

const refused = (message: string): OriginOutcome => ({
  kind: 'refused',
  code: 'origin_not_allowed',
  message,
});

/** The parser lower-cases, drops default ports and resolves `127.1`. undefined: not a URL. */
function parse(url: string): URL | undefined {
  return URL.canParse(url) ? new URL(url) : undefined;
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    /^127\.\d+\.\d+\.\d+$/.test(hostname) ||
    hostname === '[::1]'
  );
}

/** One spelling for each origin, so that listed and presented ones can be compared. */
function canonical(origin: string): string {
  const parsed = parse(origin);
  return parsed === undefined || parsed.origin === 'null' ? origin.toLowerCase() : parsed.origin;
}

/**
 * Decides which pages may talk to this node. A missing Origin is accepted: curl, servers and phones send none, and a
 * browser sends one wherever a foreign page could read or change something. Without credentials the node trusts all
 * that reaches it on loopback. So the Host header is checked too: a foreign page whose name was rebound to 127.0.0.1
 * arrives with that name (X3).
 */
export function makeCheckOrigin({ allowedOrigins, authRequired }: OriginRule): CheckOrigin {
  const listed = new Set(allowedOrigins.map(canonical));
  const listedHosts = new Set(
    [...listed].flatMap((origin) => {
      const parsed = parse(origin);
      return parsed === undefined || parsed.host === '' ? [] : [parsed.host];
    }),
  );

  const hostIsOurs = (host: string): boolean => {
    const parsed = host === '' ? undefined : parse(`http://${host}`);
    if (parsed === undefined) return false;
    return isLoopback(parsed.hostname) || listedHosts.has(parsed.host);
  };

  const originIsOurs = (origin: string, host: string): boolean => {
    if (origin === 'null') return false;
    if (listed.has(canonical(origin))) return true;
    const page = parse(origin);
    if (page === undefined) return false;
    if (!authRequired) return isLoopback(page.hostname);
    return host !== '' && parse(`${page.protocol}//${host}`)?.host === page.host;
  };

  return (origin, host) => {
    if (!authRequired && !hostIsOurs(host)) {
      return refused('This host name is not allowed here.');
    }
    if (origin === '') return { kind: 'ok', cors: undefined };
    if (!originIsOurs(origin, host)) return refused('This origin is not allowed here.');
    return { kind: 'ok', cors: origin };
  };
}
