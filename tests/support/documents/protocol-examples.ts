/** The examples in docs/reference/protocol.md, parsed. */

type Frame = { readonly type: string } & Readonly<Record<string, unknown>>;
type Example =
  | { readonly kind: 'sent' | 'received'; readonly frame: Frame }
  | { readonly kind: 'close'; readonly close: string };

const blocksOf = (text: string, language: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    ([, block = '']) => block,
  );

/** Frames after `→` (client) and `←` (node); lines that begin with a blank go on with the frame before. */
export function exchangesOf(text: string): Example[] {
  const lines = blocksOf(text, 'text').flatMap((block) =>
    block.trim().replaceAll(/\n +/g, '').split('\n'),
  );
  return lines.map((line) => {
    const [, arrow, rest = ''] = /^([→←]) (.*)$/.exec(line) ?? [];
    const [, close] = /^close (.*)$/.exec(rest) ?? [];
    if (close !== undefined) return { kind: 'close', close };
    return { kind: arrow === '→' ? 'sent' : 'received', frame: parsed(rest) };
  });
}

export type Request = {
  /** `POST /v1/sessions/s1/end?principal=alice` */
  readonly target: string;
  readonly body: unknown;
  readonly status: number;
  readonly answer: unknown;
};

/** Blocks `http`: method and path, the body if there is one, a blank line, the status, the answer. */
export function requestsOf(text: string): Request[] {
  return blocksOf(text, 'http').map((block) => {
    const [request = '', answer = ''] = block.trim().split('\n\n');
    const [target = '', ...body] = request.split('\n');
    const [status = '', ...answered] = answer.split('\n');
    return {
      target,
      body: body.length === 0 ? undefined : parsed(body.join('')),
      status: Number(status),
      answer: parsed(answered.join('')),
    };
  });
}

/** What stands after `data:` in blocks `sse`. */
export function streamedOf(text: string): Frame[] {
  return blocksOf(text, 'sse').flatMap((block) =>
    [...block.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => parsed(data)),
  );
}

function parsed(json: string): Frame {
  try {
    return JSON.parse(json);
  } catch {
    throw new Error(`no JSON: ${json}`);
  }
}

type Section = {
  readonly body: string;
  /** `server.error`: frames whose fields have a table here. */
  readonly fields: readonly string[];
  /** `GET /v1/sessions` */
  readonly routes: readonly string[];
};

export function sectionsOf(text: string): Section[] {
  return text.split(/^(?=###? )/m).map((body) => ({
    body,
    fields: marksOf(body, /^<!-- fields (\S+).* -->$/gm),
    routes: marksOf(body, /^<!-- route (\S+ \S+) -->$/gm),
  }));
}

const marksOf = (body: string, mark: RegExp) =>
  [...body.matchAll(mark)].map(([, name = '']) => name);
