import { describe, it } from '@jest/globals';
import { FrameClient } from '@sluice/testkit';
import { attackLimitMs, type Target, tokens, withstand } from './withstand.js';

const WORDS = 'what nobody reads '.repeat(50_000);

/** Makes a session of the hostile principal whose state has some megabytes. */
async function longSession({ node }: Target): Promise<Record<string, never>> {
  const client = await FrameClient.connect(node.wsUrl, { token: tokens.hostile });
  await client.hello({ session_id: 'long' });
  for (let at = 0; at < 3; at += 1) await client.final(client.message(WORDS));
  client.cut();
  return {};
}

describe('answers that nobody reads', () => {
  it(
    'B1 of the description of the API, without credentials, fill no memory',
    () => withstand({ program: 'unread', args: ['/openapi.json', '1', 'nobody'] }),
    attackLimitMs,
  );
  it(
    'B1 of a long session fill no memory',
    () =>
      withstand({ program: 'unread', args: ['/v1/sessions/long', '300'], prepare: longSession }),
    attackLimitMs,
  );
});
