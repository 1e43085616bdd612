import { createServer } from 'node:http';
import { describe, it } from '@jest/globals';
import { stopLater } from '@sluice/testkit';
import { attackLimitMs, auth, withstand } from './withstand.js';

/** Lets the attack claim another address: upgrades from the machine itself are not limited. */
const trusting = { gateway: { trusted_proxies: ['127.0.0.0/8'] } };
const fromElsewhere = async () => ({ address: '203.0.113.7' });

/** An issuer that accepts requests and answers none; returns its URL. */
async function silentIssuer(): Promise<string> {
  const server = createServer(() => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stopLater(async () => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return `http://127.0.0.1:${port}/keys`;
}

describe('what a node keeps for others', () => {
  it(
    'B1 messages that are never finished fill no memory',
    () => withstand({ program: 'unfinished', config: trusting, prepare: fromElsewhere }),
    attackLimitMs,
  );
  it(
    'B1 messages that are never finished, after a hello, fill no memory',
    () =>
      withstand({
        program: 'unfinished',
        args: ['greeting'],
        config: trusting,
        prepare: fromElsewhere,
      }),
    attackLimitMs,
  );
  it(
    'B1 frames that come before an issuer of keys has answered fill no memory',
    async () => {
      const jwt = { jwks_url: await silentIssuer() };
      const gateway = { ...trusting.gateway, auth: { ...auth, jwt } };
      await withstand({ program: 'early', config: { gateway }, prepare: fromElsewhere });
    },
    attackLimitMs,
  );
  it(
    'B1 a session with 2,000 connections of old clients costs nobody else a turn',
    () => withstand({ program: 'old-style' }),
    attackLimitMs,
  );
});
