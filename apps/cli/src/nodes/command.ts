import type { Command } from 'commander';
import { type GatewayOptions, gatewayOf, takesGateway } from '../api/options.js';
import { type CommandLine, exampleOf, refuseOther } from '../command/command.js';

/** `sluice nodes` and `sluice nodes drain ID`. */
export function addNodes(program: Command, line: CommandLine): void {
  const nodes = takesGateway(program.command('nodes'))
    .description('the nodes, with their state and load')
    .option('--json', 'one JSON document, a list, instead of a table')
    .enablePositionalOptions()
    .allowExcessArguments()
    .action(async (options: GatewayOptions & { json?: boolean }) => {
      refuseOther(nodes);
      const { listNodes } = await import('./nodes.js');
      line.end(await listNodes(gatewayOf(options), options));
    });
  exampleOf(nodes, 'sluice nodes', 'sluice nodes --json | jq -r ".[].node_id"');

  const drain = takesGateway(nodes.command('drain <id>'))
    .description(
      'drain a node, as SIGTERM does: it finishes its turns, hands over, and its process ends',
    )
    .action(async (id: string, options: GatewayOptions) => {
      const { drainNode } = await import('./nodes.js');
      line.end(await drainNode(gatewayOf(options), id));
    });
  exampleOf(drain, 'sluice nodes drain node-a');
}
