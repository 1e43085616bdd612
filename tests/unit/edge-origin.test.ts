import { describe, expect, it } from '@jest/globals';
import { makeCheckOrigin } from '../../apps/gateway/src/edge/access/origin.js';

describe('origins with credentials', () => {
  const check = makeCheckOrigin({
    allowedOrigins: ['https://app.example', 'http://dev.example:8080'],
    authRequired: true,
  });
  const kind = (origin: string, host = 'gw.example:8765') => check(origin, host).kind;

  it('accepts a missing origin under any host name', () => {
    expect(check('', 'anything.example')).toEqual({ kind: 'ok', cors: undefined });
  });

  it('accepts listed origins however they are spelled, and echoes them', () => {
    expect(check('https://app.example', 'gw')).toEqual({ kind: 'ok', cors: 'https://app.example' });
    expect(kind('https://APP.example:443')).toBe('ok');
    expect(kind('http://dev.example:8080')).toBe('ok');
  });

  it('accepts its own origin, also behind a proxy that terminates TLS', () => {
    expect(kind('http://gw.example:8765')).toBe('ok');
    expect(kind('https://gw.example', 'gw.example')).toBe('ok');
    expect(kind('https://gw.example', 'gw.example:443')).toBe('ok');
  });

  it('X3 refuses every other origin', () => {
    for (const origin of [
      'https://evil.example',
      'http://app.example',
      'https://app.example:8443',
      'https://app.example.evil.example',
      'https://app.example@evil.example',
      'https://gw.example',
      'http://localhost:3000',
      'file://',
      'null',
      'nonsense',
    ]) {
      expect([origin, kind(origin)]).toEqual([origin, 'refused']);
    }
  });
});

describe('origins without credentials', () => {
  const check = makeCheckOrigin({ allowedOrigins: ['https://app.example'], authRequired: false });
  const kind = (origin: string, host: string) => check(origin, host).kind;

  it('X3 accepts loopback pages on any port and listed ones', () => {
    for (const origin of ['http://localhost:5173', 'http://127.0.0.1', 'http://[::1]:1', '']) {
      expect([origin, kind(origin, 'localhost:8765')]).toEqual([origin, 'ok']);
    }
    expect(kind('https://app.example', '127.0.0.1:8765')).toBe('ok');
    expect(kind('', 'app.example')).toBe('ok');
  });

  it('X3 refuses foreign pages and the opaque origin', () => {
    for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1.evil.example']) {
      expect([origin, kind(origin, 'localhost:8765')]).toEqual([origin, 'refused']);
    }
  });

  it('X3 refuses host names that are not loopback (DNS rebinding), with and without an origin', () => {
    for (const host of [
      'evil.example',
      'evil.example:8765',
      'localhost.evil.example',
      '10.0.0.1',
      '',
    ]) {
      expect([host, kind('', host)]).toEqual([host, 'refused']);
      expect([host, kind('http://localhost', host)]).toEqual([host, 'refused']);
    }
    expect(kind('http://evil.example:8765', 'evil.example:8765')).toBe('refused');
  });
});
