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
      ...(await Promise.all(placesOf(options).map(({ host, port }) => checkBind(host, port)))),
    ],
  })
}

/** What can be tried out: a UDP port, a path and what systemd would pass cannot. */
function placesOf(options: RelayOptions): Array<{ host: string; port: number }> {
  return options.listeners
    .flatMap((listener) => ('tls' in listener ? listener.tls : 'tcp' in listener ? listener.tcp : []))
    .filter((bind) => bind.kind === 'address')
}
