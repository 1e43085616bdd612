// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what the file may hold
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '@sluice/gateway';
import {
  directory,
  faultsOf,
  fileOf,
  load,
  loadYaml,
  REDIS_URL,
} from '../support/edge/config-loaded.js';

describe('sources of the configuration', () => {
  it('are flag, environment, file, default, in this order', () => {
    const file = 'gateway: {port: 1, drain_timeout: 1, max_queued_frames: 1}';
    const env = { SLUICE_GATEWAY__PORT: '2', SLUICE_GATEWAY__DRAIN_TIMEOUT: '2' };
    const { gateway } = loadYaml(file, { env, flags: { 'gateway.port': '3' } });
    expect(gateway.port).toBe(3);
    expect(gateway.drainTimeoutMs).toBe(2_000);
    expect(gateway.maxQueuedFrames).toBe(1);
    expect(gateway.heartbeatIntervalMs).toBe(30_000);
  });

  it('name the flag or the variable of a fault', () => {
    const run = () => load({ flags: { 'log.level': 'x' }, env: { SLUICE_GATEWAY__PORT: 'x' } });
    expect(faultsOf(run)).toEqual([
      expect.stringMatching(/^gateway\.port: .* \(from SLUICE_GATEWAY__PORT\)$/),
      expect.stringMatching(/^log\.level: .* \(from --log\.level\)$/),
    ]);
  });

  it('leave alone what is no key, and count an empty variable as absent', () => {
    const env = {
      SLUICE_URL: 'x',
      SLUICE_TOKEN: 'x',
      SLUICE_INSTALL: '0',
      SLUICE_FAILPOINT: 'x',
      SLUICE_PORT: 'tcp://10.0.0.1:8765',
      SLUICE_GATEWAY__PORT: '',
    };
    expect(load({ env }).gateway.port).toBe(8765);
  });

  it('reach settings of agents, numbers and answers included', () => {
    const env = { SLUICE_AGENTS__ECHO__DELAY_MS: '50', SLUICE_AGENTS__ECHO__STREAM: 'false' };
    const { agents } = loadYaml('agents: {echo: {kind: echo}}', { env });
    expect(agents.echo).toMatchObject({ kind: 'echo', delayMs: 50, stream: false });
  });

  it('report a file that is absent, no YAML or no mapping', () => {
    const file = join(tmpdir(), 'sluice-absent.yaml');
    const absent = `cannot read ${file} (ENOENT); there is no such file: make it, or correct the path`;
    expect(faultsOf(() => load({ file }))).toEqual([absent]);
    expect(faultsOf(() => load({ file: tmpdir() }))).toEqual([
      expect.stringMatching(/\(EISDIR\); it is a directory/),
    ]);
    expect(faultsOf(() => loadYaml('a: [1'))).toEqual([expect.stringContaining('line 1')]);
    expect(faultsOf(() => loadYaml('log: {}\n---\nlog: {}'))[0]).toMatch(/several documents/);
    expect(faultsOf(() => loadYaml('- 1'))).toEqual([expect.stringContaining('mapping')]);
    expect(faultsOf(() => loadYaml(''))).toEqual([]);
    expect(faultsOf(() => loadYaml('gateway:\n  port:\n'))).toEqual([]);
  });

  it('report nothing as missing that may be in a file that was not understood', () => {
    const run = () => load({ file: fileOf('redis: {url: "redis://h}'), env: { REDIS_URL: '' } });
    expect(faultsOf(run).join()).toContain('line 1');
    expect(faultsOf(run).join()).not.toContain('redis.url');
  });

  it('ask for quotes around a name that YAML reads as a number', () => {
    expect(faultsOf(() => loadYaml('gateway: {node_id: 007}'))).toEqual([
      expect.stringMatching(/^gateway\.node_id: 7 is not allowed; .*, in quotes$/),
    ]);
  });

  it('cannot reach prototypes', () => {
    const flags = { '__proto__.polluted': '1', 'gateway.__proto__.polluted': '1' };
    expect(faultsOf(() => load({ flags }))).toHaveLength(2);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});

describe('replacements in the file', () => {
  const origins = (value: string, env: NodeJS.ProcessEnv = {}) =>
    loadYaml(`gateway: {allowed_origins: ["${value}"]}`, { env }).gateway.allowedOrigins;

  it('take the environment, a default or a file', () => {
    const secret = fileOf('https://from.file\n', 'secret');
    expect(origins('https://${HOST}', { HOST: 'a.b' })).toEqual(['https://a.b']);
    expect(origins('${NOT_SET:-https://a.b}')).toEqual(['https://a.b']);
    expect(origins('${EMPTY:-https://a.b}', { EMPTY: '' })).toEqual(['https://a.b']);
    expect(origins(`\${file:${secret}}`)).toEqual(['https://from.file']);
    const { gateway } = loadYaml('gateway: {port: "${PORT}"}', { env: { PORT: '9000' } });
    expect(gateway.port).toBe(9000);
  });

  it('keep an escaped one', () => {
    const { agents } = loadYaml('agents: {a: {model: m, instructions: "use $${x}"}}');
    expect(agents.a).toMatchObject({ instructions: 'use ${x}' });
  });

  it('that lack their quotes within braces are one fault, which says so', () => {
    const of = (yaml: string) => faultsOf(() => loadYaml(yaml));
    const file =
      'gateway: {auth: {tokens: [{token: ${TOKEN}, principal: a}]}}\nredis: {url: ${R}}\n';
    expect(of(`${file}${'lease: {ttl: 5s}\n'.repeat(20)}`)).toEqual([
      expect.stringMatching(/: line 1: \$\{TOKEN\} needs quotes .*; write "\$\{TOKEN\}"$/),
    ]);
    expect(of('log: {level: info}\nredis: {prefix: [${A:-b}]}')).toEqual([
      expect.stringMatching(/: line 2: \$\{A:-b\} needs quotes/),
    ]);
    expect(of('a: {b: c}}\nd: e')).toHaveLength(1);
    expect(of('log: {level: info}\nlog: {}\nlease: {}\nlease: {}')).toHaveLength(2);
  });

  it('that cannot be made are faults that name the key', () => {
    // One fault each: a value that could not be replaced is not reported as missing too.
    const isOnly = (yaml: string, fault: RegExp) =>
      expect(faultsOf(() => loadYaml(yaml))).toEqual([expect.stringMatching(fault)]);
    isOnly(
      'gateway: {auth: {tokens: [{token: "${NOT_SET}", principal: a}]}}',
      /^gateway\.auth\.tokens\[0\]\.token: the environment variable NOT_SET is not set/,
    );
    isOnly('redis: {prefix: "${file:./absent}"}', /^redis\.prefix: cannot read \.\/absent/);
    isOnly('redis: {prefix: "${a b}"}', /^redis\.prefix: .*is not understood/);
    isOnly('redis: {url_file: ./absent}', /^redis\.url_file: cannot read \.\/absent/);
  });

  it('read token_file and url_file, relative to the file', () => {
    const file = fileOf(
      'gateway: {auth: {tokens: [{token_file: ./ops, principal: ops}]}}\nredis: {url_file: ./url}',
    );
    writeFileSync(join(dirname(file), 'ops'), 'from-a-file\n');
    writeFileSync(join(dirname(file), 'url'), 'redis://from-a-file\n');
    const config = load({ file });
    expect(config.gateway.auth?.tokens[0]?.secret.values).toEqual(['from-a-file']);
    expect(config.redis.url).toBe('redis://from-a-file');
    expect(config.redis.urlFile).toBe(join(dirname(file), 'url'));
    const both = 'gateway: {auth: {tokens: [{token_file: ./x, token: t, principal: a}]}}';
    expect(faultsOf(() => loadYaml(both))).toEqual([expect.stringMatching(/not both$/)]);
  });
});

describe('the Redis of a node', () => {
  const bare = (cwd: string, env: NodeJS.ProcessEnv = {}) => loadConfig({ flags: {}, env, cwd });

  it('is redis.url, else REDIS_URL', () => {
    expect(load().redis.url).toBe(REDIS_URL);
    expect(load({ flags: { 'redis.url': 'redis://other' } }).redis.url).toBe('redis://other');
    expect(faultsOf(() => load({ env: { REDIS_URL: 'nonsense' } }))).toHaveLength(1);
  });

  it('else is the living private one of the working directory, else a fault with both ways', () => {
    const cwd = directory();
    const ways = [expect.stringMatching(/redis\.url or REDIS_URL.*npm start/)];
    expect(faultsOf(() => bare(cwd))).toEqual(ways);
    mkdirSync(join(cwd, '.sluice'));
    writeFileSync(join(cwd, '.sluice', 'redis.sock'), '');
    const pid = join(cwd, '.sluice', 'redis.pid');
    writeFileSync(pid, String(spawnSync('true').pid));
    expect(faultsOf(() => bare(cwd))).toEqual(ways);
    writeFileSync(pid, `${process.pid}\n`);
    expect(bare(cwd).redis.url).toBe(`unix://${join(cwd, '.sluice', 'redis.sock')}`);
  });
});

describe('the agents of a node', () => {
  it('are echo, and an assistant when there is a key for one', () => {
    expect(Object.keys(load().agents)).toEqual(['echo']);
    const { agents } = load({ env: { OPENAI_API_KEY: 'k' } });
    expect(agents.assistant).toMatchObject({ kind: 'openai', model: 'gpt-4o-mini' });
  });

  it('begin with --agent, which leaves the default ones out', () => {
    const module = fileOf('export default {}', 'my.mjs');
    expect(load({ agent: module }).agents).toEqual({
      agent: expect.objectContaining({ kind: 'module', path: module }),
    });
    expect(load({ agent: 'python3 my.py' }).agents.agent).toMatchObject({
      kind: 'command',
      command: ['python3', 'my.py'],
    });
    const configured = loadYaml('agents: {b: {kind: echo}}', { agent: 'http://127.0.0.1:1/turn' });
    expect(Object.entries(configured.agents).map(([id, { kind }]) => [id, kind])).toEqual([
      ['agent', 'http'],
      ['b', 'echo'],
    ]);
  });

  it.each([
    ['./absent.mjs', /there is no file/],
    ['./agent.ts', /TypeScript/],
  ])('--agent %s is refused', (agent, fault) => {
    expect(faultsOf(() => load({ agent }))).toEqual([expect.stringMatching(fault)]);
  });
});
