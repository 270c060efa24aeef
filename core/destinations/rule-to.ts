// Where a rule sends what it chooses, as the configuration writes it: in syslog.conf's words, or as a mapping with the keys that a destination has.

import { z } from 'zod'
import { type Address, isLoopback } from '../base/address.ts'
import { addressOption, textOption } from '../base/option-kinds.ts'
import { optionNotes } from '../base/option-notes.ts'
import { framingFault, framingOption } from '../transport/framing-option.ts'
import type { SyslogFraming } from '../transport/syslog-framing.ts'
import { type FilesOption, faultsOfFile, fileKeys, filesOption, readFilePath } from './files-options.ts'
import { consoleOption, type LocalOptions, pipeOption, programOption, unixOption, unixStreamOption, usersOption } from './options.ts'

export type RuleTo =
  | { readonly kind: 'file'; readonly isSynced: boolean; readonly options: FilesOption }
  | { readonly kind: 'local'; readonly options: LocalOptions }
  | {
      readonly kind: 'forward'
      readonly addresses: readonly Address[]
      readonly protocol: RuleProtocol
      readonly framing: SyslogFraming | undefined
    }

/** What a rule's receivers may speak. Loghop's own batches go whole, so no rule can take a part of them: `relays` ships everything. */
export const RULE_PROTOCOLS = ['relp', 'syslog-tls', 'tcp', 'udp'] as const
export type RuleProtocol = (typeof RULE_PROTOCOLS)[number]

const USER = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$/

export const TO_ALLOWED =
  'a path with macros, the same behind "-" for a file that is not synced, "*" for everyone logged in, users such as "root,alice", or a mapping with file, pipe, program, unix, unix-stream, console, users, forward or discard'

/** The text of `to`, or the reason why it is none. */
function readTo(text: string): { value: RuleTo } | { reason: string } {
  if (text === '*') return { value: { kind: 'local', options: { users: ['*'] } } }
  const isSynced = !text.startsWith('-')
  const path = isSynced ? text : text.slice(1)
  if (path.startsWith('/')) {
    const file = readFilePath(path)
    return 'reason' in file ? file : { value: { kind: 'file', isSynced, options: filesOption.parse({ files: file.value }) } }
  }
  if (text.startsWith('|')) return { reason: 'a pipe to some syslogds and a program to others; write pipe: or program:' }
  if (text.startsWith('@')) return { reason: 'another host; write forward:' }
  const users = text.split(',').map((name) => name.trim())
  if (users.some((name) => !USER.test(name))) return { reason: `neither an absolute path nor names of users` }
  return { value: { kind: 'local', options: { users } } }
}

const toText = textOption<RuleTo>({ sense: 'Where it goes', allowed: TO_ALLOWED }, readTo)
const fileText = textOption(
  { sense: 'A file, its name with macros', allowed: 'an absolute path such as /var/log/$HOST/messages' },
  readFilePath,
)

const fileOption = z
  .strictObject({
    file: fileText,
    sync: z.boolean().default(true).describe('Whether it is synced to disk: true or false; default true'),
    ...fileKeys,
  })
  .superRefine(({ file, ...options }, context) => {
    for (const { key, message } of faultsOfFile(file, options)) context.addIssue({ code: 'custom', path: [key], message })
  })
  .transform(({ file, sync, ...options }): RuleTo => ({ kind: 'file', isSynced: sync, options: { files: file, ...options } }))

const protocolAllowed = `${RULE_PROTOCOLS.join(', ')}; relays: ships everything to Loghop relays, exactly once`
const forwardOption = z
  .strictObject({
    forward: z.array(addressOption('A receiver', 'loghost.example.com:514')).min(1),
    protocol: z.enum(RULE_PROTOCOLS).register(optionNotes, { allowed: protocolAllowed }),
    framing: framingOption,
    plaintext: z.literal('accepted').optional(),
  })
  .superRefine(({ forward, protocol, framing, plaintext }, context) => {
    const unframed = framingFault(protocol, framing)
    if (unframed !== undefined) context.addIssue({ code: 'custom', path: ['framing'], message: unframed })
    const isPlain = protocol === 'tcp' || protocol === 'udp'
    const far = forward.findIndex(({ host }) => !isLoopback(host))
    if (isPlain && far !== -1 && plaintext === undefined) {
      const why = `${forward[far]!.host} is not this host, and on the way to it anyone can read and change what ${protocol} carries; write plaintext: accepted beside it if that is meant`
      context.addIssue({ code: 'custom', path: ['forward', far], message: why })
    }
  })
  .transform(({ forward, protocol, framing }): RuleTo => ({ kind: 'forward', addresses: forward, protocol, framing }))

/** What the rule itself says. */
const CHOICE = { select: true, when: true } as const
const local = (options: LocalOptions): RuleTo => ({ kind: 'local', options })

export const toOption: z.ZodType<RuleTo> = z
  .union([
    toText,
    fileOption,
    pipeOption.omit(CHOICE).transform(local),
    programOption.omit(CHOICE).transform(local),
    unixOption.omit(CHOICE).transform(local),
    unixStreamOption.omit(CHOICE).transform(local),
    consoleOption.omit(CHOICE).transform(local),
    usersOption.omit(CHOICE).transform(local),
    forwardOption,
    z.strictObject({ discard: z.literal(true) }).transform(local),
  ])
  .register(optionNotes, { allowed: TO_ALLOWED })
