/** Folders that a newcomer finds their way in: few files each, and imports that go one way. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';

const ROOM_FILES_MAX = 15;
/** Smaller folders need no sign at their door. */
const SIGN_FROM_FILES = 4;

const asked = execFileSync(process.execPath, ['scripts/rooms.mjs', '--json'], { encoding: 'utf8' });
const { rooms, circles } = z
  .object({
    rooms: z.array(z.object({ room: z.string(), files: z.number() })),
    circles: z.array(z.string()),
  })
  .parse(JSON.parse(asked));

describe('rooms', () => {
  it('have at most 15 files', () => {
    expect(rooms.length).toBeGreaterThan(40);
    expect(rooms.filter(({ files }) => files > ROOM_FILES_MAX)).toEqual([]);
  });

  it('import one way: no circle of files or of rooms, types included', () => {
    expect(circles).toEqual([]);
  });

  it('of HTTP and of WebSockets know nothing of each other', () => {
    const grep = (where: string, what: string) =>
      spawnSync('grep', ['-rlE', what, `apps/gateway/src/edge/${where}`], { encoding: 'utf8' });
    expect(grep('http', "from '(\\.\\./)+socket/").stdout).toBe('');
    expect(grep('socket', "from '(\\.\\./)+http/").stdout).toBe('');
    expect(grep('http', "from '(\\.\\./)+session/").stdout).not.toBe('');
  });

  it('say at the door what lives there', () => {
    const doors = rooms
      .filter(({ room, files }) => files >= SIGN_FROM_FILES && /^apps\/gateway|store/.test(room))
      .map(({ room }) => ({
        room,
        door: ['index.ts', `${basename(room)}.ts`].map((name) => join(room, name)),
      }));
    const unsigned = doors.filter(({ door }) => {
      const file = door.find((it) => existsSync(it));
      return !file || !/^(import [^;]*;\n|\s)*\/\*\*/.test(readFileSync(file, 'utf8'));
    });
    expect(unsigned.map(({ room }) => room)).toEqual([]);
  });

  it('are drawn in docs/internals/rooms.md as they are', () => {
    const { stderr, status } = spawnSync(process.execPath, ['scripts/rooms.mjs', '--check'], {
      encoding: 'utf8',
    });
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  });
});
