import type { Mutation } from './faulty-gateway.js';

type Frame = Record<string, unknown>;

const without = (frame: Frame, ...names: readonly string[]): Frame =>
  Object.fromEntries(Object.entries(frame).filter(([name]) => !names.includes(name)));
const isFinal = ({ status }: Frame) => status === 'final';
const isAccepted = ({ status }: Frame) => status === 'accepted';

/** Changes the frames that match, leaves the others alone. */
const change =
  (matches: (frame: Frame) => boolean, to: (frame: Frame) => Frame) =>
  (frame: Frame): readonly Frame[] => [matches(frame) ? to(frame) : frame];

/** Faults that gateways have had or could have; the suite must find each of them. */
export const mutations: readonly Mutation[] = [
  {
    name: 'an acknowledgement is swallowed',
    toClient: (frame) => (isAccepted(frame) ? [] : [frame]),
  },
  {
    name: 'a reply comes twice',
    toClient: (frame) => (isFinal(frame) ? [frame, frame] : [frame]),
  },
  {
    name: 'the cursor is missing',
    toClient: change(isFinal, (frame) => without(frame, 'cursor')),
  },
  {
    name: 'the position is always 0',
    toClient: change(isAccepted, (frame) => ({ ...frame, position: 0 })),
  },
  {
    name: 'a repeat is not marked',
    toClient: change(isAccepted, (frame) => without(frame, 'duplicate')),
  },
  {
    name: 'a delta is lost',
    toClient: (frame, sent) =>
      frame.type === 'token_stream' && !sent.some(({ type }) => type === 'token_stream')
        ? []
        : [frame],
  },
  {
    name: 'since is not heeded',
    toGateway: change(
      ({ type }) => type === 'hello',
      (frame) => ({ ...frame, since: 0 }),
    ),
  },
  {
    name: 'a replay is not wrapped',
    toClient: change(
      ({ type }) => type === 'replay',
      ({ event }) => ({ ...Object(Object(event).data) }),
    ),
  },
  {
    name: 'pending work is not told of',
    toClient: (frame) =>
      frame.type === 'status' && /^Resuming/.test(String(frame.message)) ? [] : [frame],
  },
  {
    name: 'since 0 is taken for a resync',
    toClient: change(
      ({ type, cursor }) => type === 'hello_ok' && cursor !== 0,
      (frame) => ({ ...frame, resync_required: true }),
    ),
  },
  {
    name: 'reject is taken for enqueue',
    toGateway: change(
      ({ mode }) => mode === 'reject',
      (frame) => without(frame, 'mode'),
    ),
  },
  {
    name: 'interrupt waits its turn',
    toGateway: change(
      ({ mode }) => mode === 'interrupt',
      (frame) => without(frame, 'mode'),
    ),
  },
  {
    name: '/stop is taken for a message',
    toGateway: change(
      ({ content }) => content === '/stop' || content === 'stop',
      (frame) => ({ ...frame, content: 'please stop' }),
    ),
  },
  {
    name: 'an empty text is taken',
    toGateway: change(
      ({ content }) => content === '',
      (frame) => ({ ...frame, content: ' ' }),
    ),
  },
  {
    name: 'an error does not name its message',
    toClient: change(
      ({ type }) => type === 'error',
      (frame) => without(frame, 'message_id'),
    ),
  },
  {
    name: 'busy is not worth a retry',
    toClient: change(
      ({ code }) => code === 'busy',
      (frame) => ({ ...frame, retryable: false }),
    ),
  },
  {
    name: 'the snapshot has no messages',
    toClient: change(
      ({ type }) => type === 'snapshot',
      (frame) => ({ ...frame, state: without({ ...Object(frame.state) }, 'messages') }),
    ),
  },
  {
    name: 'bad frames never close a connection',
    close: (code) => (code === 4028 ? undefined : code),
  },
  {
    name: 'the end of a session is not told',
    toClient: (frame) => (frame.type === 'session_end' ? [] : [frame]),
  },
  {
    name: 'a refused upgrade closes with 1008',
    close: (code) => (code === 4003 ? 1008 : code),
  },
];
