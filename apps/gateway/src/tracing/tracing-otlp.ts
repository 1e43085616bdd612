import {
  type Attributes,
  type Context,
  DiagLogLevel,
  diag,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Logger } from '@sluice/runtime';
import { VERSION } from '../node/version.js';
import type { Acceptance, OpenSpan, Tracing } from './tracing.js';

/** A span waits in memory for at most this time: soon enough to watch while something happens. */
const SEND_EVERY_MS = 1_000;
const QUEUED_MAX = 2_048;
const SEND_LIMIT_MS = 5_000;

/** Sends spans to an OpenTelemetry collector, by OTLP over HTTP. Spans that it cannot take are dropped. */
export function makeOtlpTracing(
  endpoint: string,
  { nodeId, log }: { nodeId: string; log: Logger },
): Tracing {
  const silent = () => {};
  const tell = (text: string) => log.debug({ text }, 'spans not sent');
  diag.setLogger(
    { error: tell, warn: silent, info: silent, debug: silent, verbose: silent },
    DiagLogLevel.ERROR,
  );
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
    timeoutMillis: SEND_LIMIT_MS,
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': 'sluice',
      'service.version': VERSION,
      'service.instance.id': nodeId,
    }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter,
        scheduledDelayMillis: SEND_EVERY_MS,
        maxQueueSize: QUEUED_MAX,
        exportTimeoutMillis: SEND_LIMIT_MS,
      }),
    ],
  });
  const tracer = provider.getTracer('sluice', VERSION);

  return {
    accept(about) {
      const attributes = attributesOf(about, 'send');
      const options = { kind: SpanKind.PRODUCER, attributes };
      return opened(tracer.startSpan(`send ${about.agent}`, options, contextOf(about.parent)));
    },
    turn(about) {
      const { turnId, attempt, fence, agent } = about;
      const attributes = {
        ...attributesOf(about, 'process'),
        'sluice.turn_id': turnId,
        'sluice.attempt': attempt,
        'sluice.fence': fence,
      };
      const links = about.traceparents().flatMap((text) => {
        const context = parse(text);
        return context ? [{ context }] : [];
      });
      const options = { kind: SpanKind.CONSUMER, attributes, links };
      return opened(tracer.startSpan(`process ${agent}`, options, ROOT_CONTEXT));
    },
    close: () => provider.shutdown(),
  };
}

/** Attributes by the conventions of OpenTelemetry for messaging. */
function attributesOf(
  { agent, sessionId, messageId }: Omit<Acceptance, 'parent'>,
  operation: 'send' | 'process',
): Attributes {
  return {
    'messaging.system': 'sluice',
    'messaging.operation.name': operation,
    'messaging.operation.type': operation,
    'messaging.destination.name': agent,
    'messaging.message.id': messageId,
    'messaging.message.conversation_id': sessionId,
  };
}

function opened(span: Span): OpenSpan {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return {
    traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
    end(outcome, failure) {
      span.setAttribute('sluice.outcome', outcome);
      if (failure !== undefined) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
      }
      span.end();
    },
  };
}

const contextOf = (traceparent: string): Context => {
  const parent = parse(traceparent);
  return parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
};

/** Later versions of `traceparent` may have more at the end. Anything else is as if there was none. */
function parse(text: string): SpanContext | undefined {
  const form = /^(?!ff)[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(?:$|-)/;
  const [, traceId = '', spanId = '', flags = ''] = form.exec(text) ?? [];
  if (/^0*$/.test(traceId) || /^0*$/.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
}
