import { startRedis } from '@sluice/testkit';

export type BenchRedis = {
  readonly url: string;
  readonly pid: number;
  /** Calls since the last `resetCalls`, by command, including the calls that scripts make. */
  calls(): Promise<Map<string, number>>;
  resetCalls(): Promise<void>;
  usedBytes(): Promise<number>;
  keys(): Promise<number>;
  version: string;
  stop(): Promise<void>;
};

/** Commands of the measurement itself: not counted. */
const own = new Set(['info', 'dbsize', 'config|resetstat', 'client|setinfo']);

/** An empty Redis on this machine that writes no file; `AOF=yes` turns the append-only file on. */
export async function startBenchRedis(): Promise<BenchRedis> {
  const server = process.env.SLUICE_REDIS_SERVER ?? 'redis-server';
  const aof = process.env.AOF === 'yes' ? ['--appendfsync', 'everysec'] : ['--appendonly', 'no'];
  const redis = await startRedis({ server, args: aof });
  const client = redis.client();
  const numberOf = async (section: string, name: string) => {
    const value = new RegExp(`${name}:(\\d+)`).exec(await client.info(section))?.[1];
    if (value === undefined) throw new Error(`Redis tells no ${name}`);
    return Number(value);
  };
  return {
    url: redis.url,
    pid: await numberOf('server', 'process_id'),
    version: /redis_version:(\S+)/.exec(await client.info('server'))?.[1] ?? '',
    calls: async () => {
      const lines = (await client.info('commandstats')).matchAll(/cmdstat_(\S+):calls=(\d+)/g);
      const all = [...lines].map(([, name = '', calls]): [string, number] => [name, Number(calls)]);
      return new Map(all.filter(([name]) => !own.has(name)));
    },
    resetCalls: async () => void (await client.config('RESETSTAT')),
    usedBytes: () => numberOf('memory', 'used_memory'),
    keys: () => client.dbsize(),
    stop: () => redis.stop(),
  };
}
