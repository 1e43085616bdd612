import { describe, expect, it } from '@jest/globals';
import { faultsOf, load, loadYaml } from '../support/edge/config-loaded.js';

const MiB = 2 ** 20;
const warningsOf = (yaml: string) => loadYaml(yaml).warnings.join('\n');

describe('relations of the configuration', () => {
  it.each([
    ['{port: 9001, admin_port: 9001}', /^gateway\.admin_port: 9001 is gateway\.port/],
    ['{admin_port: 8765}', /^gateway\.admin_port: 8765 is gateway\.port/],
    ['{close_spread: 3s, drain_timeout: 2s}', /^gateway\.close_spread: .*gateway\.drain_timeout/],
    ['{max_buffered_bytes: 1MiB, max_payload: 1MiB}', /max_buffered_bytes.*max_payload.*2097152$/],
    ['{max_buffered_bytes: 3, max_payload: 1, max_reply: 2}', /max_buffered_bytes.*max_reply/],
  ])('%s is refused', (gateway, fault) => {
    const faults = faultsOf(() => loadYaml(`gateway: ${gateway}`));
    expect(faults).toEqual([expect.stringMatching(fault)]);
  });

  it.each([
    ['redis://a', /^lease\.quorum: 1 members; name three or five/],
    ['redis://a,redis://b,redis://c,redis://d', /^lease\.quorum: 4 members; name three or five/],
    [
      'redis://a,redis://b,redis://u:p@a:6379/',
      /^lease\.quorum\[2\]: a:6379 is lease\.quorum\[0\] too/,
    ],
    ['redis://a/1,redis://b/1,redis://c', /^lease\.quorum: the members name databases 1 and 0/],
  ])('a quorum of %s is refused', (quorum, fault) => {
    const faults = faultsOf(() => loadYaml(`lease: {quorum: "${quorum}"}`));
    expect(faults).toEqual([expect.stringMatching(fault)]);
  });

  it.each([
    ['{url: redis://h, tls: {ca_file: /ca}}', /^redis\.tls: .*begin with rediss:\/\//],
    ['{tls: {ca_file: /ca}}', /^redis\.tls: .*begin with rediss:\/\//],
    ['{url: rediss://h, tls: {cert_file: /c}}', /^redis\.tls\.cert_file: .*redis\.tls\.key_file/],
    ['{url: rediss://h, tls: {key_file: /k}}', /^redis\.tls\.key_file: .*redis\.tls\.cert_file/],
    ['{url: rediss://h, tls: {server_name: 127.0.0.1}}', /^redis\.tls\.server_name: .*host name/],
  ])('X6 redis: %s is refused', (redis, fault) => {
    expect(faultsOf(() => loadYaml(`redis: ${redis}`))).toEqual([expect.stringMatching(fault)]);
  });

  it('X6 the files of redis.tls are looked for beside the configuration', () => {
    const { tls } = loadYaml('redis: {url: rediss://h, tls: {ca_file: ca.crt}}').redis;
    expect(tls).toEqual({
      ...{ caFile: expect.stringMatching(/^\/.*\/ca\.crt$/), certFile: null, keyFile: null },
      serverName: null,
    });
  });

  it('hold for every default beside one given value', () => {
    expect(loadYaml('gateway: {drain_timeout: 2s}').gateway.closeSpreadMs).toBe(1_000);
    expect(loadYaml('gateway: {drain_timeout: 1h}').gateway.closeSpreadMs).toBe(5_000);
    expect(loadYaml('gateway: {drain_timeout: 0}').gateway.closeSpreadMs).toBe(0);
    expect(loadYaml('gateway: {close_spread: 20s}').gateway.drainTimeoutMs).toBe(20_000);
    expect(loadYaml('gateway: {max_reply: 8MiB}').gateway.maxBufferedBytes).toBe(16 * MiB);
    expect(loadYaml('gateway: {max_payload: 1}').gateway.maxBufferedBytes).toBe(4 * MiB);
    const small = loadYaml('gateway: {max_buffered_bytes: 1MiB}').gateway;
    expect([small.maxPayloadBytes, small.maxReplyBytes]).toEqual([MiB / 2, MiB / 2]);
    expect(loadYaml('redis: {prefix: acme}').sessionEnd.stream).toBe('acme:session-end');
  });

  it('S3: the dedupe window is never below 4 x max_inbox', () => {
    expect(loadYaml('session: {max_inbox: 2000}').session.maxSeen).toBe(8_000);
    expect(loadYaml('session: {max_inbox: 10, max_seen: 1}').session.maxSeen).toBe(40);
    expect(warningsOf('session: {max_inbox: 10, max_seen: 1}')).toMatch(/max_seen is raised to 40/);
  });
});

describe('rate limits', () => {
  const limitsOf = (yaml: string) => loadYaml(yaml).gateway.rateLimit;

  it('X5: of principals hold where there are principals, or where they are asked for', () => {
    expect(limitsOf('{}')).toMatchObject({
      messagesPerSecond: 0,
      sessionsPerMinute: 0,
      requestsPerSecond: 0,
    });
    const auth = 'auth: {tokens: [{token: t, principal: a}]}';
    expect(limitsOf(`gateway: {${auth}}`)).toEqual({
      upgradesPerMinute: 600,
      unauthenticatedPerMinute: 60,
      messagesPerSecond: 50,
      burst: 100,
      sessionsPerMinute: 60,
      framesPerSecond: 1_000,
      principalFramesPerSecond: 2_000,
      requestsPerSecond: 100,
      requestBurst: 200,
    });
    expect(limitsOf('gateway: {rate_limit: {messages_per_second: 7}}')).toMatchObject({
      messagesPerSecond: 7,
      burst: 14,
      principalFramesPerSecond: 0,
    });
    expect(limitsOf(`gateway: {${auth}, rate_limit: {messages_per_second: 5000}}`)).toMatchObject({
      principalFramesPerSecond: 10_000,
    });
  });
});

describe('warnings of the configuration', () => {
  it('come without authentication and without a limit for turns, and not otherwise', () => {
    expect(load().warnings).toEqual([expect.stringMatching(/gateway\.auth is not set/)]);
    const auth = 'auth: {tokens: [{token: 5b0d1c7f9e3a42d8, principal: a}]}';
    expect(loadYaml(`gateway: {${auth}}`).warnings).toEqual([]);
    expect(loadYaml(`gateway: {${auth}, per_turn_timeout: 0}`).warnings).toEqual([
      expect.stringMatching(/per_turn_timeout is 0/),
    ]);
  });
});

describe('addresses of the configuration', () => {
  it.each(['127.0.0.1', '127.1.2.3', 'localhost', '::1', '"[::1]"'])(
    'X3: %s needs no authentication',
    (host) => {
      expect(loadYaml(`gateway: {host: ${host}}`).gateway.auth).toBeNull();
    },
  );

  it.each(['0.0.0.0', '"::"', '10.0.0.1', 'gateway.internal', '127.0.0.1.example.com'])(
    'X3: %s is refused without authentication and says how to fix it',
    (host) => {
      const faults = faultsOf(() => loadYaml(`gateway: {host: ${host}}`));
      expect(faults).toEqual([expect.stringMatching(/add gateway\.auth\.tokens.*127\.0\.0\.1/)]);
      const auth = 'auth: {tokens: [{token: 5b0d1c7f9e3a42d8, principal: a}]}';
      const rest = `${auth}, allowed_origins: ["https://app.example.com"]`;
      expect(faultsOf(() => loadYaml(`gateway: {host: ${host}, ${rest}}`))).toEqual([]);
    },
  );
});
