import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { configSchema, keyPaths, nearestKey } from '@sluice/gateway';
import { parseBytes, parseDurationMs } from '@sluice/runtime';
import fc from 'fast-check';
import { faultsOf, load, loadYaml } from '../support/edge/config-loaded.js';

const known = keyPaths(configSchema);

type Row = { readonly key: string; readonly fallback: string; readonly unit: string; why: string };

/** The table of docs/reference/configuration.md. */
function documented(): Row[] {
  const text = readFileSync('docs/reference/configuration.md', 'utf8');
  return [...text.matchAll(/^\| `([^`]+)` +\| (.*?) +\| (.*?) +\| (.*?) +\|$/gm)].map(
    ([, key = '', fallback = '', unit = '', why = '']) => ({ key, fallback, unit, why }),
  );
}

/** One valid value other than the default for every key that this release builds. */
const values: Readonly<Record<string, string>> = {
  'gateway.host': '::1',
  'gateway.port': '0',
  'gateway.admin_port': '9001',
  'gateway.node_id': 'node-a',
  'gateway.roles': 'edge',
  'gateway.drain_timeout': '2s',
  'gateway.close_spread': '1s',
  'gateway.max_connection_age': '1h',
  'gateway.max_connections': '1',
  'gateway.max_connections_per_principal': '1',
  'gateway.hello_timeout': '5s',
  'gateway.max_payload': '1',
  'gateway.max_reply': '1',
  'gateway.max_buffered_bytes': '2',
  'gateway.max_queued_frames': '1',
  'gateway.max_unsent_bytes': '32MiB',
  'gateway.max_unsent_per_principal': '8MiB',
  'gateway.heartbeat_interval': '1',
  'gateway.per_turn_timeout': '1',
  'gateway.allowed_origins': 'https://app.example.com,http://localhost:5173',
  'gateway.trusted_proxies': '10.0.0.0/8,::1',
  'gateway.auth.tokens': '[{"token":"t","principal":"alice","scopes":["read"]}]',
  'gateway.auth.jwt':
    '{"secret":"s","issuer":"i","audience":"a","principal_claim":"p","scopes_claim":"s"}',
  'gateway.rate_limit.upgrades_per_minute': '1',
  'gateway.rate_limit.unauthenticated_per_minute': '1',
  'gateway.rate_limit.messages_per_second': '1',
  'gateway.rate_limit.burst': '1',
  'gateway.rate_limit.requests_per_second': '1',
  'gateway.rate_limit.requests_burst': '1',
  'gateway.rate_limit.sessions_per_minute': '1',
  'gateway.rate_limit.frames_per_second': '0',
  'gateway.rate_limit.frames_per_second_per_principal': '0',
  'gateway.keep_alive': 'false',
  'gateway.console': 'false',
  'redis.url': 'unix:///run/redis.sock',
  'redis.sentinel':
    '{"name":"m","nodes":["a:1","b"],"username":"u","password":"p","tls":true,"db":1,' +
    '"sentinel_username":"s","sentinel_password":"q","sentinel_tls":true}',
  'redis.prefix': 'other',
  'redis.partitions': '1024',
  'redis.durability': 'aof',
  'lease.ttl': '1',
  'lease.linger': '0',
  'lease.max_lingering': '1',
  'lease.max_age': '1',
  'lease.max_held_history': '1MiB',
  'lease.quorum': 'redis://a,redis://b:6380/,rediss://user:secret@c',
  'worker.concurrency': '1',
  'worker.max_attempts': '1',
  'worker.max_hand_overs': '1',
  'worker.max_turns_per_lease': '1',
  'worker.max_turns_per_principal': '1',
  'worker.sweep_interval': '1',
  'session.max_inbox': '1',
  'session.max_inbox_bytes': '1',
  'session.max_messages': '1',
  'session.max_events': '1',
  'session.max_log_bytes': '1',
  'session.max_seen': '4',
  'session.max_dead': '1',
  'session.max_sessions_per_principal': '1',
  'session.max_bytes_per_principal': '1MiB',
  'session.resume_window': '30d',
  'session.delta_interval': '100ms',
  'session.on_busy': 'reject',
  'session_end.stream': 'ends',
  'session_end.max_length': '1',
  'session_end.groups': 'ops,audit',
  'metrics.public': 'true',
  'log.level': 'debug',
  'log.pretty': 'true',
  'telemetry.otlp_endpoint': 'http://127.0.0.1:4318',
  agents: '{"mine":{"kind":"echo"},"py":{"kind":"command","command":"python agent.py"}}',
};

const variable = (key: string) => `SLUICE_${key.replaceAll('.', '__').toUpperCase()}`;

describe('the keys of the configuration', () => {
  it('are all in docs/reference/configuration.md, which has no others', () => {
    expect(documented().map(({ key }) => key)).toEqual(known);
  });

  it('have their defaults in gateway.example.yaml', () => {
    const { gateway, ...others } = load({ file: 'gateway.example.yaml', cwd: process.cwd() });
    const { gateway: standard, ...defaults } = load();
    expect(others).toEqual(defaults);
    expect({ ...gateway, nodeId: '' }).toEqual({ ...standard, nodeId: '' });
  });

  it('stand in gateway.example.yaml, as a comment where there is no default', () => {
    const text = readFileSync('gateway.example.yaml', 'utf8');
    const isShown = (key: string) =>
      new RegExp(`\\b${key.slice(key.lastIndexOf('.') + 1)}:`).test(text);
    const left = /^gateway\.auth\.|_file$|^redis\.(sentinel|cluster)\.|^lease\.quorum$/;
    expect(known.filter((key) => !left.test(key) && !isShown(key))).toEqual([]);
  });

  it.each(documented())('$key has a unit and a reason', ({ unit, why }) => {
    expect(unit).not.toBe('');
    expect(why).not.toBe('');
  });

  it.each(documented().filter(({ fallback }) => /^`[^`]+`$/.test(fallback)))(
    '$key has the default of docs/reference/configuration.md',
    ({ key, fallback, unit, why }) => {
      if (/not (built|enforced) yet/.test(why)) return;
      const shown = fallback.slice(1, -1);
      if (/\[\]|\.jwt\.|^redis\.(durability$|sentinel\.)|^agents$/.test(key)) return;
      const read: Record<string, unknown> = {
        duration: parseDurationMs(shown),
        size: parseBytes(shown),
        list: shown.split(','),
        'true or false': shown === 'true',
      };
      const whole = /^\d+$/.test(shown) ? Number(shown) : shown;
      const expected = unit in read ? read[unit] : key === 'log.pretty' ? false : whole;
      expect(builtValue(key)).toEqual(expected);
    },
  );

  it.each(Object.entries(values))('%s takes %s, by flag and by environment', (key, value) => {
    expect(faultsOf(() => load({ flags: { [key]: value } }))).toEqual([]);
    expect(faultsOf(() => load({ env: { [variable(key)]: value } }))).toEqual([]);
  });

  it('have a valid value in this test, or in another one', () => {
    const covered = [...Object.keys(values), 'redis.cluster.', 'redis.url_file', 'redis.tls.'];
    const isCovered = (key: string) => covered.some((c) => key === c || key.startsWith(`${c}`));
    expect(known.filter((key) => !isCovered(key))).toEqual([]);
  });

  it('are suggested for what is one typing error away', () => {
    const typo = fc
      .tuple(fc.constantFrom(...known), fc.nat(), fc.constantFrom('swap', 'drop', 'double'))
      .map(([key, at, how]) => ({ key, wrong: mistype(key, at, how) }))
      .filter(({ wrong }) => !known.includes(wrong));
    fc.assert(
      fc.property(typo, ({ key, wrong }) => nearestKey(wrong, known) === key),
      { seed: 20_251, numRuns: 200 },
    );
  });

  it.each([
    ['gateway: {drain_timout: 3}', 'gateway.drain_timout', 'gateway.drain_timeout'],
    ['gateway: {partitions: 3}', 'gateway.partitions', 'redis.partitions'],
    ['port: 3', 'port', 'gateway.port'],
    ['leases: {ttl: 3}', 'leases', 'lease'],
    ['agents: {e: {kind: echo, dely_ms: 3}}', 'agents.e.dely_ms', 'agents.e.delay_ms'],
  ])('%s is refused with the nearest known key', (yaml, wrong, right) => {
    const faults = faultsOf(() => loadYaml(yaml));
    expect(faults).toEqual([`unknown key ${wrong}; did you mean ${right}?`]);
  });

  it('are not suggested for something altogether different', () => {
    const faults = faultsOf(() => loadYaml('gateway: {frobnicate: 3}'));
    expect(faults).toEqual([
      'unknown key gateway.frobnicate; docs/reference/configuration.md lists all keys',
    ]);
  });
});

/** `gateway.max_payload` -> `config.gateway.maxPayloadBytes`: the name with any unit at its end. */
function builtValue(key: string): unknown {
  const camel = (name: string) => name.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase());
  return key.split('.').reduce<unknown>((section, part) => {
    const name = camel(part);
    const names = [name, `${name}Ms`, `${name}Bytes`];
    return Object.entries(Object(section)).find(([k]) => names.includes(k))?.[1];
  }, load());
}

function mistype(key: string, at: number, how: string): string {
  const start = key.lastIndexOf('.') + 1;
  const i = start + (at % (key.length - start));
  if (how === 'drop') return key.slice(0, i) + key.slice(i + 1);
  if (how === 'double') return key.slice(0, i) + key.slice(i, i + 1) + key.slice(i);
  return key.slice(0, i) + key.slice(i + 1, i + 2) + key.slice(i, i + 1) + key.slice(i + 2);
}
