import * as fs from 'node:fs'
import type { Command } from 'commander'
import { startAgent } from '../agent/agent.ts'
import { type AgentOptions, agentOptions } from '../agent/options.ts'
import { checkIdentity, checkSpool, type Verdict } from '../core/daemon/check.ts'
import { isSocketLive } from '../core/platform/datagram-socket.ts'
import { registerDaemon } from './daemon-commands.ts'
import { addressText, type JoinTexts, registerJoin } from './join.ts'

function checkSocket(path: string): Verdict {
  const what = 'source'
  const stat = fs.lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined || (stat.isSocket() && !isSocketLive(path))) {
    try {
      fs.accessSync(path.slice(0, Math.max(1, path.lastIndexOf('/'))), fs.constants.W_OK)
      return { what, isGood: true, text: `${path} can be made`, remedy: '' }
    } catch (error) {
      return {
        what,
        isGood: false,
        text: (error as Error).message,
        remedy: 'Make its directory, or run the agent as a user that may write there',
      }
    }
  }
  const found = stat.isSymbolicLink()
    ? `a link to ${fs.readlinkSync(path)}`
    : stat.isSocket()
      ? 'a socket that a running process listens on'
      : 'no socket'
  return {
    what,
    isGood: false,
    text: `${path} is ${found}`,
    remedy: 'If that is this agent running, all is well; else stop the daemon that has it, or name another path',
  }
}

const AGENT_YAML = `# Made by "loghop agent join". See the manual for every option.
identity: IDENTITY
spool: { directory: /var/lib/loghop/spool, limit: 1GiB }
sources:
  - unix: /dev/log
  - internal
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
      ...options.sources.flatMap((source) =>
        source === 'internal' ? [] : [checkSocket('unix' in source ? source.unix : source['unix-stream'])],
      ),
    ],
  })
  registerJoin(agent, agentJoin)
}
