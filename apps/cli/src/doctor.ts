import { baseDirOf, type Config, ConfigError, loadConfig } from '@sluice/gateway';
import { exitStatus } from '@sluice/runtime';
import { checkAgents } from './doctor/agents.js';
import { checkNativeLibrary } from './doctor/native.js';
import { checkPort } from './doctor/node.js';
import { checkQuorum } from './doctor/quorum.js';
import { checkRedis } from './doctor/redis.js';
import { type Finding, lineOf } from './doctor/report.js';

export type DoctorOptions = {
  readonly config?: string;
  readonly agent?: string;
  readonly json?: boolean;
  readonly flags: Readonly<Record<string, string>>;
};

/** Checks everything that `sluice start` needs; returns 0 when nothing failed, else 78. */
export async function doctor({ config: file, agent, json, flags }: DoctorOptions): Promise<number> {
  const inputs = { file, agent, flags, env: process.env, cwd: process.cwd() };
  const findings: Finding[] = [];
  const report = (found: readonly Finding[]) => {
    findings.push(...found);
    if (!json) for (const finding of found) console.log(lineOf(finding));
  };
  report(checkNativeLibrary());
  const { config, found } = checkConfig(inputs);
  report(found);
  if (config) {
    report(await checkRedis(config.redis));
    report(await checkQuorum(config));
    report(await checkAgents(config, baseDirOf(inputs)));
    const { host, port, adminPort } = config.gateway;
    report(await checkPort({ host, port }));
    if (adminPort !== null) report(await checkPort({ host, port: adminPort }));
  }
  if (json) console.log(JSON.stringify({ findings }, null, 2));
  return findings.some(({ status }) => status === 'FAIL') ? exitStatus.config : exitStatus.ok;
}

type CheckedConfig = { readonly config?: Config; readonly found: readonly Finding[] };

function checkConfig(inputs: Parameters<typeof loadConfig>[0]): CheckedConfig {
  try {
    const config = loadConfig(inputs);
    const warned = config.warnings.map(
      (what): Finding => ({ status: 'warn', check: 'configuration', what }),
    );
    const what = `configuration: ${inputs.file ?? 'defaults, flags and environment'}`;
    return { config, found: [{ status: 'ok', check: 'configuration', what }, ...warned] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const found = error.faults.map((fault): Finding => {
      const [what = '', ...remedy] = fault.split('; ');
      return { status: 'FAIL', check: 'configuration', what, remedy: remedy.join('; ') };
    });
    const rest = 'Redis, agents and port are checked once the configuration is right';
    return { found: [...found, { status: 'warn', check: 'configuration', what: rest }] };
  }
}
