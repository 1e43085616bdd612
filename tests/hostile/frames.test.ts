import { describe, it } from '@jest/globals';
import { attackLimitMs, withstand } from './withstand.js';

describe('small frames without end', () => {
  it(
    'B1 pings as frames, without hello, cost nobody else a turn',
    () => withstand({ program: 'frames', args: ['json'] }),
    attackLimitMs,
  );
  it(
    'B1 pings as frames, after a hello, cost nobody else a turn',
    () => withstand({ program: 'frames', args: ['json', 'greeting'] }),
    attackLimitMs,
  );
  it(
    'B1 pings of the WebSocket cost nobody else a turn',
    () => withstand({ program: 'frames', args: ['ping'] }),
    attackLimitMs,
  );
  it(
    'B1 pings of the WebSocket, after a hello, cost nobody else a turn',
    () => withstand({ program: 'frames', args: ['ping', 'greeting'] }),
    attackLimitMs,
  );
  it(
    'B1 pings of the WebSocket by a client without credentials cost nobody a turn',
    () => withstand({ program: 'frames', args: ['ping', 'nobody'] }),
    attackLimitMs,
  );
  it(
    'B1 empty frames cost nobody else a turn',
    () => withstand({ program: 'frames', args: ['empty', 'greeting'] }),
    attackLimitMs,
  );
});
