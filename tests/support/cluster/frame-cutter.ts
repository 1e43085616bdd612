import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { stopLater } from '@sluice/testkit';

/** Number of frames after which a connection is cut. 0: instead of the answer to the upgrade; absent: never. */
export type CutAt = {
  /** Frames from the client: the gateway gets the last of them, and the client gets no answer to it. */
  readonly up?: number;
  /** Frames from the gateway. */
  readonly down?: number;
};

export type FrameCutter = {
  readonly port: number;
  readonly cuts: number;
  /** Number of whole frames from the gateway, by connection. */
  readonly frames: readonly number[];
  close(): void;
};

const CLOSE = 8;

/** Splits what one side of a WebSocket sends: its HTTP head, then whole frames. */
class FrameSplitter {
  #rest = Buffer.alloc(0);
  #isHead = true;

  *push(data: Buffer): Generator<{ readonly bytes: Buffer; readonly isFrame: boolean }> {
    this.#rest = Buffer.concat([this.#rest, data]);
    if (this.#isHead) {
      const end = this.#rest.indexOf('\r\n\r\n') + 4;
      if (end < 4) return;
      this.#isHead = false;
      yield { bytes: this.#take(end), isFrame: false };
    }
    for (let size = this.#size(); size <= this.#rest.length; size = this.#size()) {
      const opcode = (this.#rest[0] ?? 0) & 15;
      yield { bytes: this.#take(size), isFrame: opcode < CLOSE };
    }
  }

  #take(size: number): Buffer {
    const taken = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    return taken;
  }

  /** Size of the first frame with its header; larger than the bytes at hand if they are too few to know it. */
  #size(): number {
    const rest = this.#rest;
    const [, second = 0] = rest;
    const mask = second & 128 ? 4 : 0;
    const length = second & 127;
    if (rest.length < 2 || length < 126) return 2 + mask + length;
    if (length === 126) return rest.length < 4 ? Infinity : 4 + mask + rest.readUInt16BE(2);
    return rest.length < 10 ? Infinity : 10 + mask + Number(rest.readBigUInt64BE(2));
  }
}

/** Passes connections on to the gateway at `port`, and cuts each between two frames, where `cutAt` says. */
export async function startFrameCutter(
  port: number,
  cutAt: (connection: number) => CutAt,
): Promise<FrameCutter> {
  const frames: number[] = [];
  let cuts = 0;

  const pass = (client: Socket): unknown => {
    const connection = frames.push(0) - 1;
    const { up = Infinity, down = Infinity } = cutAt(connection);
    const gateway = connect({ port, host: '127.0.0.1', noDelay: true });
    const cut = () => {
      cuts += 1;
      client.end();
      gateway.end();
    };
    if (down === 0) return client.once('data', cut);
    const pipe = (from: Socket, to: Socket, most: number, onFrame: () => void) => {
      const splitter = new FrameSplitter();
      let passed = 0;
      from.on('data', (data) => {
        for (const { bytes, isFrame } of splitter.push(data)) {
          if (client.writableEnded) return;
          to.write(bytes);
          if (!isFrame) continue;
          onFrame();
          passed += 1;
          if (passed === most) cut();
        }
      });
      from.on('error', () => to.destroy());
      from.on('end', () => to.end());
      from.on('close', () => to.destroy());
    };
    pipe(client, gateway, up, () => undefined);
    pipe(gateway, client, down, () => {
      frames[connection] = (frames[connection] ?? 0) + 1;
    });
  };
  const server = createServer({ noDelay: true }, pass);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => void server.close();
  stopLater(async () => close());
  return {
    port: (server.address() as AddressInfo).port,
    get cuts() {
      return cuts;
    },
    frames,
    close,
  };
}
