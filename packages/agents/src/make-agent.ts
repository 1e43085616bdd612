import {
  exitStatus,
  type OnSecretFault,
  type Secret,
  StartError,
  secretFromFile,
  unreachable,
} from '@sluice/runtime';
import { makeCommand } from './command/command.js';
import type { ProcessEvent } from './command/command-turns.js';
import { makeModule } from './command/module.js';
import { makeEcho } from './echo.js';
import { makeHttp } from './http/http.js';
import type { AgentConfig, HttpConfig, OpenAiConfig } from './port/config.js';
import type { Agent } from './port/port.js';
import { screened } from './port/screened.js';

export type MakeAgentOptions = {
  /** Directory of the configuration: relative paths of modules and secret files start here. */
  readonly baseDir: string;
  /** `gateway.max_reply`; default 1 MiB. */
  readonly maxReplyBytes?: number;
  /** Where `OPENAI_API_KEY` is looked up; default: the environment of the process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Called when the file of a secret cannot be read any more; its last value stays in use. */
  readonly onSecretFault?: OnSecretFault;
  /** Called when a process of the agent has ended, or wrote a line that names no turn. */
  readonly onProcess?: (event: ProcessEvent) => void;
};

/** Makes the agent `agents.<name>`; a StartError (status 78) says which key cannot work. */
export async function makeAgent(
  name: string,
  config: AgentConfig,
  options: MakeAgentOptions,
): Promise<Agent> {
  const { maxReplyBytes = 2 ** 20 } = options;
  const agent = await makeKind(name, config, { ...options, maxReplyBytes });
  return screened(agent, { maxReplyBytes });
}

type KindOptions = MakeAgentOptions & { readonly maxReplyBytes: number };

async function makeKind(name: string, config: AgentConfig, options: KindOptions): Promise<Agent> {
  const { baseDir, maxReplyBytes, onProcess: onEvent = () => {} } = options;
  const ofProcess = { baseDir, maxReplyBytes, onEvent };
  switch (config.kind) {
    case 'echo':
      return makeEcho(config);
    case 'openai': {
      const key = apiKey(name, config, options);
      // Loading its library takes a tenth of a start: only nodes with such an agent pay for it.
      const { makeOpenAi } = await import('./openai/openai.js');
      return makeOpenAi(config, { apiKey: key, maxReplyBytes });
    }
    case 'http': {
      const secret = signingSecret(name, config, options);
      return makeHttp(config, secret ? { maxReplyBytes, secret } : { maxReplyBytes });
    }
    case 'module':
      return makeModule(config, { ...ofProcess, key: `agents.${name}.path` });
    case 'command':
      return makeCommand(config, { ...ofProcess, key: `agents.${name}.command` });
    default:
      return unreachable(config);
  }
}

function apiKey(name: string, config: OpenAiConfig, options: KindOptions): Secret {
  const { env = process.env } = options;
  if (config.apiKeyFile !== undefined) {
    return followed(config.apiKeyFile, `agents.${name}.api_key_file`, options);
  }
  const key = config.apiKey || env.OPENAI_API_KEY;
  if (key) return () => key;
  throw new StartError(
    `agents.${name}.api_key is missing: set it, or agents.${name}.api_key_file, or the ` +
      'environment variable OPENAI_API_KEY (any text for an endpoint that asks for no key)',
    exitStatus.config,
  );
}

function signingSecret(name: string, config: HttpConfig, options: KindOptions): Secret | undefined {
  const { secret, secretFile } = config;
  if (secretFile !== undefined) {
    return followed(secretFile, `agents.${name}.secret_file`, options);
  }
  return secret === undefined ? undefined : () => secret;
}

function followed(file: string, key: string, { baseDir, onSecretFault }: KindOptions): Secret {
  return secretFromFile({ file, baseDir, key, ...(onSecretFault && { onFault: onSecretFault }) });
}
