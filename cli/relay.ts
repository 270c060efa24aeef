import type { Command } from 'commander'
import { checkBind, checkIdentity, checkSpool } from '../core/daemon/check.ts'
import { type RelayOptions, relayOptions } from '../relay/options.ts'
import { startRelay } from '../relay/relay.ts'
import { registerDaemon } from './daemon-commands.ts'

export function registerRelay(program: Command): void {
  registerDaemon<RelayOptions>(program, {
    name: 'relay',
    description: 'runs at each site and in the centre: takes messages from known certificates, files them per host',
    schema: relayOptions,
    start: startRelay,
    check: async (options) => [
      ...checkIdentity(options.identity),
      checkSpool(options.spool.directory),
      ...(await Promise.all(options.listeners.map(({ tls }) => checkBind(tls.host, tls.port)))),
    ],
  })
}
