// A rule as it stands in agent.yaml and relay.yaml: what it chooses, in syslog.conf's words and beyond, and where that goes.

import { z } from 'zod'
import { type Address, isLoopback } from '../base/address.ts'
import { absolutePathOption, addressOption, optionalOption, SOCKET_PATH_MAX_BYTES, textOption } from '../base/option-kinds.ts'
import { optionNotes } from '../base/option-notes.ts'
import { compileFilter, type FilterOptions } from '../syslog/filter.ts'
import { readFacilityList, readLevels } from '../syslog/levels.ts'
import { FORMATS, lineFormat } from '../syslog/line-format.ts'
import { readRegex } from '../syslog/linear-regex.ts'
import { readTemplate } from '../syslog/macros.ts'
import { readNames } from '../syslog/name-test.ts'
import { macroPath, tidyPath } from '../syslog/path-value.ts'
import { compileSelector, faultText } from '../syslog/selector.ts'
import { DIALECTS } from '../syslog/selector-names.ts'
import { framingFault, framingOption } from '../transport/framing-option.ts'
import type { SyslogFraming } from '../transport/syslog-framing.ts'

/** Where a rule sends what it chooses. */
export type RuleTo =
  | { readonly kind: 'file'; readonly path: string; readonly isSynced: boolean; readonly repeated?: RepeatedOption | undefined }
  | { readonly kind: 'pipe'; readonly path: string }
  | { readonly kind: 'program'; readonly command: string }
  | { readonly kind: 'unix' | 'unix-stream'; readonly path: string }
  | { readonly kind: 'users'; readonly names: readonly string[] }
  | { readonly kind: 'everyone' }
  | {
      readonly kind: 'forward'
      readonly addresses: readonly Address[]
      readonly protocol: RuleProtocol
      readonly framing: SyslogFraming | undefined
    }
  | { readonly kind: 'discard' }

/** What a rule's receivers may speak. Loghop's own batches go whole, so no rule can take a part of them: `relays` ships everything. */
export const RULE_PROTOCOLS = ['relp', 'syslog-tls', 'tcp', 'udp'] as const
export type RuleProtocol = (typeof RULE_PROTOCOLS)[number]

const NAME_MAX_CHARACTERS = 64
const USER = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$/

const TO_ALLOWED =
  'a path with macros, the same behind "-" for a file that is not synced, "*" for everyone logged in, users such as "root,alice", or a mapping with file, pipe, program, unix, unix-stream, users, forward or discard'

/** The text of `to`, or the reason why it is none. */
export function readTo(text: string): { value: RuleTo } | { reason: string } {
  if (text === '*') return { value: { kind: 'everyone' } }
  const isSynced = !text.startsWith('-')
  const path = isSynced ? text : text.slice(1)
  if (path.startsWith('/')) {
    const template = readTemplate(path)
    if (template.kind === 'malformed') return { reason: template.faults[0]!.reason }
    const result = macroPath(template.template)
    return result.kind === 'malformed' ? result : { value: { kind: 'file', path: tidyPath(path), isSynced } }
  }
  if (text.startsWith('|')) return { reason: 'a pipe to some syslogds and a program to others; write pipe: or program:' }
  if (text.startsWith('@')) return { reason: 'another host; write forward:' }
  const names = text.split(',').map((name) => name.trim())
  const wrong = names.find((name) => !USER.test(name))
  return wrong === undefined ? { value: { kind: 'users', names } } : { reason: `neither an absolute path nor names of users` }
}

const toText = textOption<RuleTo>({ sense: 'Where it goes', allowed: TO_ALLOWED }, readTo)
const fileText = textOption<{ path: string; isSynced: boolean }>(
  { sense: 'A file, its name with macros', allowed: 'an absolute path such as /var/log/$HOST/messages' },
  (text) => {
    const result = readTo(text)
    if ('reason' in result) return result
    return result.value.kind === 'file' && result.value.isSynced ? { value: result.value } : { reason: 'not an absolute path' }
  },
)
const userNames = textOption<readonly string[]>({ sense: 'Users', allowed: 'names such as "root,alice"' }, (text) => {
  const result = readTo(text)
  return 'value' in result && result.value.kind === 'users' ? { value: result.value.names } : { reason: 'not names of users' }
})

const REPEATED = ['write', 'fold'] as const
export type RepeatedOption = (typeof REPEATED)[number]

/** Of files: core/destinations/fold-repeats.ts. */
export const repeatedOption = z
  .enum(REPEATED)
  .optional()
  .describe('What becomes of a message that its host says again: write, or fold to a line "last message repeated N times"; default write')

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

const toOption: z.ZodType<RuleTo> = z
  .union([
    toText,
    z
      .strictObject({
        file: fileText,
        sync: z.boolean().default(true).describe('Whether it is synced to disk: true or false; default true'),
        repeated: repeatedOption,
      })
      .transform(({ file, sync, repeated }): RuleTo => ({ kind: 'file', path: file.path, isSynced: sync, ...(repeated && { repeated }) })),
    z
      .strictObject({ pipe: absolutePathOption('A named pipe', '/dev/xconsole') })
      .transform(({ pipe }): RuleTo => ({ kind: 'pipe', path: pipe })),
    z.strictObject({ program: z.string().min(1) }).transform(({ program }): RuleTo => ({ kind: 'program', command: program })),
    z
      .strictObject({ unix: absolutePathOption('Datagram socket of a local program', '/run/other/log', SOCKET_PATH_MAX_BYTES) })
      .transform(({ unix }): RuleTo => ({ kind: 'unix', path: unix })),
    z
      .strictObject({ 'unix-stream': absolutePathOption('Stream socket of a local program', '/run/other/stream', SOCKET_PATH_MAX_BYTES) })
      .transform((to): RuleTo => ({ kind: 'unix-stream', path: to['unix-stream'] })),
    z.strictObject({ users: userNames }).transform(({ users }): RuleTo => ({ kind: 'users', names: users })),
    forwardOption,
    z.strictObject({ discard: z.literal(true) }).transform((): RuleTo => ({ kind: 'discard' })),
  ])
  .register(optionNotes, { allowed: TO_ALLOWED })

/** A text, or a list of them, each of which `read` takes. */
function textsOption(
  sense: string,
  allowed: string,
  read: (text: string) => { reason: string } | { kind: string },
): z.ZodType<string | string[]> {
  const one = textOption<string>({ sense, allowed }, (text) => {
    const result = read(text)
    return 'reason' in result ? { reason: result.reason } : { value: text }
  })
  return z.union([one, z.array(one).min(1)]).register(optionNotes, { allowed: `${allowed}, or a list` })
}

const namesAllowed = 'names such as "sshd,cron", "-sshd" for all but this, with * and ? for other characters'
const programOption = textsOption('Programs', namesAllowed, (text) => readNames(text, false))
const hostOption = textsOption('Hosts, by the name that they proved; @ is this one', namesAllowed, (text) => readNames(text, true))
const plainTexts = textsOption('A text that the message has', 'a text of at least one character', (text) =>
  text === '' ? { reason: 'empty' } : { kind: 'text' },
)

/** Facts about `when` that need the dialect are found by compileFilter. */
export const whenOption: z.ZodType<FilterOptions> = z.lazy(() =>
  z
    .strictObject({
      program: optionalOption(programOption),
      host: optionalOption(hostOption),
      peer: optionalOption(textsOption('Who handed the message over', namesAllowed, (text) => readNames(text, true))),
      facility: optionalOption(textsOption('Facilities', 'facilities such as "mail,news"', readFacilityList)),
      level: optionalOption(textsOption('Levels', 'levels such as err or "warning..emerg"', readLevels)),
      match: optionalOption(plainTexts),
      message: optionalOption(
        textOption<string>(
          { sense: 'An expression that the text matches', allowed: 'a regular expression of RE2 between slashes, such as "/^Failed/i"' },
          (text) => {
            const result = readRegex(text)
            return result.kind === 'regex' ? { value: text } : { reason: result.reason }
          },
        ),
      ),
      structured_data: z
        .strictObject({ id: z.string().min(1), name: z.string().min(1).optional(), value: z.string().optional() })
        .refine(({ name, value }) => value === undefined || name !== undefined, { error: 'a value without the name of its parameter' })
        .optional(),
      property: optionalOption(textsOption('A property filter', '\'msg, contains, "text"\'', () => ({ kind: 'later' }))),
      all: z.array(whenOption).min(1).optional(),
      any: z.array(whenOption).min(1).optional(),
      not: whenOption.optional(),
    })
    .refine((part) => Object.values(part).some((value) => value !== undefined), { error: 'it tests nothing' }),
)

/** One item of `rules`. */
export const ruleOption = z
  .strictObject({
    name: optionalOption(
      textOption<string>(
        { sense: 'What explain and status call it', allowed: `1 to ${NAME_MAX_CHARACTERS} printable characters` },
        (text) =>
          /^[^\p{C}]+$/u.test(text) && text.length <= NAME_MAX_CHARACTERS ? { value: text } : { reason: 'not printable, or too long' },
      ),
    ),
    select: z.string().register(optionNotes, { allowed: 'selectors of syslog.conf such as "*.err;mail.none"' }).optional(),
    dialect: z.enum(DIALECTS).default('linux').describe('Whose syslog.conf the selectors are of: linux, freebsd or openbsd; default linux'),
    program: optionalOption(programOption),
    host: optionalOption(hostOption),
    when: whenOption.optional(),
    to: z.union([toOption, z.array(toOption).min(1)]).register(optionNotes, { allowed: TO_ALLOWED }),
    format: optionalOption(
      textOption<string>(
        { sense: 'Form of a line', allowed: `${FORMATS.join(', ')}, or a template such as "$ISODATE $HOST $MSGHDR$MSG"` },
        (text) => {
          const result = lineFormat(text, () => 0)
          return result.kind === 'format' ? { value: text } : { reason: result.reason }
        },
      ),
    ),
    stop: z.boolean().default(false).describe('Whether no later rule sees what this one chose: true or false; default false'),
  })
  .superRefine((rule, context) => {
    // These two need the dialect, which stands beside them.
    if (rule.select !== undefined) {
      const result = compileSelector(rule.select, rule.dialect)
      if (result.kind === 'malformed')
        for (const fault of result.faults) context.addIssue({ code: 'custom', path: ['select'], message: faultText(fault) })
    }
    if (rule.when === undefined) return
    const result = compileFilter(rule.when, rule.dialect)
    if (result.kind === 'malformed')
      for (const { path, reason } of result.faults) context.addIssue({ code: 'custom', path: ['when', ...path], message: reason })
  })

export type RuleOptions = z.infer<typeof ruleOption>

/** A configuration of which only the rules matter, whatever else is in it. */
export const rulesDocument = z.looseObject({ rules: z.array(ruleOption) })
