import type { Command } from 'commander'
import { checkBind, checkIdentity, checkSpool, type Verdict } from '../core/daemon/check.ts'
import { formatBind } from '../core/transport/bind.ts'
import { type RelayOptions, relayOptions } from '../relay/options.ts'
import { startRelay } from '../relay/relay.ts'
import { checkFileDestinations } from './check-file-destinations.ts'
import { registerDaemon } from './daemon-commands.ts'
import { addressText, type JoinTexts, registerJoin } from './join.ts'

const RELAY_YAML = `# Made by "loghop relay join". See the manual for every option.
identity: IDENTITY
spool: { directory: /var/lib/loghop/spool, limit: 10GiB }
listeners:
  # "*": every host that our authority has given a certificate; better the names of this site, such as "*.site1.example.com"
  - { tls: "0.0.0.0:6514", clients: { names: ["*"] } }
destinations:
  - { files: "/var/log/loghop/$HOST/messages" }
`

const relayJoin: JoinTexts = {
  role: 'relay',
  addOptions: (command) => command.option('--forward <host:port>', 'relay that everything is sent on to, for the configuration'),
  configuration: (identity, { forward }) => {
    const text = RELAY_YAML.replace('IDENTITY', () => JSON.stringify(identity))
    const more = forward === undefined ? '' : `  - { forward: [ ${JSON.stringify(addressText('--forward', forward))} ] }\n`
    return { text: text + more, todo: undefined }
  },
}

export function registerRelay(program: Command): void {
  const relay = registerDaemon<RelayOptions>(program, {
    name: 'relay',
    description: 'runs at each site and in the centre: takes messages from known certificates, files them per host',
    schema: relayOptions,
    start: startRelay,
    check: async (options) => [
      ...checkIdentity(options.identity, options.renew),
      checkSpool(options.spool.directory),
      ...checkNames(options),
      ...checkFileDestinations(options.rules, options.destinations),
      ...(await Promise.all(placesOf(options).map(({ host, port }) => checkBind(host, port)))),
      ...(await Promise.all(options.passthrough.map(({ listen }) => checkBind(listen.host, listen.port)))),
    ],
  })
  registerJoin(relay, relayJoin)
}

/** A listener on which anyone may say any name is no mistake, but seldom what is meant. */
function checkNames(options: RelayOptions): Verdict[] {
  return options.listeners
    .filter((listener) => listener.speaks_for.includes('*'))
    .map((listener) => {
      const binds = 'tls' in listener ? listener.tls : 'tcp' in listener ? listener.tcp : 'udp' in listener ? listener.udp : listener.unix
      const who = 'tls' in listener ? 'every client whose certificate says nothing of roles' : 'every program of this host'
      const text = `on ${binds.map(formatBind).join(', ')} ${who} may send messages under the name of any host: speaks_for has "*"`
      return { what: 'listener', isGood: true, text, remedy: 'Name the hosts that are meant, such as "*.switches.example.com"' }
    })
}

/** What can be tried out: a UDP port, a path and what systemd would pass cannot. */
function placesOf(options: RelayOptions): Array<{ host: string; port: number }> {
  return options.listeners
    .flatMap((listener) => ('tls' in listener ? listener.tls : 'tcp' in listener ? listener.tcp : []))
    .filter((bind) => bind.kind === 'address')
}
