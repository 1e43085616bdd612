import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { weakness } from '../../apps/gateway/src/config/access/weak.js';
import { faultsOf, fileOf, loadYaml } from '../support/edge/config-loaded.js';

const origins = 'allowed_origins: ["https://app.example.com"]';
const outside = (auth: string, rest = origins) =>
  `gateway: {host: 0.0.0.0, ${rest}, auth: ${auth}}`;
const token = (value: string) => `{tokens: [{token: "${value}", principal: a}]}`;

describe('secrets on an address that others can reach', () => {
  it.each([
    ['changeme', /common and example secrets/],
    ['ChangeMe-12345678', /common and example secrets/],
    ['secret', /common and example secrets/],
    ['my-super-secret-jwt-token-with-at-least-32-characters-long', /common and example/],
    ['your-256-bit-secret', /common and example secrets/],
    ['P@ssw0rd', /common and example secrets/],
    ['password-2026-0001', /common and example secrets/],
    ['1234567890123456789012345678901234567890', /repeats one short text/],
    ['f3a9c1', /has 6 characters, at least 16 are needed/],
    ['x7Qp9x7Qp9x7Qp9x7Qp9', /repeats one short text/],
    ['aaaaaaaaaaaaaaaaaaaaaaaa', /repeats one short text/],
    ['abababbaabbaabababab', /too few different characters/],
    ['abcdefghijklmnopqrst', /sequence of neighbouring characters/],
    ['zyxwvutsrqponmlkjih', /sequence of neighbouring characters/],
  ])('X3 %s is refused, and the fault says how to make a better one', (value, why) => {
    const faults = faultsOf(() => loadYaml(outside(token(value))));
    expect(faults).toEqual([expect.stringMatching(why)]);
    expect(faults[0]).toMatch(
      /^gateway\.auth\.tokens\[0\]\.token: .*; make one with: openssl rand/,
    );
    expect(faults[0]).not.toContain(value.length > 10 ? value : `"${value}"`);
    // No other machine reaches a loopback address: a warning is enough.
    const { warnings } = loadYaml(`gateway: {auth: ${token(value)}}`);
    expect(warnings).toEqual([expect.stringMatching(why)]);
  });

  it('X3 a secret of signed tokens has 32 characters at least, in a file too', () => {
    const short = randomBytes(15).toString('hex');
    expect(faultsOf(() => loadYaml(outside(`{jwt: {secret: ${short}}}`)))).toEqual([
      expect.stringMatching(/^gateway\.auth\.jwt\.secret: has 30 characters, at least 32/),
    ]);
    const file = fileOf(`${short}\n${randomBytes(32).toString('hex')}\n`, 'secret');
    expect(faultsOf(() => loadYaml(outside(`{jwt: {secret_file: ${file}}}`)))).toEqual([
      expect.stringMatching(/^gateway\.auth\.jwt\.secret_file: has 30 characters/),
    ]);
  });

  it('X3 random ones are taken, whatever their alphabet', () => {
    for (let i = 0; i < 2_000; i++) {
      for (const value of [
        randomBytes(16).toString('hex'),
        randomBytes(12).toString('base64url'),
      ]) {
        expect({ value, why: weakness('token', value) }).toEqual({ value, why: undefined });
      }
    }
    for (const good of [randomUUID(), randomBytes(32).toString('base64')]) {
      expect(weakness('shared', good)).toBeUndefined();
      expect(faultsOf(() => loadYaml(outside(token(good))))).toEqual([]);
    }
  });

  it('X3 needs a list of origins, be it an empty one', () => {
    const auth = token(randomUUID());
    expect(faultsOf(() => loadYaml(`gateway: {host: 0.0.0.0, auth: ${auth}}`))).toEqual([
      expect.stringMatching(/^gateway\.allowed_origins: .*list the origins.*\[\] for none/),
    ]);
    expect(faultsOf(() => loadYaml(outside(auth, 'allowed_origins: []')))).toEqual([]);
    expect(faultsOf(() => loadYaml(`gateway: {auth: ${auth}}`))).toEqual([]);
  });

  it('X3 several values in a file are valid at once; more than 8, blanks or none are a fault', () => {
    const load = (content: string) => {
      const file = fileOf(content, 'token');
      return loadYaml(`gateway: {auth: {tokens: [{token_file: ${file}, principal: a}]}}`);
    };
    const [one, two] = [randomUUID(), randomUUID()];
    const secret = load(`${one}\r\n\n  ${two}\n`).gateway.auth?.tokens[0]?.secret;
    expect(secret?.values).toEqual([one, two]);
    const many = Array.from({ length: 9 }, () => randomUUID()).join('\n');
    for (const content of ['', ' \n\n', 'two words', many]) {
      expect(faultsOf(() => load(content))).toEqual([
        expect.stringMatching(/^gateway\.auth\.tokens\[0\]\.token_file: (is empty|holds)/),
      ]);
    }
  });
});
