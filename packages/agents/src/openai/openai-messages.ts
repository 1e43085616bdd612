import type { HistoryMessage } from '@sluice/protocol';
import type OpenAI from 'openai';
import type { Turn } from '../port/port.js';

type Message = OpenAI.ChatCompletionMessageParam;

/** A question and its reply. History is sent to a model in whole exchanges only, so that roles alternate. */
type Exchange = { readonly user: string; readonly assistant: string };

/**
 * The turns that have a reply, oldest first. A failed turn has an empty reply and is left out: its question
 * would stand directly before the next question, which many endpoints refuse. A batch is one question.
 */
function exchangesOf(history: readonly HistoryMessage[]): Exchange[] {
  const exchanges: Exchange[] = [];
  let asked: string[] = [];
  for (const { role, content } of history) {
    const text = asText(content);
    if (role === 'user') {
      asked.push(text);
      continue;
    }
    // Trimmed history may begin with a reply.
    if (asked.length > 0 && text.trim() !== '') {
      exchanges.push({ user: asked.join('\n\n'), assistant: text });
    }
    asked = [];
  }
  return exchanges;
}

export type Prompt = {
  readonly messages: readonly Message[];
  readonly bytes: number;
  readonly exchanges: number;
  /** Exchanges were left out because the endpoint takes no more. */
  readonly isCut: boolean;
};

export type PromptLimits = {
  readonly instructions?: string | undefined;
  readonly historyBytes: number;
  /** What the endpoint accepts, all messages together. */
  readonly mostBytes: number;
};

/** Instructions, the newest exchanges that fit, and the question. */
export function promptOf(turn: Turn, limits: PromptLimits): Prompt {
  const { instructions, historyBytes, mostBytes } = limits;
  const before: Message[] = instructions ? [{ role: 'system', content: instructions }] : [];
  const question: Message = { role: 'user', content: asText(turn.content) };
  const mustBytes = bytesOf([...before, question]);
  const kept: Message[] = [];
  let used = 0;
  let isCut = false;
  for (const { user, assistant } of exchangesOf(turn.history).reverse()) {
    const pair: Message[] = [
      { role: 'user', content: user },
      { role: 'assistant', content: assistant },
    ];
    const bytes = used + bytesOf(pair);
    isCut = bytes <= historyBytes && mustBytes + bytes > mostBytes;
    if (isCut || bytes > historyBytes) break;
    used = bytes;
    kept.unshift(...pair);
  }
  const exchanges = kept.length / 2;
  return { messages: [...before, ...kept, question], bytes: mustBytes + used, exchanges, isCut };
}

function bytesOf(messages: readonly Message[]): number {
  return Buffer.byteLength(JSON.stringify(messages));
}

function asText(content: HistoryMessage['content']): string {
  return typeof content === 'string' ? content : JSON.stringify(content);
}
