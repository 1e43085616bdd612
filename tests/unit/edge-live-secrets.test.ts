import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { eventually } from '@sluice/testkit';
import { pino } from 'pino';
import { followSecrets } from '../../apps/gateway/src/edge/access/live-secrets.js';
import { secretOf } from '../support/edge/auth-made.js';
import { fileOf } from '../support/edge/config-loaded.js';

describe('a secret that is followed', () => {
  it('X3 is never replaced by a weak one where other machines can connect', async () => {
    const [first, second] = [randomBytes(16).toString('hex'), randomBytes(16).toString('hex')];
    const file = fileOf(first, 'token');
    const lines: string[] = [];
    const sink = new Writable({
      write: (line, _encoding, done) => {
        lines.push(String(line));
        done();
      },
    });
    const outside = { ...secretOf('token', first), file, mayBeWeak: false };
    const local = { ...secretOf('token', first), file };
    const live = followSecrets([outside, local], pino({ level: 'info' }, sink));

    writeFileSync(file, 'changemechangeme');
    await eventually(() => expect(live.valuesOf(local)).toEqual(['changemechangeme']));
    expect(live.valuesOf(outside)).toEqual([first]);
    const told = lines.filter((line) => line.includes('could not be read anew'));
    expect(told).toEqual([expect.stringMatching(/repeats one short text; make one with: openssl/)]);
    expect(lines.join()).not.toContain('changeme');

    const { version } = live;
    writeFileSync(file, `${second}\n`);
    await eventually(() => expect(live.valuesOf(outside)).toEqual([second]));
    expect(live.version).toBeGreaterThan(version);
    live.stop();
  });
});
