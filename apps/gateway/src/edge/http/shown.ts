import { z } from 'zod';
import type { Standing } from '../access/standing.js';
import type { Exchange, HttpReply } from '../network/transport.js';

/**
 * What scope `operate` gets of a path (X2). It is the only place where answers are cut: a field that no schema here
 * names does not leave the node.
 * - `refused`: nothing, the path needs another scope;
 * - `whole`: all that the path's own schemas name, which have no text of clients or agents but ids;
 * - `shown`: for each status the fields that are left.
 */
export type Operate =
  | 'refused'
  | 'whole'
  | {
      readonly shown: Readonly<Record<number, z.ZodType>>;
      /** A listing: without `?principal=` it is about everybody's sessions. */
      readonly everybodys?: true;
    };

/** One answer of a route. Without `schema` it is text of `contentType`, or has no body. */
export type Answer = {
  readonly description: string;
  readonly schema?: z.ZodType;
  readonly contentType?: string;
};

type Answers = Readonly<Record<number, Answer>>;

/**
 * By which right this request is answered, now that it is known whether it names a principal; undefined: it may not.
 * A credential with `operate` and the scope of the path acts by `operate` where it looks beyond its own sessions.
 */
export function standingFor(
  { standing, identity }: Pick<Exchange, 'standing' | 'identity'>,
  { operate, names }: { operate: Operate; names: boolean },
): Standing | undefined {
  if (standing !== 'caller') return standing;
  const isBeyond = names || (typeof operate === 'object' && operate.everybodys === true);
  if (isBeyond && operate !== 'refused' && identity.scopes.includes('operate')) return 'operate';
  return names ? undefined : 'caller';
}

/** The schema of what `operate` is shown for a status; undefined: text, or an answer without a body. */
export function shownSchema(operate: Operate, answers: Answers, status: number) {
  return typeof operate === 'object' ? operate.shown[status] : answers[status]?.schema;
}

/** A reply that passes on what `operate` may see. Errors pass: their texts are the gateway's own. */
export function shownReply(reply: HttpReply, operate: Operate, answers: Answers): HttpReply {
  return {
    get aborted() {
      return reply.aborted;
    },
    onError: (fn) => reply.onError(fn),
    onAborted: (fn) => reply.onAborted(fn),
    error: (code, message, headers) => reply.error(code, message, headers),
    cut: () => reply.cut(),
    json(status, body) {
      const schema = shownSchema(operate, answers, status);
      if (operate === 'refused' || !schema) throw new Error(`operate is shown no ${status} here`);
      reply.json(status, schema.parse(body));
    },
    text(status, body, contentType) {
      if (operate !== 'whole') throw new Error('operate is shown no text here');
      reply.text(status, body, contentType);
    },
    stream() {
      throw new Error('operate is shown no stream');
    },
  };
}

/** The schema of an answer in the OpenAPI document: that of `operate` is another one where fields are cut. */
export function describedSchema(operate: Operate, answers: Answers, status: number) {
  const schema = answers[status]?.schema;
  const shown = typeof operate === 'object' ? operate.shown[status] : undefined;
  if (!schema || !shown) return schema;
  return z.union([schema, shown.meta({ description: 'For scope `operate`' })]);
}
