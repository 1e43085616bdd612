import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, type TestRedis } from '@sluice/testkit';

/** The rig runs in the repository. */
const documentFile = join(process.cwd(), 'docs', 'operate', 'operations.md');
const heading = '## Keys that remain';
/** `session.resume_window` of 5 s, the sweep, and the slack that the promise allows. */
const goneMs = 15_000;

/** The names in the table of docs/operate/operations.md as patterns; `<...>` stands for a part of a name. */
export function documentedKeys(
  prefix: string,
  text = readFileSync(documentFile, 'utf8'),
): RegExp[] {
  const section = text.split(heading)[1]?.split('\n## ')[0] ?? '';
  const names = [...section.matchAll(/^\| `([^`]+)`/gm)].map(([, name = '']) => name);
  if (names.length === 0) throw new Error(`no table under "${heading}"`);
  return names.map((name) => {
    const parts = name.replace(/^(\{?)sluice/, `$1${prefix}`).split(/<[^>]+>/);
    const quoted = parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${quoted.join('[^:{}]+')}$`);
  });
}

/** Keys that are still there 15 s after the last connection and that no table names. */
export async function leftoverKeys(
  redis: TestRedis,
  prefix: string,
  isExcused: (key: string) => boolean = () => false,
): Promise<string[]> {
  const documented = documentedKeys(prefix);
  const client = redis.client();
  const read = async () => {
    const keys = (await client.keys('*')).filter((key) => !isExcused(key));
    return keys.filter((key) => !documented.some((pattern) => pattern.test(key))).sort();
  };
  await eventually(async () => (await read()).length === 0, goneMs).catch(() => undefined);
  const left = await read();
  return Promise.all(
    left.map(
      async (key) => `${key} (${await client.type(key)}, expires ${await client.pttl(key)})`,
    ),
  );
}
