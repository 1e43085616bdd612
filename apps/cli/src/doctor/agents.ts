import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { resolve } from 'node:path';
import { type AgentConfig, makeAgent } from '@sluice/agents';
import type { Config } from '@sluice/gateway';
import { unreachable, within } from '@sluice/runtime';
import type { Finding } from './report.js';

const MADE_MS = 10_000;
const CONNECTED_MS = 2_000;
/** A program that runs for this long without a turn counts as waiting for one. */
const LIVES_MS = 1_000;
const OPENAI_URL = 'https://api.openai.com/v1';

type Checked = Pick<Config, 'agents'> & {
  readonly gateway: Pick<Config['gateway'], 'maxReplyBytes'>;
};
type Fault = { readonly what: string; readonly remedy: string };
type Named = { readonly name: string; readonly baseDir: string };

/** Makes each agent as a node would, all at once, and checks whether it could do turns. */
export function checkAgents({ agents, gateway }: Checked, baseDir: string): Promise<Finding[]> {
  const { maxReplyBytes } = gateway;
  const checkOne = async ([name, agent]: [string, AgentConfig]): Promise<Finding> => {
    const fault =
      (await faultOfMaking(name, agent, { baseDir, maxReplyBytes })) ??
      (await faultOfAsking(agent, { name, baseDir }));
    const check = 'agents';
    if (fault === undefined) return { status: 'ok', check, what: `agent ${name} (${agent.kind})` };
    const { what, remedy } = fault;
    return { status: 'FAIL', check, what: `agent ${name}: ${what}`, remedy };
  };
  return Promise.all(Object.entries(agents).map(checkOne));
}

async function faultOfMaking(
  name: string,
  agent: AgentConfig,
  options: { baseDir: string; maxReplyBytes: number },
): Promise<Fault | undefined> {
  try {
    const made = await within(makeAgent(name, agent, options), MADE_MS);
    if (!made) throw new Error(`not made within ${MADE_MS / 1_000} s: look at what it waits for`);
    await within(made.close?.() ?? Promise.resolve(), MADE_MS);
    return undefined;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const [what = '', ...remedy] = why.split(': ');
    return { what, remedy: remedy.join(': ') };
  }
}

/** Checks without running a turn, which may cost money or have effects. */
async function faultOfAsking(agent: AgentConfig, named: Named): Promise<Fault | undefined> {
  switch (agent.kind) {
    case 'echo':
    case 'module':
      return undefined;
    case 'http':
      return faultOfUrl(agent.url, `agents.${named.name}.url`);
    case 'openai':
      return faultOfUrl(agent.baseUrl ?? OPENAI_URL, `agents.${named.name}.base_url`);
    case 'command':
      return faultOfProgram(agent, named);
    default:
      return unreachable(agent);
  }
}

async function faultOfUrl(url: string, key: string): Promise<Fault | undefined> {
  const { protocol, hostname, port, host } = new URL(url);
  const socket = connect({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port) || (protocol === 'https:' ? 443 : 80),
  });
  try {
    if (await within(once(socket, 'connect'), CONNECTED_MS)) return undefined;
    const what = `nobody answers at ${host} within ${CONNECTED_MS / 1_000} s`;
    return { what, remedy: `start the server there, or correct ${key}` };
  } catch (error) {
    const what = `nobody listens at ${host} (${String(Object(error).code ?? error)})`;
    return { what, remedy: `start the server there, or correct ${key}` };
  } finally {
    socket.on('error', () => undefined);
    socket.destroy();
  }
}

/** Starts the program as a node does, and gives it no turn. */
async function faultOfProgram(
  { command: [program = '', ...args], cwd = '.' }: AgentConfig & { kind: 'command' },
  { name, baseDir }: Named,
): Promise<Fault | undefined> {
  const child = spawn(program, args, { cwd: resolve(baseDir, cwd), detached: true });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said = `${said}${chunk}`.slice(-1_000);
  });
  child.stdout.resume();
  child.stdin.on('error', () => undefined);
  const closed = once(child, 'close').catch((error) => [Object(error).code, null]);
  const ended = await within(closed, LIVES_MS);
  if (ended === undefined) {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has just ended.
    }
    return undefined;
  }
  const [code, signal] = ended;
  const last = said.trimEnd().split('\n').at(-1) ?? '';
  const why = signal ? `by ${signal}` : `with status ${code}`;
  return {
    what: `its program ended at once ${why}${last === '' ? '' : `, saying "${last}"`}`,
    remedy: `agents.${name}.command must read lines from its input until that ends`,
  };
}
