import type { Command } from 'commander';
import { type GatewayOptions, gatewayOf, parseCount, takesGateway } from '../api/options.js';
import { type CommandLine, exampleOf } from '../command/command.js';
import type { BenchOptions } from './bench.js';

const howHelp = `
Without --rate each connection sends its next message when the reply to the last has come: a slow gateway is asked
less, and the latencies of what was not sent are not seen (coordinated omission). With --rate messages are due at
fixed times, and latency counts from when a message was due, not from when it could be sent. Latencies are seen
by this process: on the machine of the gateway it takes processor time from it. A lost connection is opened
again, and what was not acknowledged sent again under its id. The sessions stay until they expire.

Ends with 1 when something was lost, doubled, reordered or not answered.`;

/** `sluice bench` */
export function addBench(program: Command, line: CommandLine): void {
  const bench = takesGateway(program.command('bench'))
    .description('send messages over many connections, and count what comes back, and when')
    .option('--connections <count>', 'each with a session of its own', parseCount, 10)
    .option(
      '--messages <count>',
      'of each connection (default: 100, with --duration all)',
      parseCount,
    )
    .option('--duration <duration>', 'send for so long')
    .option('--rate <count>', 'messages per second of all connections together', parseCount)
    .option('--size <bytes>', 'of the content of a message', parseCount, 32)
    .option('--agent <id>', 'which agent (default: the first one of the gateway)')
    .option('--stream', 'ask for the deltas of replies too')
    .option('--wait <duration>', 'for what is still to come after the last message', '30s')
    .option('--json', 'one JSON document')
    .addHelpText('after', howHelp)
    .action(async (options: GatewayOptions & BenchOptions) => {
      const { bench } = await import('./bench.js');
      line.end(await bench(gatewayOf(options), options));
    });
  exampleOf(
    bench,
    'sluice bench --connections 50 --messages 200 --agent echo',
    'sluice bench --connections 50 --rate 500 --duration 1m --json',
  );
}
