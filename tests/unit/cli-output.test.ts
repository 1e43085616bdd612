import { describe, expect, it } from '@jest/globals';
import { ageOf, factsOf, linesOf, Table } from '@sluice/cli';

describe('ages', () => {
  it.each([
    [0, '0s'],
    [119, '119s'],
    [120, '2m'],
    [7_199, '119m'],
    [7_200, '2h'],
    [172_799, '47h'],
    [172_800, '2d'],
    [-5, '0s'],
  ])('%d s ago is %s', (seconds, text) => {
    expect(ageOf(1_000_000 - seconds, 1_000_000_000)).toBe(text);
  });
});

describe('a table', () => {
  const columns = [
    { title: 'ID', cell: (row: string[]) => row[0] ?? '', whole: true },
    { title: 'REASON', cell: (row: string[]) => row[1] ?? '' },
  ];

  it('aligns columns page by page, cuts long cells but no ids, and prints its titles once', () => {
    const table = new Table(columns);
    const long = 'i'.repeat(40);
    expect(
      table.lines([
        ['a', 'because'],
        [long, 'r'.repeat(30)],
      ]),
    ).toEqual([
      `${'ID'.padEnd(40)}  REASON`,
      `${'a'.padEnd(40)}  because`,
      `${long}  ${'r'.repeat(21)}...`,
    ]);
    expect(table.lines([['b', '']])).toEqual([`${'b'.padEnd(40)}  -`]);
  });

  it('X6 lets nothing in a cell steer the terminal or begin a line', () => {
    const [, line] = new Table(columns).lines([['a\u001b[2J', 'x\ny\tz\u009b']]);
    expect(line).toBe('a[2J  x y z');
  });
});

describe('why a session stands still', () => {
  const nowMs = 100_000;
  const work = {
    ...{ principal: 'alice', lease_left_ms: 2_000, oldest_message_id: 'm1' },
    ...{ oldest_accepted_at: 40, hand_overs: 0, abort: null, rung: false },
  };
  const session = {
    ...{ session_id: 's', agent_id: 'a', is_executing: false, holder: null, fence: 7, attempt: 0 },
    ...{ pending_message_ids: ['x'], messages: [], event_cursor: 1, epoch: 'e', work },
  };
  const stateOf = (more: object, workers: number | undefined = 1) =>
    linesOf(factsOf({ ...session, ...more }), { workers, nowMs })
      .find((line) => line.startsWith('state'))
      ?.slice(11);

  it.each([
    [{ is_executing: true, holder: 'n' }, 1, 'executing'],
    [
      { is_executing: true, holder: 'n', work: { ...work, abort: 'user' } },
      1,
      'executing, and told to stop (user)',
    ],
    [{ pending_message_ids: [] }, 1, 'idle'],
    [{ pending_message_ids: [], holder: 'n' }, 1, 'idle, its holder waits for the next message'],
    [{}, 0, 'pending: no live worker has the agent a'],
    [{}, 1, 'pending: for 60s no worker has taken it; see sluice nodes'],
    [
      { work: { ...work, rung: true } },
      undefined,
      'pending: for 60s no worker has taken it, rung for; see sluice nodes',
    ],
    [{ holder: 'n' }, 1, 'pending: its holder is about to begin the next turn'],
    [
      { paused: true },
      1,
      'pending; paused, or its agent is: sluice sessions resume, sluice agents list',
    ],
  ])('T7 %j with %p workers', (more, workers, state) => {
    expect(stateOf(more, workers)).toBe(state);
  });

  it('shows how the last turn ended, and hand-overs', () => {
    const messages = [
      { role: 'user', content: 'x', message_id: 'm0', timestamp: 10 },
      {
        ...{ role: 'assistant', content: '', message_id: 'm0', timestamp: 30 },
        outcome: { status: 'error', reason: 'reply_too_large' },
      },
    ];
    const more = { messages, attempt: 2, work: { ...work, hand_overs: 1 } };
    const lines = linesOf(factsOf({ ...session, ...more }), { workers: 1, nowMs });
    expect(lines).toContain('last turn  error (reply_too_large), 70s ago');
    expect(lines).toContain('attempt    2, 1 aborted by hand-overs');
  });
});
