import { describe, expect, it } from '@jest/globals';
import { agentKeys } from '@sluice/agents';
import { configSchema, keyPaths } from '@sluice/gateway';
import { clientFrameTypes, decode } from '@sluice/protocol';
import { faultsOf, load } from '../support/edge/config-loaded.js';

/** Words of the library, which mean nothing to a person who wrote JSON or YAML. */
const OF_THE_LIBRARY = /invalid|expected|received|unrecognized|too (small|big)|undefined|record\b/i;
const ODD = [{}, [], '', 'x', 1, -1, 1.5, 1e300, true, [{}], { a: { b: 1 } }];

describe('the message about an invalid value', () => {
  it('S5 says it of frames in words of JSON, with the field first', () => {
    const fields = [
      ...['agent_id', 'protocol_min', 'protocol', 'capabilities', 'caps', 'session_id', 'since'],
      ...['epoch', 'metadata', 'min_version', 'content', 'message_id', 'mode', 'in_reply_to'],
      ...['reason', 'traceparent'],
    ];
    const told = new Set<string>();
    for (const type of clientFrameTypes) {
      for (const field of fields) {
        for (const value of ODD) {
          const decoded = decode(
            JSON.stringify({ type, agent_id: 'echo', content: 'x', [field]: value }),
          );
          if (decoded.kind === 'frame') continue;
          told.add(decoded.message);
          expect(decoded.message).not.toMatch(OF_THE_LIBRARY);
          expect(decoded.message.startsWith(`${decoded.field} `)).toBe(true);
        }
      }
    }
    expect([...told]).toEqual(
      expect.arrayContaining([
        'content must be a non-empty string or an object',
        'metadata must be an object',
        'protocol_min must be a whole number',
        'message_id is missing; give text',
        'mode must be one of enqueue, collect, interrupt, reject',
      ]),
    );
  });

  it('says it of the configuration in the same words', () => {
    const paths = [
      ...keyPaths(configSchema),
      ...Object.values(agentKeys).flatMap((keys) => keys.map((key) => `agents.a.${key}`)),
    ].filter((path) => !path.includes('[]'));
    for (const path of paths) {
      for (const value of ODD) {
        const flags = { [path]: typeof value === 'string' ? value : JSON.stringify(value) };
        for (const kind of path.startsWith('agents.') ? Object.keys(agentKeys) : ['echo']) {
          const faults = faultsOf(() => load({ flags: { 'agents.a.kind': kind, ...flags } }));
          for (const fault of faults) {
            expect(fault.replaceAll(JSON.stringify(value), '')).not.toMatch(OF_THE_LIBRARY);
          }
        }
      }
    }
  });

  it('names the keys that there are where it does not know one of an agent', () => {
    const flags = { 'agents.a.model': 'm', 'agents.a.temperature': '1' };
    expect(faultsOf(() => load({ flags }))).toEqual([
      expect.stringMatching(
        /^unknown key agents\.a\.temperature; an agent of kind openai takes .*model.* \(docs\/guide\/agents\.md\)/,
      ),
    ]);
  });
});
