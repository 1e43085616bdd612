import { describe, expect, it } from '@jest/globals';
import type { Scope } from '../../apps/gateway/src/config/config-types.js';
import {
  allows,
  everybody,
  offersSubprotocol,
  presentedCredential,
  withoutOperators,
} from '../../apps/gateway/src/edge/access/authenticate.js';
import { standingOf } from '../../apps/gateway/src/edge/access/standing.js';
import { credentialsOf } from '../support/edge/auth-made.js';

const { authenticate } = credentialsOf([
  { token: 'alice-secret', principal: 'alice', scopes: ['read', 'write'] },
  { token: 'ops-secret', principal: 'ops', scopes: ['admin'] },
]);

describe('authenticate', () => {
  it('X1 knows the principal of each token', () => {
    expect(authenticate('alice-secret')).toMatchObject({
      kind: 'ok',
      identity: { principal: 'alice', scopes: ['read', 'write'] },
    });
    expect(authenticate('ops-secret')).toMatchObject({ identity: { principal: 'ops' } });
  });

  it('X1 refuses a missing credential and a wrong one, and repeats neither', () => {
    expect(authenticate(undefined)).toMatchObject({ kind: 'refused', code: 'auth_required' });
    for (const wrong of ['', 'alice-secre', 'alice-secret ', 'ALICE-SECRET', 'x'.repeat(10_000)]) {
      const outcome = authenticate(wrong);
      expect(outcome).toMatchObject({ kind: 'refused', code: 'auth_unauthorized' });
      if (wrong !== '') expect(JSON.stringify(outcome)).not.toContain(wrong);
    }
  });

  it('lets everybody in as `local` on a node without auth', () => {
    expect(everybody.authenticate(undefined)).toMatchObject({
      kind: 'ok',
      identity: { principal: 'local', scopes: ['read', 'write', 'admin'] },
    });
  });

  it('takes `admin` as including the other scopes', () => {
    expect(allows({ scopes: ['admin'] }, 'write')).toBe(true);
    expect(allows({ scopes: ['read'] }, 'write')).toBe(false);
    expect(allows({ scopes: ['read', 'write'] }, 'admin')).toBe(false);
  });

  it('X2 takes `operate` for itself alone, and only where a path lets it in', () => {
    const operate = { scopes: ['operate'] } as const;
    for (const scope of ['read', 'write', 'admin'] as const) {
      expect(allows(operate, scope)).toBe(false);
      expect(standingOf(operate, { access: scope })).toBeUndefined();
      expect(standingOf(operate, { access: scope, operate: true })).toBe('operate');
    }
    expect(standingOf({ scopes: ['read', 'operate'] }, { access: 'read', operate: true })).toBe(
      'caller',
    );
    expect(standingOf({ scopes: ['admin'] }, { access: 'read', operate: true })).toBe('admin');
  });

  it('X2 counts for nothing on the main port of a node with an admin port', async () => {
    const scopesOf = async (scopes: Scope[]) => {
      const { authenticate: all } = credentialsOf([{ token: 'a-secret', principal: 'a', scopes }]);
      const who = await withoutOperators(all)('a-secret');
      return who.kind === 'ok' ? who.identity.scopes : who;
    };
    expect(await scopesOf(['operate'])).toEqual([]);
    expect(await scopesOf(['read', 'operate'])).toEqual(['read']);
    expect(await scopesOf(['admin', 'operate'])).toEqual(['read', 'write']);
  });
});

describe('presentedCredential', () => {
  const presented = (authorization: string, protocols: string, query: string) =>
    presentedCredential({ authorization, protocols, query: new URLSearchParams(query) });

  it('takes the first that is there: header, subprotocol pair, query', () => {
    expect(presented('Bearer a', 'sluice.v1, bearer.b', 'token=c')).toBe('a');
    expect(presented('', 'sluice.v1, bearer.b', 'token=c')).toBe('b');
    expect(presented('', '', 'token=c%2B')).toBe('c+');
    expect(presented('', '', '')).toBeUndefined();
  });

  it('skips values that are no credential', () => {
    expect(presented('Basic abc', '', 'token=c')).toBe('c');
    expect(presented('Bearer ', '', 'token=c')).toBe('c');
    expect(presented('', 'bearer.b', 'token=c')).toBe('c');
    expect(presented('', 'sluice.v1', 'token=')).toBeUndefined();
  });

  it('selects only the subprotocol that carries no secret', () => {
    expect(offersSubprotocol('bearer.b, sluice.v1')).toBe(true);
    expect(offersSubprotocol('bearer.sluice.v1')).toBe(false);
  });
});
