import { type StartRedisOptions, startRedis, type TestRedis } from '@sluice/testkit';

/** Independent masters for Redlocks, each a server of its own. They keep nothing on disk: a restart empties them. */
export async function startMembers(
  count: number,
  options: StartRedisOptions = {},
): Promise<TestRedis[]> {
  const args = ['--appendonly', 'no', '--appendfsync', 'no', ...(options.args ?? [])];
  return Promise.all(Array.from({ length: count }, () => startRedis({ ...options, args })));
}

export const urlsOf = (members: readonly { readonly url: string }[]) =>
  members.map(({ url }) => url);
