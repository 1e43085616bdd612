import { describe, expect, it } from '@jest/globals';
import { makeKeys, sessionKeyId } from '@sluice/store';
import { attackLimitMs, type Target, tokens, withstand } from './withstand.js';

const MESSAGES = 18;
const CONTENT_BYTES = 100_000;
/** Lets the attack claim another address: requests from the machine itself are not limited. */
const trusting = { gateway: { trusted_proxies: ['127.0.0.0/8'] } };

/** Makes a session of 3.6 MB of the hostile principal. */
async function fill({ node }: Target): Promise<Record<string, unknown>> {
  const headers = { authorization: `Bearer ${tokens.hostile}`, 'content-type': 'application/json' };
  for (let i = 0; i < MESSAGES; i += 1) {
    const content = 'x'.repeat(CONTENT_BYTES);
    const answer = await fetch(`${node.url}/v1/sessions/large/messages?wait=30`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ content, message_id: `m${i}`, agent_id: 'echo' }),
    });
    expect(answer.status).toBe(200);
    await answer.text();
  }
  return {};
}

async function fillAndTrim(target: Target): Promise<Record<string, unknown>> {
  await fill(target);
  const { events } = makeKeys('sluice', 64).session(sessionKeyId('hostile', 'large'));
  await target.redis.client().xtrim(events, 'MAXLEN', 0);
  return {};
}

describe('reads without end', () => {
  it(
    'X5 of a large session over HTTP cost nobody else a turn',
    () => withstand({ program: 'reads', args: ['session'], prepare: fill }),
    attackLimitMs,
  );
  it(
    'X5 of snapshots cost nobody else a turn',
    () => withstand({ program: 'reads', args: ['snapshot'], prepare: fill }),
    attackLimitMs,
  );
  it(
    'X5 of the whole log, hello after hello, cost nobody else a turn',
    () => withstand({ program: 'reads', args: ['hello'], prepare: fill }),
    attackLimitMs,
  );
  it(
    'X5 repeats of a message that the log has lost cost nobody else a turn',
    () => withstand({ program: 'reads', args: ['repeats'], prepare: fillAndTrim }),
    attackLimitMs,
  );
  it(
    'X5 listings by state cost nobody else a turn',
    () => withstand({ program: 'reads', args: ['state'] }),
    attackLimitMs,
  );
  it(
    'X5 guesses of tokens over HTTP cost nobody a turn',
    () => withstand({ program: 'reads', args: ['guesses'], config: trusting }),
    attackLimitMs,
  );
});
