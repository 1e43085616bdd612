import { baseDirOf, loadConfig, makeLog, startGateway } from '@sluice/gateway';

export type StartOptions = {
  readonly config?: string;
  readonly agent?: string;
  readonly flags: Readonly<Record<string, string>>;
};

/** Runs one node in the foreground; resolves with the exit status after its drain. */
export async function start({ config: file, agent, flags }: StartOptions): Promise<number> {
  const inputs = { file, agent, flags, env: process.env, cwd: process.cwd() };
  const config = loadConfig(inputs);
  const log = makeLog(config.log, { node_id: config.gateway.nodeId });
  for (const warning of config.warnings) log.warn({ warning }, 'configuration');
  return await startGateway(config, { baseDir: baseDirOf(inputs) });
}
