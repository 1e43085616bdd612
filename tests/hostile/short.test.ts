import { describe, it } from '@jest/globals';
import { attackLimitMs, withstand } from './withstand.js';

describe('a short run of the attacks', () => {
  it(
    'B1 pings of the WebSocket, a moment long',
    () => withstand({ program: 'frames', args: ['ping', 'greeting'] }),
    attackLimitMs,
  );
});
