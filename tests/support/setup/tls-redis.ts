import { type Authority, freePort, type Pair, startRedis, type TestRedis } from '@sluice/testkit';

/** A Redis that asks clients for a certificate of `authority`, beside its plain port for the test itself. */
export async function startTlsRedis(
  server: string,
  authority: Authority,
  own: Pair,
): Promise<{ redis: TestRedis; tlsPort: number }> {
  for (let tries = 1; ; tries += 1) {
    const tlsPort = await freePort();
    const files = ['--tls-cert-file', own.cert, '--tls-key-file', own.key];
    const args = ['--tls-port', `${tlsPort}`, ...files, '--tls-ca-cert-file', authority.file];
    try {
      return { redis: await startRedis({ server, args }), tlsPort };
    } catch (error) {
      // The port was free a moment ago.
      if (tries === 3) throw error;
    }
  }
}
