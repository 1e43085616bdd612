import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { Framer } from './line-framer.js';

/** Items are Server-Sent Events, each as `itemOf` returns it; default: its data. */
export function sseFramer(itemOf = ({ data }: EventSourceMessage) => data): Framer {
  let items: string[] = [];
  const parser = createParser({ onEvent: (event) => items.push(itemOf(event)) });
  return {
    end: '\n\n',
    feed: (chunk) => {
      items = [];
      parser.feed(chunk);
      return items;
    },
  };
}
