import type { Command } from 'commander';
import { type GatewayOptions, gatewayOf, takesGateway } from '../api/options.js';
import { type CommandLine, exampleOf } from '../command/command.js';

/** `sluice agents list`, `pause NAME`, `resume NAME`. */
export function addAgents(program: Command, line: CommandLine): void {
  const agents = program.command('agents').description('the agents of the cluster');
  const list = takesGateway(agents.command('list'))
    .description('agents, whether they are paused, and the live workers that have each')
    .option('--json', 'one JSON document, a list, instead of a table')
    .action(async (options: GatewayOptions & { json?: boolean }) => {
      const { listAgents } = await import('./agents.js');
      line.end(await listAgents(gatewayOf(options), options));
    });
  exampleOf(list, 'sluice agents list');
  addVerb(agents, line, {
    verb: 'pause',
    description: 'let no further turn of an agent begin, on any node; messages wait',
  });
  addVerb(agents, line, { verb: 'resume', description: 'let a paused agent go on' });
}

function addVerb(
  agents: Command,
  line: CommandLine,
  { verb, description }: { verb: 'pause' | 'resume'; description: string },
): void {
  const command = takesGateway(agents.command(`${verb} <name>`))
    .description(description)
    .action(async (name: string, options: GatewayOptions) => {
      const { turnAgent } = await import('./agents.js');
      line.end(await turnAgent(gatewayOf(options), verb, name));
    });
  exampleOf(command, `sluice agents ${verb} assistant`);
}
