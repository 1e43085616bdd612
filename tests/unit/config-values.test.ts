import { describe, expect, it } from '@jest/globals';
import { ConfigError } from '@sluice/gateway';
import { faultsOf, load, loadYaml } from '../support/edge/config-loaded.js';

describe('values of the configuration', () => {
  it.each([
    ['10', 10_000],
    ['"500ms"', 500],
    ['1.5', 1_500],
    ['"10s"', 10_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['0', 0],
  ])('drain_timeout: %s is %d ms', (text, ms) => {
    expect(loadYaml(`gateway: {drain_timeout: ${text}}`).gateway.drainTimeoutMs).toBe(ms);
  });

  it.each([
    ['1', 1],
    ['64KiB', 65_536],
    ['2MiB', 2_097_152],
    ['"100"', 100],
  ])('max_payload: %s is %d bytes', (text, bytes) => {
    expect(loadYaml(`gateway: {max_payload: ${text}}`).gateway.maxPayloadBytes).toBe(bytes);
  });

  it.each([
    'gateway: {port: 70000}',
    'gateway: {port: -1}',
    'gateway: {port: eight}',
    'gateway: {drain_timeout: 10 minutes}',
    'gateway: {drain_timeout: 30d}',
    'gateway: {drain_timeout: -1}',
    'gateway: {max_payload: 0}',
    'gateway: {max_payload: 1GiB}',
    'gateway: {max_payload: 1.5MiB}',
    'gateway: {roles: [edge, boss]}',
    'gateway: {roles: []}',
    'gateway: {node_id: "a b"}',
    'gateway: {console: maybe}',
    'gateway: {heartbeat_interval: 0}',
    'gateway: {allowed_origins: ["https://app.example.com/"]}',
    'gateway: {allowed_origins: ["*"]}',
    'gateway: {trusted_proxies: [10.0.0.0/33]}',
    'gateway: {auth: {}}',
    'gateway: {auth: {tokens: []}}',
    'gateway: {auth: {tokens: [{principal: alice}]}}',
    'gateway: {auth: {tokens: [{token: "a b", principal: alice}]}}',
    'gateway: {auth: {tokens: [{token: t}]}}',
    'gateway: {auth: {tokens: [{token: t, principal: a}, {token: t, principal: b}]}}',
    'gateway: {auth: {tokens: [{token: t, principal: a, scopes: [all]}]}}',
    'gateway: {auth: {jwt: {}}}',
    'gateway: {auth: {jwt: {issuer: i}}}',
    'gateway: {auth: {jwt: {secret: s, secret_file: ./s}}}',
    'gateway: {auth: {jwt: {secret: s, jwks_url: "https://issuer.example/keys"}}}',
    'gateway: {auth: {jwt: {jwks_url: "ftp://issuer.example/keys"}}}',
    'gateway: {auth: {jwt: {public_key: no key}}}',
    'gateway: {auth: {jwt: {public_key_file: ./absent}}}',
    'gateway: [1]',
    'redis: {partitions: 0}',
    'redis: {partitions: 16385}',
    'redis: {url: "http://127.0.0.1"}',
    'redis: {url: "redis://127.0.0.1/16"}',
    'redis: {prefix: "a{b}"}',
    'lease: {ttl: 50ms}',
    'session: {on_busy: drop}',
    'session: {max_inbox: 0}',
    'session_end: {groups: ["a b"]}',
    'log: {level: loud}',
    'log: {pretty: sometimes}',
    'agents: {}',
    'agents: {a: {}}',
    'agents: {"a b": {kind: echo}}',
    'agents: {a: {kind: http}}',
  ])('%s is one fault that names its key', (yaml) => {
    const faults = faultsOf(() => loadYaml(yaml));
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/^(gateway|redis|lease|session|session_end|log|agents)[.:]/);
  });

  it('all faulty are reported at once, each with its key and what is allowed', () => {
    const yaml = 'gateway: {port: x, drain_timout: 3}\nlease: {ttl: soon}\nsession: {max_dead: 0}';
    const flags = { 'gateway.host': '0.0.0.0' };
    const faults = faultsOf(() => loadYaml(yaml, { flags }));
    expect(faults).toEqual([
      'gateway.port: "x" is not allowed; give a whole number from 0 to 65535',
      'unknown key gateway.drain_timout; did you mean gateway.drain_timeout?',
      expect.stringMatching(
        /^lease\.ttl: "soon" is not allowed; give a duration of at least 100 ms/,
      ),
      'session.max_dead: 0 is not allowed; give a whole number from 1',
      expect.stringMatching(/^gateway\.host: 0\.0\.0\.0 can be reached/),
    ]);
  });

  it('that are faulty make an error with status 78 and one fault per line', () => {
    const run = () => loadYaml('gateway: {port: x}\nlog: {level: y}');
    expect(run).toThrow(ConfigError);
    expect(run).toThrow(expect.objectContaining({ status: 78 }));
    expect(run).toThrow(/^gateway\.port[^\n]*\nlog\.level[^\n]*$/);
  });

  it('X6: a faulty secret is not shown', () => {
    const tokens = '[{token: "s3cr3t word", principal: a}]';
    const yaml = `gateway: {auth: {tokens: ${tokens}}}\nredis: {url: "http://:s3cr3t@h"}`;
    const faults = faultsOf(() => loadYaml(yaml));
    expect(faults).toHaveLength(2);
    expect(faults.join()).not.toContain('s3cr3t');
  });

  it('are frozen', () => {
    const config = loadYaml('gateway: {auth: {tokens: [{token: t, principal: a}]}}');
    for (const part of [config, config.gateway, config.gateway.auth?.tokens[0], config.agents]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it('of a token without scopes are read and write', () => {
    const config = loadYaml('gateway: {auth: {tokens: [{token: t, principal: a}]}}');
    expect(config.gateway.auth?.tokens).toMatchObject([
      { secret: { values: ['t'] }, principal: 'a', scopes: ['read', 'write'] },
    ]);
  });

  it('of a node without node_id differ from start to start', () => {
    const [first, second] = [load().gateway.nodeId, load().gateway.nodeId];
    expect(first).toMatch(/^[A-Za-z0-9._-]+-[0-9a-f]{8}$/);
    expect(first).not.toBe(second);
  });
});
