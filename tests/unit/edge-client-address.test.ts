import { describe, expect, it } from '@jest/globals';
import { makeClientAddress } from '../../apps/gateway/src/edge/access/client-address.js';

describe('X5 the address that an upgrade is counted for', () => {
  const addressOf = makeClientAddress(['10.0.0.0/8', '127.0.0.1', 'fd00::/8']);

  it.each([
    ['no proxy, no header', '203.0.113.7', '', '203.0.113.7'],
    ['a header that the client made up', '203.0.113.7', '198.51.100.1', '203.0.113.7'],
    ['one proxy', '10.1.2.3', '203.0.113.7', '203.0.113.7'],
    ['a made-up head before the proxy', '10.1.2.3', '198.51.100.1, 203.0.113.7', '203.0.113.7'],
    ['two proxies', '10.1.2.3', '203.0.113.7, 10.9.9.9', '203.0.113.7'],
    ['a proxy of its own on the way', '10.1.2.3', '203.0.113.7, 192.0.2.1, 10.9.9.9', '192.0.2.1'],
    ['only proxies', '10.1.2.3', '10.4.4.4,10.9.9.9', '10.4.4.4'],
    ['a proxy that says nothing', '10.1.2.3', '', '10.1.2.3'],
    ['an IPv6 proxy, as uWebSockets.js spells it', 'fd00:0000::0001', '2001:db8::5', '2001:db8::5'],
    ['an IPv4 proxy on an IPv6 listener', '::ffff:10.1.2.3', '203.0.113.7', '203.0.113.7'],
    ['a port', '10.1.2.3', '203.0.113.7:4711', '203.0.113.7'],
    ['IPv6 with a port', '10.1.2.3', '[2001:db8::5]:4711', '2001:db8::5'],
    ['no address', '10.1.2.3', '203.0.113.7, unknown', '10.1.2.3'],
    ['an empty hop', '10.1.2.3', '203.0.113.7,,10.2.2.2', '10.2.2.2'],
  ])('%s', (_what, peer, header, expected) => {
    expect(addressOf(peer, header)).toBe(expected);
  });

  it('without trusted proxies the header means nothing', () => {
    expect(makeClientAddress([])('10.1.2.3', '203.0.113.7')).toBe('10.1.2.3');
  });
});
