// Where senders connect, and on what terms: `listeners` of relay.yaml.

import { isIP, SocketAddress } from 'node:net'
import { z } from 'zod'
import { networkOption } from '../core/base/network-option.ts'
import { modeOption, optionalOption, pathOption, textOption } from '../core/base/option-kinds.ts'
import { optionNotes } from '../core/base/option-notes.ts'
import { durationOption, sizeOption } from '../core/base/quantities.ts'
import type { Bind } from '../core/transport/bind.ts'
import { ACTIVATED, bindOption } from '../core/transport/bind-options.ts'
import { isNamePattern, normaliseName } from '../core/transport/names.ts'
import { pinOption } from '../core/transport/pin-option.ts'

// sockaddr_un holds 108 bytes with the NUL, 104 on FreeBSD.
const SOCKET_PATH_MAX_BYTES = 103

/** What becomes of a message whose HOSTNAME its sender may not use. */
export const ON_MISMATCH = ['rewrite', 'quarantine', 'refuse'] as const
export type OnMismatch = (typeof ON_MISMATCH)[number]

const unixOption: z.ZodType<Bind[]> = z
  .union([
    z
      .string()
      .regex(ACTIVATED)
      .transform((text): Bind[] => [{ kind: 'activated', name: ACTIVATED.exec(text)![1]! }]),
    pathOption('A stream socket of this host', SOCKET_PATH_MAX_BYTES).transform((path): Bind[] => [{ kind: 'path', path }]),
  ])
  .register(optionNotes, { allowed: `a path of at most ${SOCKET_PATH_MAX_BYTES} bytes, or systemd:NAME` })
  .describe('A stream socket of this host for syslog and RELP: a path, or systemd:NAME for one that systemd passes')

const clientNameOption = textOption(
  {
    sense: 'A name that a client certificate may carry',
    allowed: 'a host name, "*." before one for exactly one more label, "*" for any name of the CA, or an IP address',
  },
  (text) => {
    if (isIP(text) === 6) return { value: new SocketAddress({ address: text, family: 'ipv6' }).address }
    return isIP(text) === 4 || isNamePattern(text) ? { value: text } : { reason: 'not a name pattern' }
  },
)

const namePatternOption = textOption(
  { sense: 'A name of a host', allowed: 'a host name, "*." before one for exactly one more label, or "*" for any name' },
  (text) => (isNamePattern(text) ? { value: text } : { reason: 'not a name pattern' }),
)

const clientsOption = z
  .strictObject({
    names: z
      .array(clientNameOption)
      .default([])
      .describe('Names that may connect (dNSName or iPAddress of the certificate): a list of patterns and addresses; default none'),
    pins: z
      .array(pinOption('A client certificate or key that may connect, whatever its name'))
      .default([])
      .describe('Certificates or keys that may connect: a list of pins; default none'),
    issuers: z
      .array(pinOption('An authority that may have issued the certificate of a client'))
      .default([])
      .describe('Authorities, of those in ca.pem, that names are believed of: a list of pins of their certificates or keys; default all'),
    common_name: z
      .boolean()
      .default(false)
      .describe('Whether the common name counts where a certificate carries no dNSName: true or false; default false'),
  })
  .refine(({ names, pins }) => names.length + pins.length > 0, { error: 'nobody could connect' })
  .register(optionNotes, { allowed: 'a mapping with at least one of names or one of pins; names: ["*"] admits every name of the CA' })
  .describe('Who may connect: a mapping with names and pins, at least one in total, optionally issuers and common_name; required')

function networksOption(sense: string, fallback: string) {
  return z.array(networkOption).default([]).describe(`${sense}: a list of addresses and networks; default ${fallback}`)
}

function countOption(sense: string, max: number, fallback: number) {
  const allowed = `a whole number from 1 to ${max}`
  return z.int().min(1).max(max).default(fallback).register(optionNotes, { allowed }).describe(`${sense}: ${allowed}; default ${fallback}`)
}

const limitsOption = z
  .strictObject({
    connections: countOption('Connections of this listener at once; the number of open files may allow less', 100_000, 10_000),
    per_address: countOption('Connections of one address at once', 100_000, 1000),
    per_identity: countOption('Connections of one certificate name at once', 100_000, 100),
    per_user: countOption('Connections of one user of this host at once, by a unix socket', 100_000, 100),
    handshake: durationOption({
      sense: 'How long a connection may take to show who it is',
      min: 100,
      max: 300_000,
      fallback: 10_000,
    }),
    frame: durationOption({
      sense: 'How long a sender may take from the beginning of a message or batch to its end',
      min: 100,
      max: 3_600_000,
      fallback: 60_000,
    }),
    idle: optionalOption(
      durationOption({
        sense: 'How long a connection may be silent before it is closed; never, when left out',
        min: 1000,
        max: 7 * 86_400_000,
      }),
    ),
    names: countOption('Host names that one sender may use besides its own', 20_000, 1000),
    origins: countOption('Hosts of which one relay of ours may bring messages; batches of more are refused', 20_000, 5000),
  })
  .prefault({ handshake: undefined, frame: undefined })
  .describe(
    'What one sender, and all of them, may take up: a mapping with connections, per_address, per_identity, per_user, handshake, frame, idle, names, origins',
  )

const common = {
  speaks_for: z
    .array(namePatternOption)
    .default([])
    .describe(
      'Names that a sender may use besides its own, where its certificate does not say: a list of patterns; default none. A certificate with a Loghop role says it itself',
    ),
  on_mismatch: z
    .enum(ON_MISMATCH)
    .default('rewrite')
    .describe(
      "What becomes of a message under a name that its sender may not use: rewrite (filed under the sender's own name, the claimed one beside it), quarantine (the same below _unverified/) or refuse; default rewrite",
    ),
  limit: sizeOption({
    sense: 'Longest message of a foreign sender; what is over it is cut off',
    min: 8 << 10,
    max: 1 << 20,
    fallback: 64 << 10,
  }),
  limits: limitsOption,
}

const reach = {
  allow: networksOption('From where connections are taken', 'everywhere'),
  deny: networksOption('From where no connections are taken, even if allow lists it', 'nowhere'),
  proxy: networksOption(
    'Proxies that begin each connection with a PROXY header, version 1 or 2; allow and deny then mean the client',
    'none',
  ),
}

const ownNameOption = optionalOption(
  textOption(
    { sense: 'Name that messages are filed under which name no host, or one that speaks_for does not list', allowed: 'a host name' },
    (text) => {
      const name = normaliseName(text)
      return name === undefined ? { reason: 'not a host name' } : { value: name }
    },
  ),
)

const tlsOption = z.strictObject({
  tls: bindOption('Where to listen for RELP and RFC 5425 over mutual TLS', false),
  clients: clientsOption,
  ...common,
  ...reach,
})

const tcpOption = z.strictObject({
  tcp: bindOption('Where to listen for RELP and RFC 6587 without TLS, from this host alone', true),
  name: ownNameOption,
  ...common,
  ...reach,
})

const udpOption = z.strictObject({
  udp: bindOption('Where to listen for RFC 5426 (UDP), from this host alone', true),
  name: ownNameOption,
  ...common,
  allow: reach.allow,
  deny: reach.deny,
})

const unixStreamOption = z.strictObject({
  unix: unixOption,
  mode: modeOption('Permissions of the socket', '0660'),
  name: ownNameOption,
  ...common,
})

export const listenerOption = z
  .union([tlsOption, tcpOption, udpOption, unixStreamOption])
  .register(optionNotes, { allowed: 'a mapping with tls, tcp or udp (an address) or unix (a path)' })

export type ListenerOptions = z.infer<typeof listenerOption>
export type TlsListenerConfiguration = z.infer<typeof tlsOption>
export type PlainListenerConfiguration = Exclude<ListenerOptions, TlsListenerConfiguration>
