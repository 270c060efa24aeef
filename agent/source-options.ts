// Where messages come from: `sources` of agent.yaml. docs/sources.md

import { z } from 'zod'
import { modeOption, optionalOption, pathOption, textOption } from '../core/base/option-kinds.ts'
import { optionNotes } from '../core/base/option-notes.ts'
import { durationOption, formatDuration, sizeOption } from '../core/base/quantities.ts'
import { MARK_EVERY_MS, MARK_MAX_MS, MARK_MIN_MS } from '../core/pipeline/mark-source.ts'
import { FACILITIES, SEVERITIES } from '../core/syslog/priority.ts'
import { formatBind } from '../core/transport/bind.ts'
import { bindOption } from '../core/transport/bind-options.ts'

// sun_path of FreeBSD with its final NUL, the shortest of our platforms.
const SOCKET_PATH_MAX_BYTES = 103
const FIELDS_MAX = 32
const PREFIX_MAX_BYTES = 64

const limitOption = sizeOption({
  sense: 'Longest message taken, longer ones are cut',
  min: 1 << 10,
  max: 1 << 20,
  fallback: 64 << 10,
})
const socketModeOption = modeOption('Who may send: permissions of the socket', '0666')

const fieldOption = textOption(
  { sense: 'A further field of the journal, kept as structured data', allowed: 'the name of a field such as CODE_FILE' },
  (text) => (/^[A-Z_][A-Z0-9_]{0,63}$/.test(text) ? { value: text } : { reason: 'not capital letters, digits and underscores' }),
)

const namespaceOption = textOption(
  { sense: "A namespace of the journal; default the system's own", allowed: 'a name such as mail, or "*" for all' },
  (text) => (/^(?:\*|\+?[A-Za-z0-9][A-Za-z0-9_.:-]{0,200})$/.test(text) ? { value: text } : { reason: 'not the name of a namespace' }),
)

const journalOption = z
  .strictObject({
    namespace: optionalOption(namespaceOption),
    directory: optionalOption(pathOption("Directory of journal files, read instead of the system's journal")),
    from: z
      .enum(['boot', 'beginning', 'end'])
      .default('boot')
      .describe('Where to begin the first time: boot (of the machine), beginning or end; default boot'),
    fields: z
      .array(fieldOption)
      .max(FIELDS_MAX)
      .register(optionNotes, { allowed: `a list of at most ${FIELDS_MAX} names of fields` })
      .default([])
      .describe(`Further fields, kept as structured data: a list of at most ${FIELDS_MAX} names such as CODE_FILE; default none`),
    limit: limitOption,
  })
  .describe('The journal of systemd: a mapping with optionally namespace, directory, from, fields and limit')

const prefixOption = textOption(
  { sense: 'Text with which the first line of each message begins', allowed: `text of 1 to ${PREFIX_MAX_BYTES} bytes` },
  (text) => {
    const length = Buffer.byteLength(text)
    return length > 0 && length <= PREFIX_MAX_BYTES ? { value: text } : { reason: `${length} bytes` }
  },
)
const MULTI_LINE_ALLOWED = 'none, indented, digit, or a mapping with prefix'
const multiLineOption = z
  .union([z.enum(['none', 'indented', 'digit']), z.strictObject({ prefix: prefixOption })])
  .register(optionNotes, { allowed: MULTI_LINE_ALLOWED })
  .default('none')
  .describe(
    'Which lines continue the message before: none; those that are indented; those without a digit first; those without the prefix. ' +
      `${MULTI_LINE_ALLOWED}; default none`,
  )

const fileOption = z.strictObject({
  file: pathOption('Files that programs write: a path, in which *, ? and [...] match as in the shell'),
  facility: z
    .enum(FACILITIES)
    .default('user')
    .describe(`Facility of the messages: ${FACILITIES.join(', ')}; default user`),
  level: z
    .enum(SEVERITIES)
    .default('notice')
    .describe(`Level of the messages: ${SEVERITIES.join(', ')}; default notice`),
  program: optionalOption(
    textOption(
      { sense: 'APP-NAME of the messages; default the name of the file without its ending', allowed: '1 to 48 printable ASCII characters' },
      (text) => (/^[\x21-\x7e]{1,48}$/.test(text) ? { value: text } : { reason: 'not printable ASCII, empty or too long' }),
    ),
  ),
  encoding: z
    .enum(['utf-8', 'latin1'])
    .default('utf-8')
    .describe('Encoding: utf-8, whose bytes are kept as they are, or latin1, made UTF-8; default utf-8'),
  from: z
    .enum(['beginning', 'end'])
    .default('beginning')
    .describe('Where to begin in files that are there the first time: beginning or end; default beginning'),
  multi_line: multiLineOption,
  limit: limitOption,
})

export const sourceOption = z
  .union([
    z.literal('internal').describe("The agent's own log"),
    z.literal('kernel').describe("The kernel's messages"),
    z.literal('journal').describe('The journal of systemd'),
    z.literal('stdin').describe('Standard input, a message in each line'),
    z.strictObject({
      unix: pathOption('A datagram socket that programs log to, such as /dev/log', SOCKET_PATH_MAX_BYTES),
      limit: limitOption,
      mode: socketModeOption,
    }),
    z.strictObject({
      'unix-stream': pathOption('A stream socket that programs log to', SOCKET_PATH_MAX_BYTES),
      limit: limitOption,
      mode: socketModeOption,
    }),
    z.strictObject({ kernel: pathOption("The device with the kernel's messages, /dev/kmsg or on FreeBSD /dev/klog") }),
    z.strictObject({ journal: journalOption }),
    fileOption,
    z.strictObject({
      pipe: pathOption('A named pipe that programs write lines to, made if it is missing'),
      limit: limitOption,
      mode: modeOption('Who may write: permissions of a pipe that is made', '0622'),
    }),
    z.strictObject({
      mark: durationOption({
        sense: `How often "-- MARK --" is logged, as syslogd does every ${formatDuration(MARK_EVERY_MS)}`,
        min: MARK_MIN_MS,
        max: MARK_MAX_MS,
      }),
    }),
    z.strictObject({ tcp: bindOption('Where programs of this host log to by TCP (RFC 6587) or RELP', true), limit: limitOption }),
    z.strictObject({ udp: bindOption('Where programs of this host log to by UDP (RFC 5426)', true), limit: limitOption }),
  ])
  .register(optionNotes, {
    allowed:
      'internal, kernel, journal or stdin, or a mapping with unix, unix-stream, file, pipe, kernel (each a path), tcp, udp (each an address), mark (a duration) or journal',
  })

export type SourceOption = z.infer<typeof sourceOption>

/** A name that two sources must not share; undefined where two are no harm. */
export function placeOf(source: SourceOption): string {
  if (typeof source === 'string') return source
  if ('journal' in source) return ['journal', source.journal.namespace, source.journal.directory].filter(Boolean).join(' ')
  if ('kernel' in source) return 'kernel'
  if ('mark' in source) return 'mark'
  if ('tcp' in source) return `tcp ${source.tcp.map(formatBind).join(' ')}`
  if ('udp' in source) return `udp ${source.udp.map(formatBind).join(' ')}`
  return Object.entries(source)
    .filter(([key]) => ['unix', 'unix-stream', 'file', 'pipe'].includes(key))
    .map(([key, path]) => `${key} ${String(path)}`)
    .join(' ')
}

export function isSystemJournal(source: SourceOption): boolean {
  return source === 'journal' || (typeof source === 'object' && 'journal' in source && source.journal.directory === undefined)
}

export const sourcesOption = z
  .array(sourceOption)
  .min(1)
  .superRefine((sources, context) => {
    const seen = new Map<string, number>()
    for (const [at, source] of sources.entries()) {
      const place = placeOf(source)
      const earlier = seen.get(place)
      if (earlier !== undefined)
        context.addIssue({ code: 'custom', path: [at], message: `the same as sources[${earlier}], and each message would come twice` })
      seen.set(place, at)
    }
    const kernel = seen.get('kernel')
    if (kernel !== undefined && sources.some((source) => isSystemJournal(source) && isMainNamespace(source))) {
      context.addIssue({
        code: 'custom',
        path: [kernel],
        message: "the journal holds the kernel's messages too, and each would come twice",
      })
    }
  })
  .register(optionNotes, { allowed: 'a list of at least one source' })
  .optional()
  .describe(
    "Where messages come from: a list of at least one source; default journal and internal where systemd's journal has /dev/log, else unix: /dev/log, kernel and internal",
  )

/** Whether the source brings what the main journal holds, where the kernel's messages are. */
export function isMainNamespace(source: SourceOption): boolean {
  if (source === 'journal') return true
  if (typeof source !== 'object' || !('journal' in source)) return false
  const { namespace } = source.journal
  return namespace === undefined || namespace === '*' || namespace.startsWith('+')
}
