import { describe, it } from '@jest/globals';
import { attackSeconds, withstand } from './withstand.js';

const limitMs = (attackSeconds + 90) * 1_000;

describe('small frames without end', () => {
  it(
    'B1 pings as frames, without hello, cost nobody else a turn',
    () => withstand({ program: 'frames', args: ['json'] }),
    limitMs,
  );
});
