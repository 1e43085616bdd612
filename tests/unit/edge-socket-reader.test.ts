import { describe, expect, it } from '@jest/globals';
import { SocketReader } from '../../apps/gateway/dist/edge/delivery/socket-reader.js';

const built = (seq: number) => {
  const bytes = Buffer.from(String(seq));
  const event = { kind: 'accepted', seq, epoch: 'e', messageId: `m${seq}`, position: 0 };
  return { event, bytes, text: `{"seq":${seq}}`, replayBytes: bytes, replayText: '' } as never;
};

describe('the reader of a socket', () => {
  it('S1 E3 sends what waited for an acknowledgement that nobody waits for any longer', async () => {
    const sent: string[] = [];
    const options = {
      ...{ from: 0, head: 0, epoch: 'e', durability: 'aof', streaming: true },
      outbound: { send: (frame: Buffer | string) => sent.push(String(frame)), json: () => true },
    };
    const reader = new SocketReader(options as never);
    reader.expect('m1');
    reader.take(built(1));
    expect(sent).toEqual([]);
    await reader.allAcked(5);
    reader.take(built(2));
    expect(sent).toEqual(['1', '2']);
  });
});
