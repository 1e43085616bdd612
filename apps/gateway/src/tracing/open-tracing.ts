import type { Logger } from '@sluice/runtime';
import { noTracing, type Tracing } from './tracing.js';

/** Loads OpenTelemetry only when it is asked for: a node that does not trace does not pay for it. */
export async function openTracing(
  { otlpEndpoint }: { otlpEndpoint: string | null },
  about: { nodeId: string; log: Logger },
): Promise<Tracing> {
  if (otlpEndpoint === null) return noTracing;
  const { makeOtlpTracing } = await import('./tracing-otlp.js');
  return makeOtlpTracing(otlpEndpoint, about);
}
