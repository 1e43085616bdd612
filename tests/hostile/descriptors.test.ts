import { describe, expect, it } from '@jest/globals';
import { eventually, FrameClient } from '@sluice/testkit';
import { attackLimitMs, type Target, tokens, withstand } from './withstand.js';

const openFiles = 400;
/** A separate port for `/live`: the port of clients has no descriptors left. */
const config = { gateway: { admin_port: 0 } };
const FULL = 'no more connections for now: the open files are at their limit';

/** Exactly one line was logged, and new connections are accepted again. */
async function takesConnectionsAgain({ node }: Target): Promise<void> {
  expect(node.logs.filter(({ msg }) => msg === FULL)).toHaveLength(1);
  await eventually(async () => {
    const client = await FrameClient.connect(node.wsUrl, { token: tokens.bystander });
    await client.hello();
    client.cut();
    return true;
  }, 10_000);
}

describe('every descriptor used up', () => {
  it(
    'B1 by connections that say nothing: sockets go on, one line tells, and room comes back',
    () =>
      withstand({ program: 'descriptors', config, openFiles, afterwards: takesConnectionsAgain }),
    attackLimitMs,
  );
  it(
    'B1 by WebSockets: sockets go on, one line tells, and room comes back',
    () =>
      withstand({
        program: 'descriptors',
        args: ['sockets'],
        config,
        openFiles,
        afterwards: takesConnectionsAgain,
      }),
    attackLimitMs,
  );
});
