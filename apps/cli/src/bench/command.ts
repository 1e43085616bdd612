import type { Command } from 'commander';
import { type GatewayOptions, gatewayOf, parseCount, takesGateway } from '../api/options.js';
import { type CommandLine, exampleOf } from '../command/command.js';
import type { BenchOptions } from './bench.js';

const howHelp = `
Without --rate each connection sends its next message when the reply to the last has come: a slow gateway gets
fewer messages, and those that were not sent are missing in the latencies (coordinated omission). With --rate
messages are due at fixed times, and latency counts from when a message was due, not from when it could be sent.
This process measures the latencies: on the machine of the gateway it takes processor time from the gateway. A
lost connection is opened again, and messages without acknowledgement are sent again under their ids. The
sessions stay until they expire.

Ends with 1 when something was lost, doubled, reordered or not answered.`;

/** `sluice bench` */
export function addBench(program: Command, line: CommandLine): void {
  const bench = takesGateway(program.command('bench'))
    .description('send messages over many connections, count the replies and measure their latency')
    .option('--connections <count>', 'connections, each with its own session', parseCount, 10)
    .option(
      '--messages <count>',
      'messages of each connection (default: 100, with --duration no limit)',
      parseCount,
    )
    .option('--duration <duration>', 'how long to send')
    .option('--rate <count>', 'messages per second of all connections together', parseCount)
    .option('--size <bytes>', 'size of the content of a message', parseCount, 32)
    .option('--agent <id>', 'the agent (default: the first one of the gateway)')
    .option('--stream', 'ask for the deltas of replies too')
    .option('--wait <duration>', 'how long to wait for replies after the last message', '30s')
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
