import * as fs from 'node:fs'
import type { Command } from 'commander'
import { startAgent } from '../agent/agent.ts'
import { type AgentOptions, agentOptions } from '../agent/options.ts'
import { checkIdentity, checkSpool, type Verdict } from '../core/daemon/check.ts'
import { isSocketLive } from '../core/platform/datagram-socket.ts'
import { registerDaemon } from './daemon-commands.ts'

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

export function registerAgent(program: Command): void {
  registerDaemon<AgentOptions>(program, {
    name: 'agent',
    description: 'runs on each server: takes the local log socket, ships every message over mutual TLS',
    schema: agentOptions,
    start: startAgent,
    check: async (options) => [
      ...checkIdentity(options.identity),
      checkSpool(options.spool.directory),
      ...options.sources.flatMap((source) =>
        source === 'internal' ? [] : [checkSocket('unix' in source ? source.unix : source['unix-stream'])],
      ),
    ],
  })
}
