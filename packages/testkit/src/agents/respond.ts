import type { ServerResponse } from 'node:http';

export type StreamFormat = 'ndjson' | 'sse';

export type EventWriter = {
  /** Any event of the agents' protocol. */
  send(event: Record<string, unknown>): void;
  delta(content: string): void;
  /** The whole reply; ends the answer. */
  final(content: string, usage?: Record<string, unknown>): void;
  /** Sends these bytes as they are, also those that no proper agent would send. */
  raw(bytes: string | Uint8Array): void;
  /** Ends the answer without a final. */
  end(): void;
};

/** The ways in which a behaviour can answer its turn. */
export type Respond = {
  json(value: unknown): void;
  status(code: number, headers?: Record<string, string>): void;
  /** `contentType` overrides the content type of `format`. */
  stream(format: StreamFormat, contentType?: string): EventWriter;
  /** Any answer, byte for byte. */
  raw(contentType: string, text: string): void;
  /** Cuts the connection where it stands. */
  break(): void;
};

const contentTypes = { ndjson: 'application/x-ndjson', sse: 'text/event-stream' } as const;

export function makeRespond(response: ServerResponse): Respond & { isBroken(): boolean } {
  let broken = false;
  const raw = (contentType: string, text: string) => {
    response.writeHead(200, { 'content-type': contentType }).end(text);
  };
  return {
    raw,
    json: (value) => raw('application/json', JSON.stringify(value)),
    status: (code, headers = {}) => {
      response.writeHead(code, headers).end();
    },
    stream: (format, contentType = contentTypes[format]) => {
      response.writeHead(200, { 'content-type': contentType }).flushHeaders();
      return makeWriter(response, format);
    },
    break: () => {
      broken = true;
      response.destroy();
    },
    isBroken: () => broken,
  };
}

function makeWriter(response: ServerResponse, format: StreamFormat): EventWriter {
  const send = (event: Record<string, unknown>) => {
    const json = JSON.stringify(event);
    response.write(format === 'sse' ? `data: ${json}\n\n` : `${json}\n`);
  };
  return {
    send,
    delta: (content) => send({ type: 'delta', content }),
    final: (content, usage) => {
      send({ type: 'final', content, ...(usage ? { usage } : {}) });
      response.end();
    },
    raw: (bytes) => {
      response.write(bytes);
    },
    end: () => {
      response.end();
    },
  };
}
