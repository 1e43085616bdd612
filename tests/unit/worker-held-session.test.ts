import { describe, expect, it } from '@jest/globals';
import { decodeWake, type HeadReply } from '@sluice/store';
import { HeldHistory, makeHistoryRoom } from '../../apps/gateway/dist/worker/held/held-history.js';
import { HeldSession } from '../../apps/gateway/dist/worker/held/held-session.js';

const head = (turnId: string): HeadReply => ({
  ...{ fence: 7, turnId, attempt: 2, abort: '', agent: 'echo', principal: 'alice' },
  ...{ sessionId: 's', pauseMs: 5, isTakenOver: true, isAlone: false, isCut: true },
  ...{ firstAtMs: 1, lastTurn: `before-${turnId}`, entries: ['m1 1 0 enqueue {"c":"x"}'] },
});
const limits = { maxMessages: 10, maxLogBytes: 1_000 };
const reply = { role: 'assistant', content: '', message_id: 'm1', timestamp: 1 } as const;
const wakeOf = (follows: string, turnId: string) => {
  const wake = decodeWake(`begun id ${follows} ${turnId} 1700\nm2 1700 0 enqueue {"c":"a b\\nc"}`);
  if (!wake) throw new Error('no wake');
  return wake;
};

/** A holder that has committed these turns. */
function holder(keeper: { isTrusted: boolean }, ...turns: string[]): HeldSession {
  const held = new HeldSession(
    { id: 'id', token: 't', fence: 7 },
    { lost: new AbortController().signal, ...keeper } as never,
    {
      whose: head('t0'),
      history: new HeldHistory(limits, makeHistoryRoom(1_000)),
      maxAgeMs: 1_000,
    },
  );
  for (const turn of turns) held.committed(head(turn), reply);
  return held;
}

describe('a wake that brings a turn', () => {
  it('T7 is run as the first attempt of its message, by the holder that committed the turn before', () => {
    const held = holder({ isTrusted: true }, 't1');
    held.wake(wakeOf('t1', 't2'));
    expect(held.takeWake()).toEqual({
      ...head('t2'),
      ...{
        attempt: 1,
        pauseMs: Number.NaN,
        isTakenOver: false,
        isCut: false,
        firstAtMs: 1_700,
        lastTurn: 't1',
      },
      entries: ['m2 1700 0 enqueue {"c":"a b\\nc"}'],
    });
    expect(held.takeWake()).toBeUndefined();
  });

  it('T7 is not run again when it comes late or twice: Redis is asked', () => {
    const held = holder({ isTrusted: true }, 't1', 't2', 't3');
    for (const late of [wakeOf('t1', 't2'), wakeOf('t2', 't3')]) {
      held.wake(late);
      expect(held.isWoken).toBe(true);
      expect(held.takeWake()).toBeUndefined();
    }
  });

  it('L4 is not run by a holder whose time is over, though its timers have not fired yet', () => {
    const held = holder({ isTrusted: false }, 't1');
    held.wake(wakeOf('t1', 't2'));
    expect(held.takeWake()).toBeUndefined();
  });

  it('T7 ends the linger, and so does a plain one', () => {
    const held = holder({ isTrusted: true }, 't1');
    const ends: string[] = [];
    held.endLinger = (why) => ends.push(why);
    held.wake(wakeOf('t1', 't2'));
    held.wake({ kind: 'plain', id: 'id' });
    expect(ends).toEqual(['wake', 'wake']);
    expect(held.takeWake()).toBeUndefined();
  });
});
