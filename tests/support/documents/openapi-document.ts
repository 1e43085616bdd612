import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

type Schema = Readonly<Record<string, unknown>>;
export type Parameter = { readonly in: string; readonly name: string; readonly schema: Schema };
type Operation = {
  readonly security?: readonly { readonly bearer: readonly string[] }[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: object;
  readonly responses: Readonly<Record<string, { readonly content?: Record<string, unknown> }>>;
};
export type Document = { readonly paths: Record<string, Record<string, Operation>> };

/** An answer as it came: `type` without parameters, `body` parsed where it is JSON. */
export type Answer = { readonly status: number; readonly type: string; readonly body: unknown };

/** Objects hold nothing but what is named: an answer with more than the document says is a fault here. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed);
  if (typeof node !== 'object' || node === null) return node;
  const entries = Object.entries(node).map(([name, value]) => [name, closed(value)] as const);
  const isOpen = 'properties' in node && !('additionalProperties' in node);
  return { ...Object.fromEntries(entries), ...(isOpen ? { additionalProperties: false } : {}) };
}

const escaped = (part: string) => part.replaceAll('~', '~0').replaceAll('/', '~1');

/** The document as a check on what a gateway takes and answers. */
export class Described {
  readonly operations: readonly { readonly name: string; readonly operation: Operation }[];
  readonly #parameters = new Ajv2020({ strict: false, coerceTypes: true });
  readonly #taken = new Ajv2020({ strict: false, allowUnionTypes: true });
  readonly #answered = new Ajv2020({ strict: false, allowUnionTypes: true });
  readonly #compiled = new Map<string, ValidateFunction>();

  constructor(readonly document: Document) {
    this.#taken.addSchema({ ...document, $id: 'urn:sluice:taken' });
    this.#answered.addSchema({ ...Object(closed(document)), $id: 'urn:sluice:answered' });
    this.operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        name: `${method.toUpperCase()} ${path}`,
        operation,
      })),
    );
  }

  /** The scopes of which an operation needs one; none: it needs no credentials. */
  scopesOf({ security = [] }: Operation): string[] {
    return security.flatMap(({ bearer }) => bearer);
  }

  takesParameter({ schema }: Parameter, value: string): boolean {
    return this.#parameters.compile({ properties: { value: schema } })({ value });
  }

  takesBody(name: string, body: unknown): boolean {
    return this.#at('urn:sluice:taken', name, 'requestBody')(body);
  }

  /** What the document has against an answer; undefined: nothing. */
  faultOf(name: string, { status, type, body }: Answer): string | undefined {
    const operation = this.operations.find((it) => it.name === name)?.operation;
    const response = operation?.responses[String(status)];
    if (!response) return `${name} answers ${status}, which the document does not name`;
    if (!response.content) return undefined;
    if (!(type in response.content)) return `${name} ${status} is ${type}`;
    if (type !== 'application/json') return undefined;
    const validate = this.#at('urn:sluice:answered', name, 'responses', String(status));
    if (validate(body)) return undefined;
    return `${name} ${status}: ${JSON.stringify(validate.errors)}: ${JSON.stringify(body)}`;
  }

  #at(id: string, name: string, ...place: string[]): ValidateFunction {
    const [method = '', path = ''] = name.split(' ');
    const parts = ['paths', path, method.toLowerCase(), ...place];
    const pointer = [...parts, 'content', 'application/json', 'schema'].map(escaped).join('/');
    const ref = `${id}#/${pointer}`;
    const known = this.#compiled.get(ref);
    if (known) return known;
    const ajv = id === 'urn:sluice:taken' ? this.#taken : this.#answered;
    const made = ajv.compile({ $ref: ref });
    this.#compiled.set(ref, made);
    return made;
  }
}
