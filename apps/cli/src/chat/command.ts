import type { Command } from 'commander';
import { type GatewayOptions, gatewayOf, takesGateway } from '../api/options.js';
import { type CommandLine, exampleOf } from '../command/command.js';

/** `sluice chat` */
export function addChat(program: Command, line: CommandLine): void {
  const chat = takesGateway(program.command('chat'))
    .description('talk to a session in the terminal; lines from a pipe work too')
    .option('--agent <id>', 'the agent (default: the first one of the gateway)')
    .option('--session <id>', 'continue this session')
    .addHelpText('after', '\nIn the chat: /stop aborts the running turn, /quit leaves.')
    .action(async (options: GatewayOptions & { agent?: string; session?: string }) => {
      const { chat } = await import('./chat.js');
      line.end(await chat({ ...options, ...gatewayOf(options) }));
    });
  exampleOf(chat, 'sluice chat --session demo', "echo 'What is Redis?' | sluice chat");
}
