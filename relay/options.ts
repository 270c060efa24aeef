import { z } from 'zod'
import { formatAddress, isLoopback } from '../core/base/address.ts'
import {
  authorityOption,
  balanceOption,
  failBackOption,
  identityOption,
  listOption,
  logOptions,
  relayOption,
  renewOption,
  revocationIntervalOption,
  spoolOptions,
  stopTimeoutOption,
} from '../core/base/daemon-options.ts'
import { addressOption } from '../core/base/option-kinds.ts'
import { optionNotes } from '../core/base/option-notes.ts'
import { filesOption } from '../core/destinations/files-options.ts'
import { localIdentity } from '../core/destinations/local-identity.ts'
import { LOCAL_ALLOWED, LOCAL_OPTIONS } from '../core/destinations/options.ts'
import { overlapsOf } from '../core/destinations/overlapping-files.ts'
import { targetOf, toListOf } from '../core/destinations/rule-targets.ts'
import { filesOfRules, rulesOption } from '../core/destinations/rules-option.ts'
import { selectOptions } from '../core/destinations/select-option.ts'
import { framingFault, framingOption } from '../core/transport/framing-option.ts'
import { pinOption } from '../core/transport/pin-option.ts'
import { listenerOption } from './listener-options.ts'

const SPOOL_FALLBACK_BYTES = 10 * 2 ** 30
const LISTS_FALLBACK_MS = 30_000

/** What a forward destination speaks. `loghop` alone is exactly once; docs/forwarding.md has the others. */
export const FORWARD_PROTOCOLS = ['loghop', 'relp', 'syslog-tls', 'tcp', 'udp'] as const
export type ForwardProtocol = (typeof FORWARD_PROTOCOLS)[number]

const protocolAllowed = 'loghop, relp or syslog-tls; tcp or udp to this host itself, or anywhere beside plaintext: accepted'
const protocolOption = z
  .enum(FORWARD_PROTOCOLS)
  .default('loghop')
  .register(optionNotes, { allowed: protocolAllowed })
  .describe(`What the receivers speak: ${protocolAllowed}; default loghop`)

const plaintextOption = z
  .literal('accepted')
  .optional()
  .describe('That messages may leave this host without TLS, with tcp and udp: accepted; default they may not')

const forwardOption = z
  .strictObject({
    forward: listOption(
      'Relays or other receivers, of which one at a time is sent everything: the first that answers, the next on failure',
      'relay',
      relayOption(pinOption('Only this certificate or key is the receiver, whatever its name')),
    ),
    protocol: protocolOption,
    framing: framingOption,
    balance: balanceOption,
    fail_back: failBackOption,
    plaintext: plaintextOption,
    ...selectOptions,
  })
  .superRefine(({ forward, protocol, framing, plaintext, select, when }, context) => {
    const unframed = framingFault(protocol, framing)
    if (unframed !== undefined) context.addIssue({ code: 'custom', path: ['framing'], message: unframed })
    const key = select === undefined ? 'when' : 'select'
    if (protocol === 'loghop' && (select !== undefined || when !== undefined))
      context.addIssue({ code: 'custom', path: [key], message: 'loghop carries whole batches; choose at the relay that receives them' })
    const isPlain = protocol === 'tcp' || protocol === 'udp'
    if (plaintext !== undefined && !isPlain) {
      context.addIssue({ code: 'custom', path: ['plaintext'], message: `${protocol} always has TLS; leave it out` })
    }
    for (const [at, { address, pin }] of forward.entries()) {
      if (isPlain && pin !== undefined) {
        context.addIssue({ code: 'custom', path: ['forward', at, 'pin'], message: `${protocol} has no certificate to compare it with` })
      }
      if (isPlain && plaintext === undefined && !isLoopback(address.host)) {
        const why = `${address.host} is not this host, and on the way to it anyone can read and change what ${protocol} carries`
        context.addIssue({ code: 'custom', path: ['protocol'], message: why })
        return
      }
    }
  })

const destinationOption = z
  .union([filesOption, forwardOption, ...LOCAL_OPTIONS])
  .register(optionNotes, { allowed: `a mapping with files (a path), forward (a list of relays), or one of ${LOCAL_ALLOWED}` })

/** What it leads to, which its cursor is named after. */
function identityOf(destination: z.infer<typeof destinationOption>): string {
  if ('files' in destination) return `files ${destination.files}`
  if ('forward' in destination) return `forward ${destination.forward.map(({ address }) => formatAddress(address)).join(',')}`
  const { kind, identity } = localIdentity(destination)
  return `${kind} ${identity}`
}

const destinationsOption = listOption('Where messages go', 'destination', destinationOption).superRefine((destinations, context) => {
  const seen = new Map<string, number>()
  for (const [index, destination] of destinations.entries()) {
    const identity = identityOf(destination)
    const before = seen.get(identity)
    if (before === undefined) seen.set(identity, index)
    else context.addIssue({ code: 'custom', path: [index], message: `the same as destinations[${before}]; choose for both in one select` })
  }
})

const passthroughOption = z.strictObject({
  listen: addressOption('Address to listen on', '0.0.0.0:8443 or "[::]:8443"', 0),
  to: addressOption('Authority that every connection is passed to', 'ca.example.com:8443'),
})
const passthroughAllowed = 'a mapping with listen and to, or a list of them'
const passthroughOptions = z
  .union([passthroughOption.transform((one) => [one]), z.array(passthroughOption)])
  .default([])
  .register(optionNotes, { allowed: passthroughAllowed })
  .describe(
    `Where hosts of this site reach an authority through this relay, which sees only TLS between them: ${passthroughAllowed}; default none`,
  )

/** relay.yaml. Sizes in bytes, durations in ms, modes as bits, addresses split, pins normalised; nothing is looked up or touched. */
export const relayOptions = z
  .strictObject({
    identity: identityOption,
    authority: authorityOption,
    renew: renewOption,
    revocation_interval: revocationIntervalOption(LISTS_FALLBACK_MS),
    spool: spoolOptions(SPOOL_FALLBACK_BYTES),
    listeners: listOption('Where senders connect', 'listener', listenerOption),
    passthrough: passthroughOptions,
    destinations: destinationsOption,
    rules: rulesOption,
    log: logOptions,
    stop_timeout: stopTimeoutOption,
  })
  .superRefine(({ destinations, rules }, context) => {
    const named = new Map(destinations.map((destination, at) => [identityOf(destination), at]))
    for (const [at, rule] of rules.entries())
      for (const to of toListOf(rule)) {
        const { options } = targetOf(to, rule.format)
        const before = 'kind' in options ? undefined : named.get(identityOf(options))
        if (before !== undefined) {
          const message = `destinations[${before}] is the same; take it out there, or choose for it in its select`
          context.addIssue({ code: 'custom', path: ['rules', at, 'to'], message })
        }
      }
    const listed = destinations.flatMap((options, at) =>
      'files' in options ? [{ place: `destinations[${at}]`, path: ['destinations', at], options }] : [],
    )
    const ruled = filesOfRules(rules).map((files) => ({ ...files, path: ['rules', files.at, 'to'] }))
    for (const { one, before, message } of overlapsOf([...listed, ...ruled])) {
      // Of two rules it was told with the rules.
      if (before.path[0] === 'destinations') context.addIssue({ code: 'custom', path: one.path, message })
    }
  })

export type RelayOptions = z.infer<typeof relayOptions>
