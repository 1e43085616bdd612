import { BlockList, isIP } from 'node:net';

/** Returns the address that a request really comes from. Both arguments as they arrived; '' for no header. */
export type ClientAddress = (peer: string, forwardedFor: string) => string;

/**
 * Believes `X-Forwarded-For` as far as trusted proxies wrote it: each of them adds its peer at the end,
 * so the list is read from there, and the first address that is no trusted proxy is the client's. What
 * stands before it was sent by the client itself and proves nothing.
 */
export function makeClientAddress(trustedProxies: readonly string[]): ClientAddress {
  if (trustedProxies.length === 0) return (peer) => peer;
  const trusted = new BlockList();
  for (const range of trustedProxies) {
    const [address = '', bits] = range.split('/');
    if (bits === undefined) trusted.addAddress(address, family(address));
    else trusted.addSubnet(address, Number(bits), family(address));
  }

  return (peer, forwardedFor) => {
    let client = peer;
    const hops = forwardedFor === '' ? [] : forwardedFor.split(',');
    while (hops.length > 0 && trusted.check(client, family(client))) {
      const hop = withoutPort(hops.pop()?.trim() ?? '');
      if (isIP(hop) === 0) break; // `unknown` and the like: only the proxy itself is known
      client = hop;
    }
    return client;
  };
}

const family = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4');

/** Some proxies add the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function withoutPort(hop: string): string {
  return /^\[([^\]]*)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([\d.]+):\d+$/.exec(hop)?.[1] ?? hop;
}
