import type { Command } from 'commander'
import { startAgent } from '../agent/agent.ts'
import { type AgentOptions, agentOptions } from '../agent/options.ts'
import { checkIdentity, checkSpool } from '../core/daemon/check.ts'
import { checkFileDestinations } from './check-file-destinations.ts'
import { checkSources } from './check-sources.ts'
import { registerDaemon } from './daemon-commands.ts'
import { addressText, type JoinTexts, registerJoin } from './join.ts'

const AGENT_YAML = `# Made by "loghop agent join". See the manual for every option.
identity: IDENTITY
spool: { directory: /var/lib/loghop/spool, limit: 1GiB }
# sources: left out, they are the journal where systemd's has /dev/log, else /dev/log and the kernel; and the agent's own log
`

const agentJoin: JoinTexts = {
  role: 'agent',
  addOptions: (command) => command.option('--relay <host:port>', 'relay that the messages go to, for the configuration'),
  configuration: (identity, { relay }) => {
    const text = AGENT_YAML.replace('IDENTITY', () => JSON.stringify(identity))
    if (relay !== undefined) return { text: `${text}relays: [ ${JSON.stringify(addressText('--relay', relay))} ]\n`, todo: undefined }
    return {
      text: `${text}# Where the messages go; the agent does not start without it:\n# relays: [ relay.example.com:6514 ]\n`,
      todo: '  to do      name the relay there: take the # from "relays" and put its address (or join with --relay HOST:PORT)',
    }
  },
}

export function registerAgent(program: Command): void {
  const agent = registerDaemon<AgentOptions>(program, {
    name: 'agent',
    description: 'runs on each server: takes the local log socket, ships every message over mutual TLS',
    schema: agentOptions,
    start: startAgent,
    check: async (options) => [
      ...checkIdentity(options.identity, options.renew),
      checkSpool(options.spool.directory),
      ...(await checkSources(options.sources)),
      ...checkFileDestinations(options.rules),
    ],
  })
  registerJoin(agent, agentJoin)
}
