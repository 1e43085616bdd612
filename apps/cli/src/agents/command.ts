import type { Command } from 'commander';
import { type GatewayOptions, gatewayOf, takesGateway } from '../api/options.js';
import { type CommandLine, exampleOf } from '../command.js';

/** `sluice agents list`. */
export function addAgents(program: Command, line: CommandLine): void {
  const agents = program.command('agents').description('the agents of the cluster');
  const list = takesGateway(agents.command('list'))
    .description('agents, and the live workers that have each')
    .option('--json', 'one JSON document, a list, instead of a table')
    .action(async (options: GatewayOptions & { json?: boolean }) => {
      const { listAgents } = await import('./agents.js');
      line.end(await listAgents(gatewayOf(options), options));
    });
  exampleOf(list, 'sluice agents list');
}
